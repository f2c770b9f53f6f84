"""`--files`: which files of the notebook's folder travel, and what is refused before anything is created.

Paths and globs are relative to the notebook's folder, and the layout below it is kept. A file that is named travels;
what a folder or a glob brings is filtered by `.kubeignore`. A link travels as what it points at, so a link is also the
way to bring what lies elsewhere.
"""

from __future__ import annotations

import difflib
import glob
import os
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kube_magics.cells.files.cargo import Carried
from kube_magics.cells.files.ignore import Ignores
from kube_magics.errors import OptionError
from kube_magics.spec.quantities import human_bytes

MOST_FILES = 5_000
MOST_BYTES = 64 * 1024 * 1024
"""Before packing. What may travel is decided on the packed bundle; more than this is not even read."""
MOST_NAMED = 5
INSTEAD = (
    "put data onto a volume (--volume CLAIM:/data), or name fewer files; a .kubeignore file keeps back what a"
    " folder need not bring"
)


@dataclass(frozen=True)
class Files:
    """All files of `--files`."""

    files: tuple[Carried, ...] = ()
    left_out: tuple[str, ...] = ()
    "what cannot be copied and was not named itself: links that point nowhere, sockets"

    def warnings(self) -> tuple[str, ...]:
        """One line that names some of what is left out."""
        if not self.left_out:
            return ()
        more = len(self.left_out) - MOST_NAMED
        named = ", ".join(self.left_out[:MOST_NAMED])
        return (f"--files: left out {named}" + (f" and {more:,} more" if more > 0 else ""),)


def gather(asked: Sequence[str], folder: Path, most_files: int = MOST_FILES) -> Files:
    """The files that `asked` names, sorted by path; raises OptionError for what is not there or cannot travel."""
    if not asked:
        return Files()
    walk = _Walk(folder, most_files)
    for text in asked:
        walk.add(text)
    walk.check_size()
    return Files(tuple(walk.read(path) for path in sorted(walk.found)), tuple(walk.left_out))


class _Walk:
    def __init__(self, folder: Path, most_files: int) -> None:
        self._most_files = most_files
        self.folder = Path(os.path.abspath(folder))  # noqa: PTH100 - resolve() would leave the folder through links
        self.found: dict[str, os.stat_result] = {}
        "by path, relative to the folder"
        self.left_out: list[str] = []
        self._ignores = Ignores(self.folder)

    def add(self, text: str) -> None:
        path = self._inside(text)
        before = len(self.found)
        known = set(self.found)
        there = self.folder / path
        if os.path.lexists(there):
            self._named(text, path, there)
            if len(self.found) == before and there.is_dir() and not self._any_known(path, known):
                raise OptionError(
                    f"--files {text}: the folder holds no file that would travel.",
                    hint="name the file itself, or take it out of .kubeignore with a line !NAME",
                )
            return
        matched = list(self._globbed(path)) if glob.has_magic(path) else []
        if not matched:
            raise OptionError(f"--files {text}: there is no such file in {self.folder}.", hint=_nearest(path, there))
        for each in matched:
            inner = self.folder / each
            is_folder = inner.is_dir()
            if each != "." and self._ignores.on_the_way(each, folder=is_folder):
                continue
            if is_folder:
                self._folder(each, self._ignores_of(each), ())
            else:
                self._file(each, inner, named=False)
        if len(self.found) == before and not any(self._any_known(each, known) for each in matched):
            raise OptionError(
                f"--files {text}: all that it matches is kept back by .kubeignore.",
                hint="name the file itself, or take it out of .kubeignore with a line !NAME",
            )

    def _any_known(self, path: str, known: set[str]) -> bool:
        """Whether an earlier pattern brought this already."""
        return path in known or any(each.startswith("" if path == "." else path + "/") for each in known)

    def _inside(self, text: str) -> str:
        """The path relative to the notebook's folder, with `/`."""
        full = os.path.normpath(self.folder / Path(text).expanduser())
        path = os.path.relpath(full, self.folder).replace(os.sep, "/")
        if _outside(path):
            # Typed through a link, or the folder is one itself.
            real = os.path.relpath(os.path.realpath(full), os.path.realpath(self.folder)).replace(os.sep, "/")
            path = path if _outside(real) else real
        if _outside(path):
            raise OptionError(
                f"--files {text}: it is outside the notebook's folder, {self.folder}.",
                hint=f'link it: !ln -s "{full}" .   and then --files {os.path.basename(full)}',  # noqa: PTH119
            )
        return path

    def _named(self, text: str, path: str, there: Path) -> None:
        if there.is_dir():
            self._folder(path, self._ignores_of(path), ())
        elif there.is_file():
            self._file(path, there, named=True)
        else:
            what = "a link that points nowhere" if there.is_symlink() else "neither a file nor a folder"
            raise OptionError(f"--files {text}: it is {what}.", hint="correct it, or leave it out")

    def _ignores_of(self, path: str) -> Ignores:
        rules, parts = self._ignores, [] if path == "." else path.split("/")
        for depth in range(1, len(parts) + 1):
            rules = rules.below("/".join(parts[:depth]))
        return rules

    def _folder(self, path: str, rules: Ignores, above: tuple[tuple[int, int], ...]) -> None:
        there = self.folder / path
        try:
            status = there.stat()
            entries = sorted(os.scandir(there), key=lambda entry: entry.name)
        except OSError as error:
            raise _unreadable(path, error) from error
        identity = (status.st_dev, status.st_ino)
        if identity in above:
            return  # a link to a folder that it is in itself
        for entry in entries:
            inner = entry.name if path == "." else f"{path}/{entry.name}"
            is_folder = entry.is_dir()
            if rules.ignored(inner, folder=is_folder):
                continue
            if is_folder:
                self._folder(inner, rules.below(inner), (*above, identity))
            else:
                self._file(inner, Path(entry.path), named=False)

    def _file(self, path: str, there: Path, *, named: bool) -> None:
        try:
            status = there.stat()
        except OSError as error:
            if not named and there.is_symlink():
                self.left_out.append(f"{path} (a link that points nowhere)")
                return
            raise _unreadable(path, error) from error
        if not stat.S_ISREG(status.st_mode):
            self.left_out.append(f"{path} (no file)")
            return
        try:
            path.encode()
        except UnicodeEncodeError:
            shown = path.encode("utf-8", "backslashreplace").decode()
            raise OptionError(
                f"--files: the name of {shown} is no UTF-8 text.", hint="rename it, or keep it back by .kubeignore"
            ) from None
        self.found[path] = status
        if len(self.found) > self._most_files:
            raise OptionError(
                f"--files: more than {self._most_files:,} files; most of them in {self._fullest()}.", hint=INSTEAD
            )

    def _fullest(self) -> str:
        counted = Counter(path.split("/")[0] + "/" if "/" in path else "the folder itself" for path in self.found)
        return ", ".join(f"{name} ({count:,})" for name, count in counted.most_common(3))

    def _globbed(self, pattern: str) -> Iterator[str]:
        found = glob.iglob(pattern, root_dir=self.folder, recursive=True)  # noqa: PTH207 - Path.glob has no hidden files
        for number, each in enumerate(found):
            if number > 20 * self._most_files:
                raise OptionError(f"--files {pattern}: it matches too many files to look at them all.", hint=INSTEAD)
            yield os.path.normpath(each).replace(os.sep, "/")

    def check_size(self) -> None:
        total = sum(status.st_size for status in self.found.values())
        if total > MOST_BYTES:
            largest = sorted(self.found, key=lambda path: -self.found[path].st_size)[:5]
            named = ", ".join(f"{path} ({human_bytes(self.found[path].st_size)})" for path in largest)
            raise OptionError(
                f"--files: {len(self.found):,} files of {human_bytes(total)} are too much to travel with a job; the"
                f" largest: {named}.",
                hint=INSTEAD,
            )

    def read(self, path: str) -> Carried:
        there = self.folder / path
        try:
            data = there.read_bytes()
        except OSError as error:
            raise _unreadable(path, error) from error
        return Carried(path, data, str(there), bool(self.found[path].st_mode & stat.S_IXUSR))


def _outside(path: str) -> bool:
    return path == ".." or path.startswith("../")


def _unreadable(path: str, error: OSError) -> OptionError:
    return OptionError(
        f"--files: {path} cannot be read: {error.strerror}.", hint="allow reading it (chmod), or leave it out"
    )


def _nearest(path: str, there: Path) -> str:
    """What was probably meant: the nearest name in the deepest folder of the path that exists."""
    folder, missing = there.parent, there.name
    while not folder.is_dir() and folder != folder.parent:
        folder, missing = folder.parent, folder.name
    names = sorted(entry.name for entry in os.scandir(folder)) if folder.is_dir() else []
    close = difflib.get_close_matches(missing, names, 1)
    if not close:
        return "paths and globs are relative to the notebook's folder: --files data,config.yaml"
    rest = os.path.relpath(there, folder).replace(os.sep, "/")
    start, meant = path[: len(path) - len(rest)], close[0]
    whole = meant + rest[len(missing) :]
    if (folder / whole).exists() or glob.glob(whole, root_dir=folder):  # noqa: PTH207 - as above
        meant = whole
    return f"--files {start}{meant}"
