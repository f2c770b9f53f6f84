"""Requirements files: what travels of them, and what cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from kube_magics.cells.files.requirements import Requirements, check, read
from kube_magics.errors import OptionError


def written(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_the_whole_format(tmp_path: Path) -> None:
    text = """
# a comment
tqdm==4.70.1   # why
requests[socks] >= 2.31 ; python_version >= "3.8"
--extra-index-url https://index.example/simple#not-a-comment
https://host.example/x-1.0-py3-none-any.whl#sha256=00
here @ git+https://host.example/here@main
scipy==1.14 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
-r inner.txt
--constraint=limits.txt
"""
    folder = written(tmp_path, requirements=text, inner="-c more.txt\nnumpy", limits="numpy<3\n", more="pip<30")
    assert read("-r", "requirements.txt", folder) == Requirements(
        (
            "tqdm==4.70.1",
            'requests[socks] >= 2.31 ; python_version >= "3.8"',
            "--extra-index-url https://index.example/simple#not-a-comment",
            "https://host.example/x-1.0-py3-none-any.whl#sha256=00",
            "here @ git+https://host.example/here@main",
            "scipy==1.14     --hash=sha256:aa     --hash=sha256:bb",
            "numpy",
        ),
        ("pip<30", "numpy<3"),
    )


def test_nested_files_are_beside_the_one_that_names_them(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "one.txt").write_text("-r two.txt")
    (tmp_path / "deep" / "two.txt").write_text("a")
    assert read("-r", str(tmp_path / "deep" / "one.txt"), Path("/")) == Requirements(("a",))


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("-e .", "installed in place"),
        ("--editable=../lib", "installed in place"),
        ("./lib", "a path of this machine"),
        ("../lib/x.whl", "a path of this machine"),
        ("/opt/x.whl", "a path of this machine"),
        ("wheels/x-1.0-py3-none-any.whl", "a path of this machine"),
        ("x-1.0-py3-none-any.whl", "a path of this machine"),
        ("file:///opt/x.whl", "a path of this machine"),
        ("x @ file:///opt/x.whl", "a path of this machine"),
        ("--find-links wheels", "a path of this machine"),
        ("--index-url https://me:secret@index.example/simple", "holds credentials"),
        ("x @ https://a1b2c3d4@index.example/x.whl", "holds credentials"),
        ("x @ https://me:pa$$word@index.example/x.whl", "holds credentials"),
        (f"x @ git+https://ghp_{'a1' * 18}@github.com/me/x", "holds credentials"),
        ("numpy=1.26", "is no requirement"),
        ("numpy 1.26", "is no requirement"),
        ("numpy==", "is no requirement"),
        ("numpy>=1.26,<", "is no requirement"),
        ("numpy => 1.26", "is no requirement"),
        ("import numpy", "is no requirement"),
        ("numpy, scipy", "is no requirement"),
        ("!pip install numpy", "is no requirement"),
        ("name: env", "is no requirement"),
        ("--frobnicate", "is no requirement"),
        ("<html>", "is no requirement"),
        ("numpy[", "is no requirement"),
        ("-r absent.txt", "which requirements.txt names, cannot be read: No such file"),
        ("-r requirements.txt", "the file names itself"),
    ],
)
def test_what_cannot_travel_is_named_with_its_line(tmp_path: Path, line: str, told: str) -> None:
    folder = written(tmp_path, requirements=f"tqdm\n\n{line}\n")
    with pytest.raises(OptionError, match=told) as caught:
        read("-r", "requirements.txt", folder)
    assert caught.value.hint
    assert "line 3" in caught.value.message or "absent.txt" in caught.value.message


@pytest.mark.parametrize(
    "line",
    [
        "tqdm",
        "x[a,b]~=1.0",
        "x @ https://h.example/x.whl",
        "--index-url https://${USER}:${PASSWORD}@i.example",
        "--pre",
        "torch == 2.6.*, != 2.6.1",
        "torch (>=2,<3)",
        "zope.interface",
        "a",
        "x_y-z===1.0+local",
        "x [a] >=1; python_version < '3.9' and sys_platform == 'linux'",
        "x>=1 --hash=sha256:aa --config-settings='k=v'",
        "x ; extra == 'y'",
        "https://h.example/x-1.0-py3-none-any.whl#sha256=00 ; python_version > '3'",
        "git+ssh://git@h.example/x.git@v1#egg=x",
        "${PACKAGE}",
        "-i https://index.example/simple",
        "-f https://index.example/wheels",
        "--no-binary=:all:",
        "--only-binary :all:",
        "--extra-index-url=https://i.example/simple",
        "--use-feature=fast-deps",
        "x>=1.0,",
        "Django!=1,>=1.0a1.dev2,<2!3.0",
    ],
)
def test_what_can(line: str) -> None:
    check("-r", line, "here")


@pytest.mark.parametrize("line", ["numpy=1.26", "numpy 1.26", "numpy[a]=1.26.*", "numpy = v1.26"])
def test_what_was_meant_is_suggested(line: str) -> None:
    with pytest.raises(OptionError) as caught:
        check("-r", line, "here")
    assert str(caught.value.hint).startswith("numpy")
    check("-r", str(caught.value.hint), "here")


def test_a_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="cannot be read: Is a directory"):
        read("-r", ".", tmp_path)
    (tmp_path / "x.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(OptionError, match="it is no text"):
        read("-r", "x.txt", tmp_path)
