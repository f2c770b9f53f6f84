"""What a job's environment gets besides what it has: plain values (`--env`), and references to Secrets (`--secret`).

A Secret's content is never read here and never travels: the pod refers to it by name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from kube_magics.errors import OptionError
from kube_magics.spec import names

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_KEY = re.compile(r"[-._A-Za-z0-9]+")
RESERVED = "KUBE_MAGICS_"
"""Variables of this prefix are the runner's own."""


@dataclass(frozen=True)
class Secret:
    """One `--secret`."""

    name: str
    """Of a Secret in the job's namespace."""
    key: str | None = None
    """One key of it; None: all of them, each as the variable of its name."""
    variable: str | None = None
    """The variable that gets the key's value; None exactly where `key` is."""

    def __str__(self) -> str:
        """As it is typed."""
        return self.name + (f":{self.key}={self.variable}" if self.key else "")


def variables(option: str, text: str) -> tuple[tuple[str, str], ...]:
    """One `NAME=VALUE`, as a pair in a tuple; the value may hold anything, also nothing."""
    name, equals, value = text.partition("=")
    if not _VARIABLE.fullmatch(name) or not equals:
        near = re.sub(r"\W", "_", name.strip()).lstrip("0123456789") or "NAME"
        raise OptionError(
            f"{option} {text!r} is not NAME=VALUE.", hint=f"{option} {near}={value.split()[0] if value.split() else 1}"
        )
    if name.startswith(RESERVED):
        raise OptionError(f"{option} {name}: {RESERVED}… are the job's own.", hint=f"{option} MY_{name}={value or 1}")
    return ((name, value),)


def secrets(option: str, text: str) -> tuple[Secret, ...]:
    """One `NAME` or `NAME:KEY=VARIABLE`, as a Secret in a tuple. `NAME:KEY` alone gives the variable the key's name."""
    name, colon, rest = text.partition(":")
    key, equals, variable = rest.partition("=")
    if not names.is_object(name):
        raise OptionError(f"{option} {name!r} is no Secret's name.", hint=f"{option} {names.stem(name, 63)}")
    if not colon:
        return (Secret(name),)
    if not equals:
        variable = re.sub(r"[-.]", "_", key)
    if not _KEY.fullmatch(key) or not _VARIABLE.fullmatch(variable) or variable.startswith(RESERVED):
        raise OptionError(
            f"{option} {text}: after the Secret's name comes KEY=VARIABLE.", hint=f"{option} {name}:token=TOKEN"
        )
    return (Secret(name, key, variable),)
