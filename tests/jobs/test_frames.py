"""Frames of files that only the job's image has, as IPython shows them."""

from __future__ import annotations

import re

import pytest
from IPython.core.ultratb import FormattedTB

from kube_magics.jobs.frames import traceback_of


@pytest.mark.parametrize(
    ("text", "at", "shown"),
    [
        ("            raise AssertionError(msg)", [12, 37], "raise AssertionError(msg)"),
        ("        with opened(path) as file:", [13, 25], "with opened(path) as file: ..."),
    ],
)
def test_the_line_of_a_file_that_is_not_here(text: str, at: list[int], shown: str) -> None:
    file = f"/nowhere/{len(text)}/solver.py"
    frame = {"file": file, "line": 983, "text": text, "name": "solve", "first": 790, "at": [983, *at]}
    other = {"file": file, "line": 990, "text": "                return step(x)", "name": "step", "first": 985}
    error = AssertionError("x").with_traceback(traceback_of([frame, other], {}))
    lines = FormattedTB("Context").structured_traceback(AssertionError, error, error.__traceback__)
    told = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(lines))
    assert f"File {file} (in the job):983, in solve" in told
    assert f"--> 983 {shown}\n" in told
    assert "--> 990 return step(x)\n" in told
