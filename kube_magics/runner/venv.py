"""A virtual environment above the image's own packages, made without the venv module, which slim images lack.

The program does not run in it (an interpreter of another prefix finds other data files): it gets its site-packages on
PYTHONPATH and its scripts on PATH. Installers take it for what it looks like, so they leave the image alone.
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .distributions import Installed

OURS = "kube_magics"
ANY_PYTHON = b"#!/usr/bin/env python3\n"


class Environment:
    """The environment in a folder, made if it is not there."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.python = os.path.join(folder, "bin", "python")
        self.site = os.path.join(folder, "lib", "python{}.{}".format(*sys.version_info), "site-packages")
        if os.path.isdir(self.site):
            return
        os.makedirs(self.site)
        os.makedirs(os.path.dirname(self.python))
        base: str = getattr(sys, "_base_executable", sys.executable)
        os.symlink(base, self.python)
        os.symlink("python", self.python + "3")
        _write(os.path.join(folder, "pyvenv.cfg"), f"home = {os.path.dirname(base)}\n")
        _write(os.path.join(self.site, OURS + ".pth"), "\n".join(_image_places()) + "\n")

    def pretend(self, have: Installed) -> None:
        """Show what the image has to an installer that looks nowhere else; `reveal` ends it."""
        for name, (version, _) in have.found.items():
            info = os.path.join(self.site, f"{name.replace('-', '_')}-{version}.dist-info")
            os.makedirs(info)
            _write(os.path.join(info, "METADATA"), f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
            _write(os.path.join(info, "RECORD"), f"{os.path.basename(info)}/METADATA,,\n")
            _write(os.path.join(info, "INSTALLER"), OURS)

    def reveal(self) -> None:
        for entry in os.listdir(self.site):
            try:
                with open(os.path.join(self.site, entry, "INSTALLER"), encoding="utf-8") as file:
                    ours = file.read() == OURS
            except OSError:
                continue
            if ours:
                shutil.rmtree(os.path.join(self.site, entry))

    def movable(self) -> None:
        """Scripts find the interpreter beside them wherever the folder is: in a cache its path is another one each
        time."""
        scripts = os.path.dirname(self.python)
        for name in os.listdir(scripts):
            path = os.path.join(scripts, name)
            if os.path.islink(path):
                continue
            with open(path, "rb") as file:
                text = file.read()
            first, _, rest = text.partition(b"\n")
            if first == b"#!/bin/sh" and rest.startswith(b"'''exec'"):  # a path too long for a first line
                rest = rest.split(b"\n", 2)[2]
            elif not (first.startswith(b"#!") and b"python" in first):
                continue
            with open(path, "wb") as file:
                file.write(ANY_PYTHON + rest)


def _image_places() -> list[str]:
    """Where the image's interpreter finds packages."""
    own = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib")}
    return [
        path
        for path in sys.path[1:]
        if os.path.isdir(path) and path not in own and os.path.basename(path) != "lib-dynload"
    ]


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
