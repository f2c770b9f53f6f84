"""What a folder keeps back: `.kubeignore` files, in gitignore's syntax, and what no job wants.

As with git, a `.kubeignore` holds for its own folder and those below it, the deeper one and the later line win, and
`!name` takes a name back out. The defaults are the outermost file of all, so `!.env` brings even that.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = ".kubeignore"
DEFAULTS = (
    # What version control, Python, notebooks and their tools keep for themselves.
    *(".git/", ".hg/", ".svn/", "__pycache__/", "*.pyc", ".ipynb_checkpoints/", ".kube_magics/", FILE),
    *(".venv/", "node_modules/", ".mypy_cache/", ".pytest_cache/", ".ruff_cache/", ".DS_Store"),
    # Where credentials are usually kept: a bundle can be read by whoever may read the namespace's ConfigMaps.
    *(".env", ".env.*", ".netrc", ".ssh/", ".aws/", ".kube/"),
)
VIRTUAL_ENVIRONMENT = "pyvenv.cfg"
"A folder with this file is one, whatever its name."


class _Rule:
    """One line. What it says of a folder is asked of the folder itself, so here only the entry's own name counts."""

    def __init__(self, pattern: Any, line: str) -> None:
        self.keeps_back: bool = pattern.include
        self._pattern = pattern
        plain = line.strip().removeprefix("!")
        self._by_name = "/" not in plain.rstrip("/")
        # `a/**` means all that is in a, and not a itself: the library takes it for both.
        self._around = _patterns("/" + plain[:-3].lstrip("/")) if plain.endswith("/**") else []

    def matches(self, path: str) -> bool:
        """Of a path relative to the rule's folder, with a `/` at its end if it is a folder."""
        if self._by_name:
            start = path.rstrip("/").rfind("/") + 1
            return self._pattern.match_file(path[start:]) is not None
        if self._around:
            return self._pattern.match_file(path) is not None and not _itself(self._around[0], path)
        return _itself(self._pattern, path)


def _patterns(line: str) -> list[Any]:
    """The pattern of a line; none for a comment."""
    from pathspec import GitIgnoreSpec  # most jobs bring no files, and need not wait for it

    return [each for each in GitIgnoreSpec.from_lines([line]).patterns if each.include is not None]


def _itself(pattern: Any, path: str) -> bool:
    """Whether a pattern matches this path, and not only a folder that it is in."""
    if pattern.match_file(path) is None:
        return False
    above = path.rstrip("/").split("/")[:-1]
    return not any(pattern.match_file("/".join(above[: end + 1]) + "/") for end in range(len(above)))


@dataclass(frozen=True)
class _Level:
    folder: str
    'relative, "" for the outermost'
    rules: tuple[_Rule, ...]


def _level(folder: str, lines: Iterable[str]) -> _Level:
    return _Level(folder, tuple(_Rule(pattern, line) for line in lines for pattern in _patterns(line)))


class Ignores:
    """The rules that hold in one folder; `below` gives those of a folder in it."""

    def __init__(self, root: Path, levels: tuple[_Level, ...] = (), folder: str = "") -> None:
        self._root = root
        self._levels = levels or (_level("", DEFAULTS),)
        rules = root / folder / FILE
        if rules.is_file():
            lines = rules.read_text("utf-8", "replace").splitlines()
            self._levels = (*self._levels, _level(folder, lines))

    def below(self, folder: str) -> Ignores:
        """The rules inside a folder, given by its path relative to the root."""
        return Ignores(self._root, self._levels, folder)

    def ignored(self, path: str, *, folder: bool) -> bool:
        """Whether a file or folder of this folder stays; `path` is relative to the root, with `/`."""
        if folder and (self._root / path / VIRTUAL_ENVIRONMENT).is_file():
            return True
        for level in reversed(self._levels):
            inside = path[len(level.folder) + 1 :] if level.folder else path
            for rule in reversed(level.rules):
                if rule.matches(inside + "/" if folder else inside):
                    return rule.keeps_back
        return False

    def on_the_way(self, path: str, *, folder: bool) -> bool:
        """As `ignored`, a folder that the path leads through included; asked of the root's rules."""
        rules, parts = self, path.split("/")
        for depth in range(1, len(parts)):
            above = "/".join(parts[:depth])
            if rules.ignored(above, folder=True):
                return True
            rules = rules.below(above)
        return rules.ignored(path, folder=folder)
