"""Requirements files, as `-r` names them: read here, with the files that they name in turn, and sent along as text.

The format is pip's (https://pip.pypa.io/en/stable/reference/requirements-file-format/). What it says of indexes and
hashes travels as it is; what only this machine has (local paths, editable installs) cannot.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kube_magics.errors import OptionError
from kube_magics.spec.credentials import alone, kind

_COMMENT = re.compile(r"(^|\s+)#.*$")
_NESTED = re.compile(r"(-r|--requirement|-c|--constraint)[=\s]*(.+)")
_EDITABLE = re.compile(r"(-e|--editable)\b")
_LOCAL = re.compile(
    r"[.~/]|[A-Za-z]:\\|file:|[^\s@]+\s*@\s*(?:file:|[./~])|[\w.-]+/(?!/)|[\w.+-]+\.(?:whl|tar\.gz|zip)$"
)
_NAME = r"[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?"
_VERSION = r"(?:===|==|~=|!=|<=|>=|<|>)\s*[^\s,;()=<>~]+"
_REQUIREMENT = re.compile(
    rf"{_NAME}\s*(?:\[[\w\s.,-]*\])?\s*(?:@\s*\S+|\(?\s*{_VERSION}(?:\s*,\s*{_VERSION})*\s*,?\s*\)?)?"
    r"\s*(?:;.*|(?:\s--?[a-z].*)?)"
)
_URL = re.compile(r"[a-z][a-z0-9+.-]*://\S+.*", re.IGNORECASE)
_OPTION = re.compile(
    r"-[if]\b.*|--(?:(?:extra-)?index-url|no-index|find-links|no-binary|only-binary|prefer-binary|require-hashes|pre"
    r"|trusted-host|use-feature|config-settings?|global-option|hash)\b.*"
)
_NEARLY = re.compile(rf"({_NAME}(?:\[[^\]]*\])?)\s*(?:=|\s)\s*v?(\d[\w.*+!-]*)")
_LOCAL_LINKS = re.compile(r"(-f|--find-links)[=\s]*(?![=\s]|https?://)")


@dataclass(frozen=True)
class Requirements:
    """Lines as an installer takes them."""

    lines: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    """Limits of what these bring along (`-c`)."""


def read(option: str, path: str, folder: Path) -> Requirements:
    """The file `path`, relative to `folder`; raises OptionError for what cannot travel, with its file and line."""
    return _read(option, folder / Path(path).expanduser(), (), constraint=False)


def check(option: str, line: str, where: str) -> None:
    """Raises OptionError for what is no requirement, and for one that only this machine could install."""
    if _EDITABLE.match(line):
        raise OptionError(
            f"{option}: {where}: {line!r} is installed in place, and that place is here.",
            hint="leave the line out: local modules travel by themselves when the cell imports them",
        )
    if _LOCAL.match(line) or _LOCAL_LINKS.match(line):
        raise OptionError(
            f"{option}: {where}: {line!r} is a path of this machine.",
            hint="name the package, or its URL; local modules travel by themselves when the cell imports them",
        )
    if kind(line) is not None or alone(line):
        raise OptionError(
            f"{option}: {where}: the line holds credentials, which would be stored in the cluster for all to read.",
            hint="--secret NAME:KEY=PIP_INDEX_URL, with the URL in the Secret",
        )
    if not (_REQUIREMENT.fullmatch(line) or _URL.fullmatch(line) or _OPTION.fullmatch(line) or "${" in line):
        nearly = _NEARLY.fullmatch(line)
        fix = f"{nearly[1]}=={nearly[2]}" if nearly else "NAME, NAME==VERSION or NAME>=VERSION, one on a line"
        raise OptionError(f"{option}: {where}: {line!r} is no requirement.", hint=fix)


def _read(option: str, path: Path, above: tuple[Path, ...], *, constraint: bool) -> Requirements:
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        inside = f", which {above[-1].name} names" if above else ""
        why = getattr(error, "strerror", None) or "it is no text"
        raise OptionError(
            f"{option} {path}{inside}, cannot be read: {why}.", hint=f"{option} requirements.txt"
        ) from error
    lines: list[str] = []
    limits: list[str] = []
    for number, line in _logical(text):
        nested = _NESTED.fullmatch(line)
        if nested:
            inner = path.parent / nested[2].strip()
            if inner.resolve() in {other.resolve() for other in (*above, path)}:
                raise OptionError(f"{option}: {path.name}, line {number}: the file names itself.", hint="leave it out")
            found = _read(option, inner, (*above, path), constraint=nested[1] in ("-c", "--constraint"))
            lines += found.lines
            limits += found.constraints
        else:
            check(option, line, f"{path.name}, line {number}")
            (limits if constraint else lines).append(line)
    return Requirements(tuple(lines), tuple(limits))


def _logical(text: str) -> Iterator[tuple[int, str]]:
    """Lines without comments and continuations, each with the number of its first."""
    whole, first = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        first = first or number
        if line.endswith("\\") and not line.lstrip().startswith("#"):
            whole += line[:-1]
            continue
        whole = _COMMENT.sub("", whole + line).strip()
        if whole:
            yield first, whole
        whole, first = "", 0
    if whole.strip():
        yield first, whole.strip()
