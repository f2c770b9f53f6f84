"""Building the stub ``libnvidia-ml.so.1``. Undo: remove the file; it is cached by its source."""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from pathlib import Path

SOURCE = Path(__file__).with_name("nvml_stub.c")
SONAME = "libnvidia-ml.so.1"


def build(cache: Path) -> Path:
    """The compiled library, somewhere below ``cache``."""
    key = hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:12]
    target = cache / f"nvml-{key}" / SONAME
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            built = Path(folder) / SONAME
            subprocess.run(
                ["cc", "-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-fvisibility=hidden",
                 f"-Wl,-soname,{SONAME}", "-o", str(built), str(SOURCE)],
                check=True,
            )  # fmt: skip
            built.replace(target)
    return target
