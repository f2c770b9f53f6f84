"""Captured values hold on to the libraries that they were pickled with: compared before any of them is loaded.

Another patch release is taken for the same; a minor one may have moved or renamed what a pickle names.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class VersionSkew(Warning):
    """The libraries of captured values have other versions here."""


def skew(pickled: Mapping[str, str], versions: Mapping[str, str], there: str, here: str) -> str | None:
    """One sentence that names both sides; None where none of the libraries differs.

    `pickled`: module -> distribution and version `there` (`scikit-learn==1.9.1`); `versions`: module -> version `here`.
    """
    found = []
    for module, known in pickled.items():
        name, _, theirs = known.partition("==")
        ours = versions.get(module)
        if ours and theirs and minor(ours) != minor(theirs):
            found.append(f"{name} is {theirs} {there} and {ours} {here}")
    return "; ".join(found) or None


def minor(version: str) -> list[str]:
    """Of `1.26.4+label` the 1 and the 26."""
    return version.partition("+")[0].split(".")[:2]
