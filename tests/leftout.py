"""Files of which `-m` leaves out every test are not imported: they and what they need cost the quick ones seconds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

_WITHOUT = re.compile(r"not (?:\((\w+(?: or \w+)*)\)|(\w+))")
"""Of other expressions the marks of a file alone do not tell what comes of a test with more of them."""
_OF_ALL = re.compile(r"^pytestmark = (\[.*?^\]|.*?$)", re.MULTILINE | re.DOTALL)
_MARK = re.compile(r"pytest\.mark\.(\w+)")


def is_left_out(path: Path, expression: str) -> bool:
    """Whether the marks of the whole file say so."""
    found = _WITHOUT.fullmatch(expression)
    if found is None or not path.match("test_*.py"):
        return False
    without = (found[1] or found[2]).split(" or ")
    return any(mark in without for of_all in _OF_ALL.findall(path.read_text("utf-8")) for mark in _MARK.findall(of_all))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return True if is_left_out(collection_path, config.option.markexpr) else None
