"""`.kubeignore` keeps back what git would: trees and rules by chance, compared with git itself."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

from kube_magics.cells.files import chosen
from kube_magics.errors import OptionError

LINES = (
    *("a", "a/", "/a", "*.txt", "!c.txt", "**/b", "a/**", "!a/c.txt", "b/*.py", "!*.py", "/b/c.txt", "d*", "a/b"),
    *("*/a", "[ab]/c.txt", "!a/", "**/a/*.txt", "*", "!*/", "# c.txt", "\\!x", "a/**/c.txt", "x/ "),
)


def tree(folder: Path, chance: random.Random) -> None:
    for _ in range(25):
        above = [chance.choice("abx") for _ in range(chance.randint(0, 3))]
        path = folder.joinpath(*above, chance.choice(["c.txt", "d.txt", "e.py", "f"]))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    for place in ("", chance.choice("abx")):
        if (folder / place).is_dir():
            lines = chance.sample(LINES, chance.randint(1, 4))
            (folder / place / ".kubeignore").write_text("\n".join(lines) + "\n")


def as_git(folder: Path) -> list[str]:
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    listed = subprocess.run(
        ["git", "ls-files", "--others", "--exclude-per-directory=.kubeignore"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    return sorted(name for name in listed if not name.endswith(".kubeignore"))


def compare(folder: Path, seeds: range) -> None:
    for seed in seeds:
        here = folder / str(seed)
        here.mkdir()
        tree(here, random.Random(seed))
        try:
            found = [each.path for each in chosen.gather(["."], here).files]
        except OptionError:
            found = []
        rules = {str(path.relative_to(here)): path.read_text() for path in here.rglob(".kubeignore")}
        assert sorted(found) == as_git(here), (seed, rules)


def test_what_git_keeps_back(tmp_path: Path) -> None:
    compare(tmp_path, range(12))


@pytest.mark.long
def test_what_git_keeps_back_in_many_trees(tmp_path: Path) -> None:
    compare(tmp_path, range(1000, 1500))
