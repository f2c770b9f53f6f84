"""The root package: small, quick, and exactly what it says."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from typing import Any

import pytest

from tests.architecture.sources import PACKAGE, files, name

SLOW = ("kubernetes", "aiohttp", "ipywidgets", "anywidget", "yaml", "numpy", "cloudpickle")


def in_fresh_python(code: str) -> Any:
    """What `code` leaves in the name `answer`, by way of JSON."""
    program = f"import json, sys\n{code}\nprint(json.dumps(answer))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def loaded(code: str) -> set[str]:
    """The top-level modules that `code` leaves imported."""
    return set(in_fresh_python(f"{code}\nanswer = sorted({{m.partition('.')[0] for m in sys.modules}})"))


def test_loading_the_extension_imports_nothing_slow() -> None:
    bare = "from IPython.core.interactiveshell import InteractiveShell\nshell = InteractiveShell.instance()"
    load = f"{bare}\nshell.run_line_magic('load_ext', 'kube_magics')\nassert shell.find_cell_magic('kubetrain')"
    assert not (loaded(load) - loaded(bare)) & set(SLOW)


def test_warming_makes_no_syntax_trees_beside_those_of_a_cell_where_python_cannot_bear_it() -> None:
    """Python before 3.11.8 and 3.12.2 fails one thread's `ast.parse` for another's, which here were the user's."""
    parsed, bears_it = in_fresh_python(
        "import ast, builtins, threading\n"
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "real, parsed = compile, set()\n"
        "def seen(source, filename, mode, flags=0, *rest, **named):\n"
        "    if flags & ast.PyCF_ONLY_AST:\n"
        "        parsed.add(threading.current_thread().name)\n"
        "    return real(source, filename, mode, flags, *rest, **named)\n"
        "builtins.compile = seen\n"
        "shell = InteractiveShell.instance()\n"
        "shell.run_cell('%load_ext kube_magics')\n"
        "(warm,) = (each for each in threading.enumerate() if each.name == 'kube_magics-warm')\n"
        "warm.join()\n"
        "assert 'kube_magics.runner.shipped' in sys.modules\n"
        "from kube_magics.magics.register import PARSES_BESIDE\n"
        "answer = [sorted(parsed), PARSES_BESIDE]"
    )
    assert "MainThread" in parsed
    assert ("kube_magics-warm" in parsed) == bears_it


def test_importing_the_package_imports_not_even_ipython() -> None:
    assert not loaded("import kube_magics") & {*SLOW, "IPython"}


def test_all_equals_reality() -> None:
    listed, shown, own = in_fresh_python(
        "import kube_magics\n"
        "from kube_magics import *\n"
        "homes = {n: str(getattr(v, '__module__', '')) for n, v in vars(kube_magics).items()}\n"
        "found = {n: getattr(kube_magics, n) for n in kube_magics.__all__}\n"
        "own = [n for n, home in homes.items() if home.startswith('kube_magics') and not n.startswith('_')]\n"
        "answer = [list(found), dir(kube_magics), own]"
    )
    assert listed == [
        "Dashboard",
        "Job",
        "load_ipython_extension",
        "remote",
        "report",
        "should_stop",
        "train",
        "wait_all",
    ]
    assert sorted(shown) == listed
    assert set(own) <= set(listed)


def test_the_root_is_under_60_lines() -> None:
    assert len((PACKAGE / "__init__.py").read_text(encoding="utf-8").splitlines()) < 60


@pytest.mark.parametrize("path", [p for p in files() if p.name == "__init__.py" and p.parent != PACKAGE], ids=name)
def test_every_package_opens_with_a_charter(path: Any) -> None:
    charter = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    assert len(charter.split()) >= 15, "say what belongs here and what does not"
    assert "import" in charter.lower(), "say what it may import"
