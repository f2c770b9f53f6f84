"""What is made from the option table says all of it, and is not stale."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from kube_magics.jobs.train import NOT_FOR_CALLS, remote, train
from kube_magics.spec.limits import LIMITS
from kube_magics.spec.options import OPTIONS
from kube_magics.spec.pages import help_text, page

PAGE = Path(__file__).parents[2] / "docs" / "options.md"


def test_the_page_of_options_is_made_from_the_table() -> None:
    assert PAGE.read_text("utf-8") == page(), "stale: make fix"


def test_the_page_has_every_option_and_every_limit() -> None:
    text = page()
    for option in OPTIONS:
        assert f"| `--{option.name}`" in text
        assert option.flag or option.unit, option.name
        assert option.example.startswith(f"--{option.name}")
    for limit in LIMITS:
        assert f"| `{limit.variable}` | `c.KubeMagics.{limit.field}` |" in text


def test_help_shows_every_option_within_the_width_of_a_notebook() -> None:
    text = help_text()
    assert all(f" --{option.name}" in text for option in OPTIONS)
    assert all(len(row) <= 110 for row in text.splitlines())


@pytest.mark.parametrize(("function", "without"), [(train, NOT_FOR_CALLS), (remote, (*NOT_FOR_CALLS, "detach"))])
def test_python_knows_the_options_as_keywords(function: Any, without: Sequence[str]) -> None:
    keywords = inspect.signature(function).parameters
    for option in OPTIONS:
        shown = f"\n  {option.field} " in f"{function.__doc__} "
        assert (option.field in keywords) == shown == (option.field not in without)
    assert keywords["gpus"].default == 0
