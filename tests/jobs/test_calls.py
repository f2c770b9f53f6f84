"""What is wrong with a call of the Python API, told before anything is made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

import kube_magics
from kube_magics import errors


def add(*numbers: int) -> int:
    return sum(numbers)


async def later() -> int:
    return 1


def several() -> Iterator[int]:
    yield 1


WRONG: dict[str, tuple[Callable[[], object], type[errors.KubeMagicsError], str, str]] = {
    "no function": (
        lambda: kube_magics.train(cast("Any", "add")),
        *(errors.CaptureError, "cannot be called", "pass a function"),
    ),
    "one argument": (
        lambda: kube_magics.train(add, cast("Any", 5)),
        *(errors.OptionError, "as a tuple", "train(fn, args=(data,))"),
    ),
    "keywords as a list": (
        lambda: kube_magics.train(add, (), cast("Any", [1])),
        *(errors.OptionError, "as a dict", "train(fn, kwargs="),
    ),
    "keywords that are no names": (
        lambda: kube_magics.train(add, (), cast("Any", {1: 2})),
        *(errors.OptionError, "as a dict", "train(fn, kwargs="),
    ),
    "async": (lambda: kube_magics.train(later), errors.CaptureError, "a coroutine", "return asyncio.run(later(…))"),
    "generator": (lambda: kube_magics.train(several), errors.CaptureError, "a generator", "return list(several(…))"),
    "remote of a text": (
        lambda: kube_magics.remote(cast("Any", "gpus=1")),
        *(errors.OptionError, "cannot be called", "@remote(gpus=1)"),
    ),
    "one job": (
        lambda: kube_magics.wait_all(cast("Any", kube_magics.Job(cast("Any", None), "a"))),
        *(errors.OptionError, "several jobs", "wait_all([job])"),
    ),
    "no jobs": (lambda: kube_magics.wait_all(cast("Any", [1])), errors.OptionError, "1 is none", "wait_all([train(…)"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_it_is_told_with_what_to_type(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBE_MAGICS_BACKEND", "local")
    call, kind, says, typed = WRONG[wrong]
    with pytest.raises(kind, match=says) as caught:
        call()
    assert typed in str(caught.value.hint)
