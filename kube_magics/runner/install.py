"""The install step: packages that the image lacks, into a folder that the program finds before the image's own.

`main` runs in a process of its own, in the image's interpreter. What is installed in the image counts as installed, and
stays as it is: nothing that comes along with a package replaces it. Only what was asked for by name may stand in front
of the image's, with what that brings along itself.
"""

from __future__ import annotations

import contextlib
import os
import sys

from . import quickjson
from .distributions import Installed, installed, plain
from .installers import Installer, NoInstaller, installer
from .launch import PACKAGES, PACKAGES_AUTO
from .refusals import explain
from .shelf import Shelf
from .venv import Environment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

AUTO, ASKED = "auto", "asked"
QUOTED_LINES = 8


def main() -> int:
    """`auto REQUIREMENT...`: what the program lacks; `asked`: what spec.json lists, `more` being for features of ours.

    The exit code.
    """
    folder = sys.path[0]
    plan = quickjson.read_file(os.path.join(folder, "spec.json"))["install"]
    mode, *wanted = sys.argv[1:]
    if mode == AUTO:
        target, limits, lines = os.path.join(folder, PACKAGES_AUTO), [], wanted
    else:
        target, limits = os.path.join(folder, PACKAGES), plan["constraints"]
        lines = [*plan["requirements"], *plan["more"]]
    have = installed()
    if all(have.satisfies(line) for line in lines):
        return 0
    try:
        install(target, lines, [*limits, *have.constraints(lines)], have, Shelf(plan.get("cache")))
    except NoInstaller:
        if mode == AUTO or not plan["requirements"]:
            return 0  # whoever misses them, the program or another step, says what
        return failed("neither pip nor uv is in the image to install packages with", [], "--image with pip or uv in it")
    except InstallError as error:
        sentence, said, fix = explain(error.said, lines, have)
        return failed(sentence if mode == ASKED else f"the image lacks {listed(lines)}, and {sentence}", said, fix)
    return 0


class InstallError(Exception):
    """The installer ended with an error; `said` is what it said."""

    def __init__(self, said: str) -> None:
        super().__init__(said)
        self.said = said


def install(target: str, lines: list[str], limits: list[str], have: Installed, shelf: Shelf) -> None:
    """Put `lines` at `target`: from the shelf, or by the installer, and then onto the shelf."""
    key = shelf.key(lines, limits)
    if shelf.take(key, target):
        tell(f"from the cache: {listed(lines)}")
        return
    by = installer()
    tell(f"installing {listed(lines)} ({by.name})")
    place = shelf.place(key)
    if place is not None:
        said = run(by, place, lines, limits, have, compiled=True)
        if said is None:
            shelf.put(place, key, target)
            return
        shelf.drop(place)
        if "No space left" not in said:
            raise InstallError(said)
        shelf.problems.append("the cache is full")
    for problem in shelf.problems:
        tell(f"{problem}: these packages are installed for this job alone")
    said = run(by, target, lines, limits, have, compiled=False)
    if said is not None:
        raise InstallError(said)


def run(
    by: Installer, place: str, lines: list[str], limits: list[str], have: Installed, *, compiled: bool
) -> str | None:
    """An environment at `place` with `lines` in it; None, or what an installer said that failed."""
    try:
        environment = Environment(place)
        if by.looks_nowhere_else:
            environment.pretend(have)
        said = by.run(environment, lines, limits, compiled=compiled)
        environment.reveal()
        environment.movable()
    except OSError as error:
        return str(error)
    return said


def listed(lines: list[str]) -> str:
    """Requirements as people read them: `tqdm 4.70.1, scipy`."""
    wanted = [line.partition(" --hash")[0].strip() for line in lines if not line.startswith("-")]
    return ", ".join(line.replace("==", " ") if plain(line.partition("==")[0]) else line for line in wanted)


def tell(text: str) -> None:
    print(text, flush=True)  # noqa: T201  (what a step prints is shown)


def failed(sentence: str, said: list[str], fix: str) -> int:
    """Leave word for the notebook."""
    error: dict[str, Any] = {
        "type": "InstallError",
        "module": "kube_magics_runner",
        "message": sentence,
        "frames": [],
        "text": "\n".join(said[-QUOTED_LINES:]),
        "exit": None,
        "reason": "install",
        "fix": fix,
    }
    sys.stderr.write(f"{sentence}\n")
    with contextlib.suppress(OSError):  # a full disk: the runner takes the line above
        quickjson.write_file(os.path.join(os.environ["KUBE_MAGICS_RESULTS"], "error.json"), error)
    return 1
