"""A notebook's own syntax in a job's cell, and credentials: in a real kernel, on this machine and on the cluster."""

from __future__ import annotations

import pytest

from tests.acceptance.desk import Desk

pytestmark = pytest.mark.jobs

BEFORE = """
from math import *
NAME = "of the notebook"
def greeted(who):
    !echo hello {who} $NAME
    found = !echo one; echo two
    return found
"""
CELL = """%%kubetrain --cpus 100m --returns y,files
%matplotlib inline
%env GREETING=from the environment
!echo $GREETING; echo to stderr >&2
!echo twice {1 + 1}
files = greeted("you")
%time y = floor(pi)
async def f():
    return 5
y += await f()
!cd / && pwd"""


def test_commands_magics_and_await(anywhere: Desk) -> None:
    anywhere.right(BEFORE)
    ran = anywhere.right(CELL)
    expected = [
        "env: GREETING=from the environment",
        "from the environment",
        "twice 2",
        "hello you of the notebook",
        "/",
    ]
    assert [line for line in ran.stdout.splitlines() if line in expected] == expected
    assert "Wall time: " in ran.stdout
    assert "to stderr" in ran.stderr
    assert "left out, as a job has no notebook around it: %matplotlib inline (line 2)" in ran.stderr
    assert anywhere.kernel.value("(y, files, type(files).__name__)") == "(8, ['one', 'two'], 'list')"


def test_an_error_is_shown_in_the_users_own_lines(here: Desk) -> None:
    ran = here.run("%%kubetrain\n!echo \\\n  two\n%time 1 / 0\n")
    assert ran.error == "ZeroDivisionError"
    assert "----> 4 %time 1 / 0" in ran.traceback


@pytest.mark.parametrize("option", ["", "--capture my_token"])
def test_a_credential_stays_here(here: Desk, option: str) -> None:
    here.right("my_token = 'tr0ub4dor' + '&3'")
    ran = here.run(f"%%kubetrain {option}\nprint(len(my_token))")
    if option:
        assert "11\n" in ran.stdout
        return
    assert ran.error == "CaptureError"
    assert "my_token looks like a token by its name" in ran.traceback
    assert "tr0ub4dor" not in ran.traceback


def test_a_log_is_not_cleared(here: Desk) -> None:
    ran = here.right(
        "%%kubetrain\nfrom IPython.display import display, clear_output\ndisplay([1])\nclear_output(wait=True)"
    )
    assert "[1]\n" in ran.stdout
    assert "\x1b" not in ran.stdout
