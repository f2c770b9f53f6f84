"""`--files`: what travels, where it stands, what is kept back, and what is refused."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from kube_magics.cells import bundle
from kube_magics.cells.files import chosen
from kube_magics.errors import OptionError
from kube_magics.runner import unpack
from tests.cells.book import Book


def folder(at: Path, content: Mapping[str, str]) -> Path:
    for name, text in content.items():
        path = at / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return at


TREE = {
    "config.yaml": "lr: 1",
    "data/a.csv": "a",
    "data/b.csv": "b",
    "data/deep/c.csv": "c",
    "data/deep/notes.txt": "n",
    ".git/HEAD": "x",
    ".env": "TOKEN=1",
    "__pycache__/m.pyc": "x",
    ".kube_magics/logs/a.log": "x",
    "env/pyvenv.cfg": "",
    "env/lib/site.py": "x",
    "we[i]rd.txt": "w",
}


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("config.yaml", "config.yaml"),
        ("./data/../config.yaml", "config.yaml"),
        ("data", "data/a.csv data/b.csv data/deep/c.csv data/deep/notes.txt"),
        ("data/", "data/a.csv data/b.csv data/deep/c.csv data/deep/notes.txt"),
        ("data/*.csv", "data/a.csv data/b.csv"),
        ("data/*", "data/a.csv data/b.csv data/deep/c.csv data/deep/notes.txt"),
        ("**/*.csv", "data/a.csv data/b.csv data/deep/c.csv"),
        ("data/deep,config.yaml,data/deep/c.csv", "config.yaml data/deep/c.csv data/deep/notes.txt"),
        (".", "config.yaml data/a.csv data/b.csv data/deep/c.csv data/deep/notes.txt we[i]rd.txt"),
        ("**", "config.yaml data/a.csv data/b.csv data/deep/c.csv data/deep/notes.txt we[i]rd.txt"),
        (".env", ".env"),
        ("we[i]rd.txt", "we[i]rd.txt"),
    ],
)
def test_what_travels(tmp_path: Path, asked: str, expected: str) -> None:
    found = chosen.gather(asked.split(","), folder(tmp_path, TREE))
    assert [each.path for each in found.files] == expected.split()
    assert {each.path: each.data.decode() for each in found.files}.items() <= TREE.items()


def test_an_absolute_path_inside_the_folder(tmp_path: Path) -> None:
    folder(tmp_path, TREE)
    for asked in (tmp_path / "data" / "a.csv", tmp_path.parent / tmp_path.name / "data" / "a.csv"):
        assert [each.path for each in chosen.gather([str(asked)], tmp_path).files] == ["data/a.csv"]
    (tmp_path.parent / "linked").symlink_to(tmp_path)
    through = str(tmp_path.parent / "linked" / "data" / "a.csv")
    assert [each.path for each in chosen.gather([through], tmp_path).files] == ["data/a.csv"]


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({".kubeignore": "*.csv"}, "config.yaml data/deep/notes.txt we[i]rd.txt"),
        ({".kubeignore": "/data\n"}, "config.yaml we[i]rd.txt"),
        ({".kubeignore": "*.csv\n!b.csv"}, "config.yaml data/b.csv data/deep/notes.txt we[i]rd.txt"),
        (
            {".kubeignore": "*.csv", "data/deep/.kubeignore": "!c.csv\nnotes.txt"},
            "config.yaml data/deep/c.csv we[i]rd.txt",
        ),
        ({".kubeignore": "!.env\ndata/"}, ".env config.yaml we[i]rd.txt"),
    ],
)
def test_a_kubeignore_file_is_heeded(tmp_path: Path, rules: dict[str, str], expected: str) -> None:
    folder(tmp_path, TREE | rules)
    for asked in (".", "**"):
        found = [each.path for each in chosen.gather([asked], tmp_path).files]
        assert found == [name for name in expected.split() if asked == "." or not name.startswith(".")]


def test_what_is_named_travels_whatever_kubeignore_says(tmp_path: Path) -> None:
    folder(tmp_path, TREE | {".kubeignore": "*"})
    assert [each.path for each in chosen.gather(["data/a.csv"], tmp_path).files] == ["data/a.csv"]


@pytest.mark.parametrize(
    ("asked", "message", "hint"),
    [
        ("dta/a.csv", "--files dta/a.csv: there is no such file in", "--files data/a.csv"),
        ("dta/*.csv", "there is no such file", "--files data/*.csv"),
        ("dta/deep/c.tsv", "there is no such file", "--files data"),
        ("data/a.cvs", "there is no such file", "--files data/a.csv"),
        ("*.json", "there is no such file", "relative to the notebook's folder"),
        ("../elsewhere", "outside the notebook's folder", 'ln -s "'),
        ("/etc/passwd", "outside the notebook's folder", 'ln -s "/etc/passwd"'),
        ("data/../../x", "outside the notebook's folder", "ln -s"),
        (".git/*,env", "kept back by .kubeignore", "a line !NAME"),
        ("hollow", "holds no file that would travel", "name the file itself"),
        ("nowhere", "a link that points nowhere", "leave it out"),
    ],
)
def test_what_is_refused(tmp_path: Path, asked: str, message: str, hint: str) -> None:
    folder(tmp_path, TREE)
    (tmp_path / "hollow").mkdir()
    (tmp_path / "nowhere").symlink_to("gone")
    with pytest.raises(OptionError, match=message) as caught:
        chosen.gather(asked.split(","), tmp_path)
    assert caught.value.hint is not None
    assert hint in caught.value.hint


def test_the_same_file_by_two_patterns_is_no_error(tmp_path: Path) -> None:
    folder(tmp_path, TREE)
    found = chosen.gather(["data", "data/*.csv", "data", "**/a.csv"], tmp_path)
    assert len(found.files) == 4


def test_links_travel_as_what_they_point_at(tmp_path: Path) -> None:
    elsewhere = folder(tmp_path / "elsewhere", {"x.txt": "x", "deep/y.txt": "y"})
    here = folder(tmp_path / "here", {"a.txt": "a"})
    (here / "x.txt").symlink_to(elsewhere / "x.txt")
    (here / "more").symlink_to(elsewhere)
    (elsewhere / "round").symlink_to(elsewhere)
    (here / "nowhere").symlink_to("gone")
    os.mkfifo(here / "pipe")
    found = chosen.gather(["."], here)
    assert {each.path: each.data for each in found.files} == {
        "a.txt": b"a",
        "more/deep/y.txt": b"y",
        "more/x.txt": b"x",
        "x.txt": b"x",
    }
    assert found.left_out == ("nowhere (a link that points nowhere)", "pipe (no file)")
    assert found.warnings() == ("--files: left out nowhere (a link that points nowhere), pipe (no file)",)


def test_of_many_that_are_left_out_some_are_named() -> None:
    found = chosen.Files(left_out=tuple(f"f{number} (no file)" for number in range(1234)))
    (line,) = found.warnings()
    assert line.endswith("f3 (no file), f4 (no file) and 1,229 more")
    assert chosen.Files().warnings() == ()


def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.txt")).write_text("x")
    with pytest.raises(OptionError, match=r"the name of caf\\udce9.txt is no UTF-8 text"):
        chosen.gather(["."], tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="a file that not even root can read")
def test_an_unreadable_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").symlink_to("/proc/self/mem")
    with pytest.raises(OptionError, match=r"a\.txt cannot be read: Input/output error"):
        chosen.gather(["."], tmp_path)


def test_too_many_and_too_large(tmp_path: Path) -> None:
    folder(tmp_path, {f"many/{number}": "" for number in range(20)})
    with (tmp_path / "big.bin").open("wb") as file:
        file.truncate(chosen.MOST_BYTES + 1)
    with pytest.raises(OptionError, match=r"1 files of 67.1 MB are too much .* big.bin \(67.1 MB\)") as caught:
        chosen.gather(["big.bin"], tmp_path)
    assert "--volume CLAIM:/data" in str(caught.value)
    with pytest.raises(OptionError, match=r"more than 10 files; most of them in many/ \(11\)"):
        chosen.gather(["many"], tmp_path, most_files=10)


def test_files_in_the_bundle(tmp_path: Path) -> None:
    here = folder(tmp_path / "here", TREE | {"run.sh": "#!/bin/sh\n"})
    (here / "run.sh").chmod(0o755)
    captured = Book().capture("1").with_files(chosen.gather(["data", "run.sh"], here))
    assert captured.summary() == "travels: files: 5 (14 B)"
    made = bundle.build(captured, {})
    assert 0 < made.files_bytes < made.size_bytes
    unpack.unpack(made.data, str(tmp_path / "there"))
    work = tmp_path / "there" / "work"
    assert (work / "data/deep/c.csv").read_text() == "c"
    assert [os.access(work / name, os.X_OK) for name in ("run.sh", "data/a.csv")] == [True, False]


def test_files_are_part_of_the_cells_digest(tmp_path: Path) -> None:
    folder(tmp_path, TREE)
    plain = Book().capture("1")

    def digest() -> str:
        return plain.with_files(chosen.gather(["data"], tmp_path)).cell_digest

    first = digest()
    assert first == digest() != plain.cell_digest
    (tmp_path / "data/a.csv").write_text("other")
    second = digest()
    (tmp_path / "data/a.csv").chmod(0o755)
    assert len({first, second, digest()}) == 3
    assert plain.with_files(chosen.gather([], tmp_path)) is plain
