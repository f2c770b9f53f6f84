"""This machine's GPU, as others tell of it: `nvidia-smi`, and torch in a process of its own."""

from __future__ import annotations

import functools
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MEBIBYTE = 1024**2
GIBIBYTE = 1024**3
_SEES = "import torch\nif not torch.cuda.is_available(): raise SystemExit('torch sees no GPU')"
_HOLD = """
import sys, torch
held = torch.zeros(2**28, dtype=torch.uint8, device="cuda")
torch.cuda.synchronize()
print("holds", flush=True)
sys.stdin.read()
"""


@functools.cache
def why_not() -> str | None:
    """Why this machine cannot show what a GPU does; the pretended ones of tests/cluster have no device file."""
    if not Path("/dev/nvidiactl").exists():
        return "no NVIDIA GPU on this machine: there is no /dev/nvidiactl"
    if not shutil.which("nvidia-smi"):
        return "no nvidia-smi on this machine, to compare with"
    seen = subprocess.run([sys.executable, "-c", _SEES], capture_output=True, text=True, check=False)
    return f"no torch with a GPU in {sys.executable}: {seen.stderr.strip()[-200:]}" if seen.returncode else None


def asked(fields: str, what: str = "gpu") -> list[list[str]]:
    """Rows of `nvidia-smi --query-gpu=FIELDS`, numbers without units."""
    command = ["nvidia-smi", f"--query-{what}={fields}", "--format=csv,noheader,nounits"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return [[field.strip() for field in line.split(",")] for line in lines if line.strip()]


def used_bytes() -> int:
    """Of the first device's memory."""
    return int(asked("memory.used")[0][0]) * MEBIBYTE


def processes() -> set[int]:
    """Ids of the processes that compute."""
    return {int(row[0]) for row in asked("pid", "compute-apps")}


@contextmanager
def held() -> Iterator[subprocess.Popen[str]]:
    """A process that is none of ours computes on the first device meanwhile."""
    command = [sys.executable, "-c", _HOLD]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "holds\n"
        yield process
        process.communicate()
