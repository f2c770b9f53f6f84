"""Bytecode belongs to one minor version of Python: compared before any captured value is loaded."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NAMED = 4
REASON = "bytecode"


def mismatch(spec: dict[str, Any]) -> RuntimeError | None:
    """What to raise if this Python cannot run the captured bytecode: both versions, and what travels so."""
    here = ".".join(map(str, sys.version_info[:2]))
    there = ".".join(str(spec.get("notebook_python") or here).split(".")[:2])
    if here == there:
        return None
    error = RuntimeError(sentence(spec["bytecode"], there, here))
    error.kube_magics_reason = REASON  # type: ignore[attr-defined]
    return error


def sentence(places: list[list[str]], there: str, here: str) -> str:
    named = [f"{path} is {what}" for path, what in places[:NAMED]]
    if len(places) > NAMED:
        named.append(f"{len(places) - NAMED} more are alike")
    text = " and ".join(filter(None, [", ".join(named[:-1]), named[-1]]))
    they = "they travel" if len(places) > 1 else "it travels"
    return f"{text}: {they} as bytecode of Python {there}, and this image has Python {here}"
