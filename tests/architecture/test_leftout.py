"""Which files a run does not even import."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.leftout import is_left_out

ONE = "pytestmark = pytest.mark.jobs"
TWO = 'pytestmark = [\n    pytest.mark.jobs,\n    pytest.mark.skipif(True, reason="x"),\n]'
INSIDE = "@pytest.mark.jobs\ndef test(): ..."


@pytest.mark.parametrize("text", [ONE, TWO])
@pytest.mark.parametrize(
    ("expression", "left_out"),
    [
        ("not (cluster or jobs or long)", True),
        ("not jobs", True),
        ("not (cluster or job)", False),
        ("not jobs or cluster", False),
        ("alone and not jobs", False),
        ("jobs", False),
        ("", False),
    ],
)
def test_a_file_whose_tests_are_all_left_out(tmp_path: Path, text: str, expression: str, left_out: bool) -> None:
    path = tmp_path / "test_it.py"
    path.write_text(f"import pytest\n\n{text}\nX = 1\n")
    assert is_left_out(path, expression) == left_out


@pytest.mark.parametrize("name", ["test_it.py", "conftest.py", "test_folder"])
def test_what_else_there_is_stays(tmp_path: Path, name: str) -> None:
    (tmp_path / "test_folder").mkdir()
    (tmp_path / "test_it.py").write_text(f"{INSIDE}\n\n\ndef test_another(): ...\n")
    (tmp_path / "conftest.py").write_text(ONE)
    assert not is_left_out(tmp_path / name, "not jobs")
