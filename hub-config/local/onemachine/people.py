"""Who may log in, and where their folder is."""

from __future__ import annotations

import pwd
from collections.abc import Iterable
from pathlib import Path

PATTERN = r"[a-z0-9][a-z0-9._@-]{0,63}\Z"
"""A name becomes a folder's: none begins with a dot, none has a slash. JupyterHub compares from the start only."""
FIRST_PERSON, LAST_PERSON = 1000, 59999
"""Debian's and Fedora's range for people: the system's own accounts, root among them, are below."""
NO_SHELLS = ("nologin", "false", "sync")


def accounts(found: Iterable[pwd.struct_passwd] | None = None) -> set[str]:
    """The names of this machine's accounts that are people's."""
    return {
        each.pw_name
        for each in (pwd.getpwall() if found is None else found)
        if FIRST_PERSON <= each.pw_uid <= LAST_PERSON and Path(each.pw_shell).name not in NO_SHELLS
    }


def homes(state: Path) -> str:
    """The template of home folders, in JupyterHub's braces."""
    return f"{str(state / 'homes').replace('{', '{{').replace('}', '}}')}/{{username}}"
