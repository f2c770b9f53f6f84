"""What a folder keeps back: `.kubeignore` files, in gitignore's syntax, and what no job wants.

As with git, a `.kubeignore` holds for its own folder and those below it, the deeper one and the later line win, and
`!name` takes a name back out. The defaults are the outermost file of all, so `!.env` brings even that.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pathspec import GitIgnoreSpec

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


@dataclass(frozen=True)
class _Level:
    folder: str
    'relative, "" for the outermost'
    spec: GitIgnoreSpec


class Ignores:
    """The rules that hold in one folder; `below` gives those of a folder in it."""

    def __init__(self, root: Path, levels: tuple[_Level, ...] = (), folder: str = "") -> None:
        self._root = root
        self._levels = levels or (_Level("", GitIgnoreSpec.from_lines(DEFAULTS)),)
        rules = root / folder / FILE
        if rules.is_file():
            lines = rules.read_text("utf-8", "replace").splitlines()
            self._levels = (*self._levels, _Level(folder, GitIgnoreSpec.from_lines(lines)))

    def below(self, folder: str) -> Ignores:
        """The rules inside a folder, given by its path relative to the root."""
        return Ignores(self._root, self._levels, folder)

    def ignored(self, path: str, *, folder: bool) -> bool:
        """Whether a file or folder of this folder stays; `path` is relative to the root, with `/`."""
        if folder and (self._root / path / VIRTUAL_ENVIRONMENT).is_file():
            return True
        for level in reversed(self._levels):
            inside = path[len(level.folder) + 1 :] if level.folder else path
            found = level.spec.check_file(inside + "/" if folder else inside).include
            if found is not None:
                return found
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
