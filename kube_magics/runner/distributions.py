"""What is installed in the image, and what of a list of requirements that settles."""

from __future__ import annotations

import re
from importlib import metadata

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
PLAIN = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*?)\s*(?:===?\s*([^\s,;*]+))?")
VERSION = re.compile(r"(?:\d+!)?\d+(?:\.\d+)*(?:(?:a|b|rc)\d+)?(?:\.post\d+)?(?:\.dev\d+)?(?:\+[A-Za-z0-9.]+)?")
"""As PEP 440 writes them; what other tools have left in an image cannot be said to an installer."""


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def plain(text: str) -> bool:
    """A name and nothing else."""
    return NAME.fullmatch(text.strip()) is not None


def required(line: str) -> str:
    """The canonical name in a requirement, also in `name @ URL` and in a wheel's URL; "" where there is none."""
    if "://" in line and "@" not in line.partition("://")[0]:
        line = line.rpartition("/")[2].partition("-")[0]
    match = NAME.match(line)
    return canonical(match[0]) if match else ""


class Installed:
    """Distributions by canonical name: version and names of what each needs."""

    def __init__(self, found: dict[str, tuple[str, list[str]]]) -> None:
        self.found = found

    def satisfies(self, line: str) -> bool:
        """Whether that is sure without asking an installer: a name, or one version of it."""
        match = PLAIN.fullmatch(line.strip())
        if match is None or canonical(match[1]) not in self.found:
            return False
        version = self.found[canonical(match[1])][0]
        return match[2] is None or match[2] in (version, version.partition("+")[0])

    def constraints(self, lines: Iterable[str]) -> list[str]:
        """Everything installed at its version, but for what is asked for and what of that is there already."""
        free = self._closure({required(line) for line in lines})
        return [f"{name}=={version}" for name, (version, _) in sorted(self.found.items()) if name not in free]

    def _closure(self, names: set[str]) -> set[str]:
        closed: set[str] = set()
        while names - closed:
            name = (names - closed).pop()
            closed.add(name)
            names = names | set(self.found.get(name, ("", []))[1])
        return closed


def installed() -> Installed:
    """As the image's interpreter finds them: of two of a name, the first on sys.path."""
    found: dict[str, tuple[str, list[str]]] = {}
    for distribution in metadata.distributions():
        name = canonical(distribution.metadata["Name"] or "")
        if name and name not in found and VERSION.fullmatch(distribution.version or ""):
            needs = [line for line in distribution.requires or () if "extra ==" not in line]
            found[name] = (distribution.version, [required(line) for line in needs])
    return Installed(found)
