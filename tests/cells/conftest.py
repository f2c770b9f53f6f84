"""Tests of `cells` make `__main__` modules of their own."""

from __future__ import annotations

import gc
import sys
import warnings
from collections.abc import Iterator

import pytest

from tests.cells import book


@pytest.fixture(autouse=True)
def main_module() -> Iterator[None]:
    before = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = before


@pytest.fixture(autouse=True)
def nothing_left_open() -> Iterator[None]:
    """What a case has opened is closed with its notebook, not in the middle of another test."""
    gc.freeze()  # then only what the test makes is looked at: a millisecond
    yield
    with warnings.catch_warnings(action="ignore"):
        book.close_all()
        gc.collect()
    gc.unfreeze()
