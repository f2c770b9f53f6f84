"""How the pull of an image, and the start of its Python, have gone."""

from __future__ import annotations

from kube_magics.doctor.line import BROKEN, DEGRADED, Line, broken, degraded, ok
from kube_magics.spec.quantities import human_seconds
from kube_magics.telemetry.causes.cause import Cause

OLDEST_PYTHON = (3, 8)
CHECK = "image"


def pulled(image: str, python: str, notebooks: str, took_s: float) -> Line:
    """`python`: the version that the image's says; `notebooks`: this process's."""
    if not python[:1].isdigit():
        return degraded(CHECK, f"{image} runs, and did not say which Python it has.", None, python or None)
    theirs, mine = _minor(python), _minor(notebooks)
    if theirs < OLDEST_PYTHON:
        what = f"{image} has Python {python}: jobs need 3.8 or newer."
        return broken(CHECK, what, "--image with a newer one, or --python with another interpreter in it")
    text = f"{image} runs, with Python {python} ({human_seconds(took_s)} from its submit)"
    if theirs != mine:
        what = f"{text}; the notebook has {notebooks}: lambdas and closures cannot travel"
        return Line(DEGRADED, CHECK, what, f"--image with Python {mine[0]}.{mine[1]}, where they must")
    return ok(CHECK, text)


def failed(image: str, cause: Cause | None, waited_s: float, *, over: bool) -> Line:
    """`over`: it ended, and not well; else it has not come so far."""
    if cause is None:
        what = f"{image} does not run after {human_seconds(waited_s)}, and why is not known."
        return Line(DEGRADED, CHECK, what, "%kube doctor --pull   (again: a large image takes minutes)")
    fix = (cause.fix or "").replace("%kube logs NAME", "--image with a Python in it") or None
    state = BROKEN if over or cause.kind in ("image", "start") else DEGRADED
    return Line(state, CHECK, cause.sentence, fix, cause.said)


def _minor(version: str) -> tuple[int, int]:
    major, minor, *_ = version.split(".")
    return int(major), int(minor)
