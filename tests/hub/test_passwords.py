"""The passwords of the hub of one machine."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from onemachine.options import Refused
from onemachine.passwords import ALPHABET, FILE, Passwords, passwords


def test_made_once_kept_for_the_owner_alone_and_new_only_the_first_time(tmp_path: Path) -> None:
    made = passwords(tmp_path)
    assert made.new
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600
    assert passwords(tmp_path) == Passwords(made.user, made.admin)


def test_they_are_random_and_long_enough_for_jupyterhub(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    one, other = passwords(tmp_path), passwords(tmp_path / "other")
    assert len({one.user, one.admin, other.user, other.admin}) == 4
    assert len(one.user) == 19  # 16 signs of 5 bits
    assert len(one.admin) >= 32
    assert set(one.user) <= {*ALPHABET, "-"}
    assert len(ALPHABET) == 32


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    passwords(tmp_path)
    (tmp_path / FILE).chmod(0o640)
    with pytest.raises(Refused, match=f"chmod 600 {tmp_path / FILE}"):
        passwords(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"user": "x"}',
        json.dumps({"user": "short", "admin": "a" * 32}),
        json.dumps({"user": "u" * 8, "admin": "a" * 31}),
        json.dumps({"user": "a" * 32, "admin": "a" * 32}),
    ],
)
def test_a_file_that_is_no_such_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    (tmp_path / FILE).chmod(0o600)
    with pytest.raises(Refused, match=f"Remove {tmp_path / FILE} for new passwords"):
        passwords(tmp_path)


def test_passwords_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(json.dumps({"user": "u" * 8, "admin": "a" * 32}))
    (tmp_path / FILE).chmod(0o600)
    assert passwords(tmp_path).user == "u" * 8
