"""What `help()` shows of what is public: a sentence first, every argument, and only options and verbs that exist."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest

import kube_magics
from kube_magics import errors
from kube_magics.jobs.train import Remote
from kube_magics.spec.options import OPTIONS
from kube_magics.spec.verbs import VERBS

FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{name: found for name in kube_magics.__all__ if inspect.isfunction(found := getattr(kube_magics, name))},
    **{
        f"{owner.__name__}.{name}": getattr(found, "fget", None) or found
        for owner in (kube_magics.Job, Remote)
        for name, found in vars(owner).items()
        if not name.startswith("_") and callable(getattr(found, "fget", None) or found)
    },
}
ERRORS = [each for each in vars(errors).values() if inspect.isclass(each) and issubclass(each, errors.KubeMagicsError)]
OPTIONAL = {"self", "shell", "fn", "asked", "kwargs", "args", "metrics"}
"""Said in other words: the function, its arguments, the options."""


def doc(found: object) -> str:
    text = inspect.getdoc(found)
    assert text, f"{found} has no docstring"
    return text


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_says_what_it_does_and_what_it_takes(name: str) -> None:
    text = doc(FUNCTIONS[name])
    assert re.match(r"`?[A-Z`@]", text), text
    assert text.split("\n\n")[0].endswith("."), text
    parameters = inspect.signature(inspect.unwrap(FUNCTIONS[name])).parameters
    assert [each for each in parameters if each not in OPTIONAL and not re.search(rf"\b{each}\b", text)] == []


@pytest.mark.parametrize("found", [kube_magics.Job, Remote, *ERRORS], ids=lambda found: found.__name__)
def test_a_class_says_what_it_is_in_a_sentence(found: type) -> None:
    text = doc(found)
    assert re.match(r"[A-Z0-9`]", text), text
    assert text.split("\n\n")[0].endswith("."), text
    assert found.__mro__[1].__doc__ != found.__doc__


def test_docstrings_of_errors_name_options_and_verbs_that_exist() -> None:
    text = "\n".join(doc(found) for found in ERRORS)
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text)) <= {
        f"--{each.name}" for each in (*OPTIONS, *VERBS["attach"].options)
    }
    assert set(re.findall(r"%kube ([a-z]+)", text)) <= set(VERBS)
