"""A machine with two more accounts, seen by one command and what it starts: this machine's own files stay as they are.

Run as a program, in a mount namespace: mounts what it is told to, then becomes the command.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

FIRST_UID = 41_001
PASSWORD = "of-the-account-itself"


def why_not() -> str | None:
    """Why this machine cannot make them, or None."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "accounts of its own need root on Linux"
    with accounts("tried") as made:
        tried = subprocess.run([*made.within, "true"], capture_output=True, text=True, check=False)
    return f"accounts of its own: {tried.stderr.strip().splitlines()[-1]}" if tried.returncode else None


@dataclass(frozen=True)
class Accounts:
    within: tuple[str, ...]
    """What stands before a command that is to see them."""
    homes: Path
    """The folder that has them, by name."""


@contextmanager
def accounts(*names: str) -> Iterator[Accounts]:
    """These, with homes of their own that are gone in the end."""
    folder = Path(tempfile.mkdtemp(prefix="hub-accounts-"))
    try:
        folder.chmod(0o711)
        homes = {name: folder / name for name in names}
        files = {file: Path(f"/etc/{file}").read_text() for file in ("passwd", "group", "shadow")}
        hashed = subprocess.run(
            ["openssl", "passwd", "-6", PASSWORD], check=True, capture_output=True, text=True
        ).stdout.strip()
        for uid, (name, home) in enumerate(homes.items(), FIRST_UID):
            files["passwd"] += f"{name}:x:{uid}:{uid}::{home}:/bin/bash\n"
            files["group"] += f"{name}:x:{uid}:\n"
            files["shadow"] += f"{name}:{hashed}:20000:0:99999:7:::\n"
            home.mkdir(mode=0o700)
            os.chown(home, uid, uid)
        for file, text in files.items():
            (folder / file).write_text(text)
            (folder / file).chmod(0o600 if file == "shadow" else 0o644)
        told = json.dumps({"folder": str(folder), "open": closed()})
        enter = ("unshare", "--mount", "--propagation", "private", sys.executable, __file__, told)
        yield Accounts(enter, folder)
    finally:
        shutil.rmtree(folder)


def closed() -> list[str]:
    """The folders on the way to this Python and this checkout that other accounts may not pass."""
    needed = (Path(sys.executable), Path(sys.executable).resolve(), Path(sys.prefix), Path(__file__))
    above = {folder for path in needed for folder in path.parents}
    return sorted(str(folder) for folder in above if folder.stat().st_mode & 0o1 == 0)


def enter(folder: Path, to_open: Sequence[str]) -> None:
    """The mounts; in a namespace, so that they end with its last process."""
    for file in ("passwd", "group", "shadow"):
        subprocess.run(["mount", "--bind", folder / file, f"/etc/{file}"], check=True)
    if to_open:
        layers = folder / "layers"
        layers.mkdir(exist_ok=True)
        # An overlay's files cannot be layers of an overlay on every kernel: memory's can.
        subprocess.run(["mount", "-t", "tmpfs", "none", layers], check=True)
    for number, closed_folder in enumerate(to_open):
        # The upper layer's own mode is what is seen.
        upper, work = layers / f"{number}", layers / f"{number}-work"
        upper.mkdir()
        upper.chmod(0o711)
        work.mkdir()
        how = f"lowerdir={closed_folder},upperdir={upper},workdir={work}"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", how, closed_folder], check=True)


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    enter(Path(asked["folder"]), asked["open"])
    os.execvp(sys.argv[2], sys.argv[2:])
