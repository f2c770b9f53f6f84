"""A script becomes a program: which words mean one, what it takes along, where its modules are looked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kube_magics.cells import bundle
from kube_magics.cells.capture import Capture
from kube_magics.cells.files import chosen
from kube_magics.cells.script import capture_script, is_path
from kube_magics.errors import CellError
from kube_magics.runner import unpack


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "train.py").write_text(
        "import sys, pathlib, kms_near\nimport numpy\nprint(sys.argv, kms_near.X, __name__)\n"
        "here = pathlib.Path(__file__).with_name('data.txt')\nprint(here.read_text() if here.exists() else '')\n"
    )
    (tmp_path / "src" / "kms_near.py").write_text("X = 'near'\n")
    (tmp_path / "kms_near.py").write_text("X = 'far'\n")
    (tmp_path / "src" / "numpy").mkdir()
    (tmp_path / "src" / "data.txt").write_text("data")
    (tmp_path / "tool").write_text("print('no suffix')")
    return tmp_path


def there(captured: Capture, folder: Path) -> str:
    unpack.unpack(bundle.build(captured, {}).data, str(folder))
    (folder / "results").mkdir()
    done = subprocess.run(
        [sys.executable, str(folder / "main.py")], cwd=folder / "work", capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("src/train.py", True),
        ("tool", True),
        ("./x", True),
        ("../x", True),
        ("/x/y", True),
        ("~/x", True),
        ("src/none", True),
        ("none.py", True),
        ("none.ipynb", True),
        ("busybox", False),
        ("team/torch:2.6", False),
        ("registry.example:5000/team/torch@sha256:0", False),
        ("src", False),
    ],
)
def test_which_words_mean_a_file(folder: Path, text: str, expected: bool) -> None:
    assert is_path(text, folder) is expected


def test_a_script_and_what_it_imports(folder: Path, tmp_path: Path) -> None:
    captured = capture_script("src/train.py", ["--lr", "1"], folder)
    assert captured.summary() == "travels: src/train.py (182 B), modules: kms_near (11 B)"
    assert set(captured.imports) == {"numpy"}
    with_data = captured.with_files(chosen.gather(["src/data.txt"], folder))
    assert there(with_data, tmp_path / "job") == "['src/train.py', '--lr', '1'] near __main__\ndata\n"
    assert captured.files(None)["work/src/train.py"] == str(folder / "src/train.py")


def test_a_script_from_elsewhere(folder: Path, tmp_path: Path) -> None:
    captured = capture_script("../train.py", [], folder / "src" / "numpy")
    assert captured.program["statements"][0]["file"] == "work/train.py"
    captured = capture_script(str(folder / "tool"), [], folder / "src")
    assert there(captured, tmp_path / "job") == "no suffix\n"


def test_digests(folder: Path) -> None:
    def digest(*arguments: str) -> str:
        return capture_script("src/train.py", arguments, folder).cell_digest

    seen = {digest(), digest("1"), digest("1")}
    (folder / "src" / "kms_near.py").write_text("X = 'other'\n")
    seen.add(digest())
    (folder / "src" / "train.py").write_text("print(1)\n")
    seen.add(digest())
    assert len(seen) == 4


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.py", b"x = 1\nfor\n", "a.py, line 2: invalid syntax: for"),
        ("a.py", b"x = '\xe9'\n", "a.py, line "),
        ("a.py", b"\0", "a.py"),
        ("a.sh", b"echo $HOME/x\n", "a.sh is no Python: line 1"),
    ],
)
def test_what_is_no_python(folder: Path, name: str, content: bytes, message: str) -> None:
    (folder / name).write_bytes(content)
    with pytest.raises(CellError, match=message) as caught:
        capture_script(name, [], folder)
    assert caught.value.hint
