"""The hub's two passwords: made at the first start, kept in a file that its owner alone can read."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from onemachine.options import Refused

FILE = "passwords.json"
ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
"""32 signs, five bits each; without those that are taken for others when a password is read from paper."""
SHORTEST_USER, SHORTEST_ADMIN = 8, 32
"""JupyterHub's own limits, said here in a sentence."""


@dataclass(frozen=True)
class Passwords:
    user: str
    admin: str
    new: bool = False
    """Made just now: to be shown, this once."""


def passwords(state: Path) -> Passwords:
    """Those of the file; where there is none, new ones, kept before anybody is told."""
    path = state / FILE
    if not path.exists():
        made = Passwords(made_of(4), made_of(7), new=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump({"user": made.user, "admin": made.admin}, file)
            file.write("\n")
        return made
    if path.stat().st_mode & 0o077:
        raise Refused(f"{path}: others can read it. Change the passwords in it, then type: chmod 600 {path}")
    return _read(path)


def _read(path: Path) -> Passwords:
    again = f"Remove {path} for new passwords"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        kept = Passwords(str(found["user"]), str(found["admin"]))
    except (ValueError, KeyError, TypeError):
        raise Refused(f'{path} is not {{"user": "…", "admin": "…"}}. {again}') from None
    if len(kept.user) < SHORTEST_USER or len(kept.admin) < SHORTEST_ADMIN or kept.user == kept.admin:
        raise Refused(
            f"{path}: the users' password needs {SHORTEST_USER} characters, the administrator's {SHORTEST_ADMIN}, "
            f"and they must differ. {again}"
        )
    return kept


def made_of(groups: int) -> str:
    """Groups of four signs: `k7fm-2xqp-9dtr-hh3w`."""
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(4)) for _ in range(groups))
