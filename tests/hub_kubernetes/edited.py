"""hub-config as a site has edited it: a copy of the folder, with other values in profiles.py."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from tests.cluster.paths import CHECKOUT

_OTHERS = shutil.ignore_patterns("local", "__pycache__", "*.png")


def edited(folder: Path, **values: str) -> Path:
    """Its jupyterhub_config.py, for TEST_CONFIG; `values`: Python, by the name of what profiles.py leaves empty."""
    copy = shutil.copytree(CHECKOUT / "hub-config", folder / "hub-config", ignore=_OTHERS)
    page = copy / "profiles.py"
    text = page.read_text()
    for name, value in values.items():
        [line] = re.findall(rf"^{name}: .+ = \(\)$", text, re.MULTILINE)
        text = text.replace(line, line.removesuffix("()") + value)
    page.write_text(text)
    return copy / "jupyterhub_config.py"
