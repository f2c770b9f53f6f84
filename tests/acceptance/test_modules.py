"""Local modules in a job: imported there as here, their classes the notebook's own, their lines in tracebacks."""

from __future__ import annotations

import os
import re

import pytest

from tests.acceptance.desk import Desk

pytestmark = pytest.mark.jobs

NET = {
    "netkit/__init__.py": "from .layers import Layer, check\n",
    "netkit/layers.py": (
        "import dataclasses\n\n\nclass TooWide(ValueError):\n    def __init__(self, width):\n        super().__init__(width)\n"
        "        self.width = width\n\n\n@dataclasses.dataclass\nclass Layer:\n    width: int\n\n\n"
        "def check(layer):\n    if layer.width > 3:\n        raise TooWide(layer.width)\n    return Layer(layer.width + 1)\n"
    ),
}


def project(desk: Desk) -> None:
    for name, text in NET.items():
        path = desk.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


def test_values_of_their_classes_go_and_come(anywhere: Desk) -> None:
    project(anywhere)
    anywhere.right("import netkit\nlayer = netkit.Layer(2)")
    ran = anywhere.right("%%kubetrain --cpus 100m --returns wider\nwider = netkit.check(layer)\nprint(netkit.__file__)")
    assert re.search(r"travels: .*modules: netkit \(2 files, \d+ B\)\n", ran.stdout)
    assert str(anywhere.folder) not in ran.stdout.partition("\n/")[2], "the files that travelled, on this machine too"
    assert anywhere.kernel.value("(wider, type(wider) is netkit.Layer)") == "(Layer(width=3), True)"


def test_their_exceptions_are_the_notebooks_own_with_their_lines(anywhere: Desk) -> None:
    project(anywhere)
    anywhere.right("import netkit.layers")
    ran = anywhere.run("%%kubetrain --cpus 100m\nnetkit.check(netkit.Layer(7))")
    assert ran.error == "TooWide", ran
    assert f"{anywhere.folder}/netkit/layers.py:17" in ran.traceback, ran.traceback
    assert "---> 17         raise TooWide(layer.width)" in ran.traceback, ran.traceback
    assert "     18     return Layer(layer.width + 1)" in ran.traceback, "the lines around it too"
    anywhere.right(
        "import sys\nerror = sys.last_value\n"
        "assert (type(error) is netkit.layers.TooWide, error.width) == (True, 7), (type(error), error)"
    )


def test_workers_of_every_kind_have_them(anywhere: Desk) -> None:
    project(anywhere)
    ran = anywhere.right(
        "%%kubetrain --cpus 100m\nimport multiprocessing, netkit\n"
        "def width(n):\n    return netkit.check(netkit.Layer(n)).width\n"
        "for kind in ('fork', 'spawn', 'forkserver'):\n"
        "    with multiprocessing.get_context(kind).Pool(1) as pool:\n        print(kind, pool.map(width, [1, 2]))"
    )
    assert "fork [2, 3]\nspawn [2, 3]\nforkserver [2, 3]\n" in ran.stdout


def test_an_edited_module_is_said(here: Desk) -> None:
    project(here)
    here.right("import netkit")
    file = here.folder / "netkit" / "layers.py"
    file.write_text(file.read_text().replace("+ 1", "+ 2"))
    os.utime(file, (1, 1))
    ran = here.right("%%kubetrain\nprint(netkit.check(netkit.Layer(1)))")
    assert "Layer(width=3)\n" in ran.stdout
    assert "netkit/layers.py was edited since this notebook imported it" in ran.stdout + ran.stderr


def test_a_module_that_no_statement_names(anywhere: Desk) -> None:
    """By a computed name, from a folder of its own: the job's folder is not the notebook's."""
    (anywhere.folder / "unnamed.py").write_text("")
    ran = anywhere.run(
        "%%kubetrain --cpus 100m --files netkit\nimport importlib\nimportlib.import_module('un' + 'named')"
    )
    assert ran.error == "ModuleNotFoundError", ran
    assert "write `import unnamed` into the cell, or bring it by --files" in ran.traceback
