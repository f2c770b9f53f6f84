"""The same in a real IPython, whose names are the real `__main__`, with jobs as processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytestmark = pytest.mark.jobs

DRIVER = """
import json, pickle, subprocess, sys
from pathlib import Path
from IPython.core.interactiveshell import InteractiveShell
import kube_magics.magics.notebook as notebooks
from kube_magics.cells import bundle
from kube_magics.cells.capture import capture
from kube_magics.cells.results import Arrived, load_result
from tests.cells.book import unpack

folder = Path(sys.argv[1])
shell = InteractiveShell.instance(user_module=sys.modules["__main__"])
jobs = []
for number, cell in enumerate(json.loads(sys.argv[2])):
    if not cell.startswith("%%kubetrain"):
        shell.run_cell(cell, store_history=True).raise_error()
        continue
    returns = cell.partition("\\n")[0].split()[1:]
    file = notebooks.register_cell(shell, cell)
    captured = capture(cell, notebooks.read(shell), returns=returns)
    place = folder / str(number)
    place.mkdir()
    unpack(captured, place)
    done = subprocess.run([sys.executable, str(place / "main.py")], capture_output=True, text=True, cwd=place)
    arrived = Arrived()
    for name in returns:
        data = (place / "results" / (name + ".pkl")).read_bytes()
        shell.user_ns[name] = load_result(data, shell.user_ns, captured.definitions(file), name, arrived)
    shell.execution_count += 1
    jobs.append([captured.summary(), done.stdout, done.stderr])
print(json.dumps(jobs))
"""


def run(folder: Path, *cells: str) -> list[list[str]]:
    """Runs cells in IPython; what each job took along, wrote and complained about."""
    (folder / "driver.py").write_text(DRIVER)
    (folder / "jobs").mkdir()
    texts = json.dumps([textwrap.dedent(cell).strip("\n") for cell in cells])
    done = subprocess.run(
        [sys.executable, folder / "driver.py", folder / "jobs", texts],
        env={
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "PATH": "/usr/bin:/bin",
            "IPYTHONDIR": str(folder / "ipython"),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found: list[list[str]] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.filterwarnings("default")
def test_training_over_several_cells(tmp_path: Path) -> None:
    (job, second) = run(
        tmp_path,
        "import numpy as np\nfrom sklearn.datasets import load_digits",
        """
        import dataclasses
        @dataclasses.dataclass
        class Config:
            steps: int = 3
        cfg = Config()
        """,
        """
        def accuracy(model, X, y):
            return float((model.predict(X) == y).mean())
        X, y = load_digits(return_X_y=True)
        """,
        """
        %%kubetrain model cfg2 score
        from sklearn.neighbors import KNeighborsClassifier

        class Model:
            def __init__(self, cfg):
                self.cfg = cfg
                self.knn = KNeighborsClassifier(1)
            def fit(self, X, y):
                self.knn.fit(X[:200], y[:200])
                return self
            def predict(self, X):
                return self.knn.predict(X)

        model = Model(cfg).fit(X, y)
        cfg2 = model.cfg
        score = accuracy(model, X[:50], y[:50])
        score
        """,
        """
        assert type(model) is Model and model.cfg is cfg2 and type(cfg2) is Config and score == 1.0
        import pickle
        assert type(pickle.loads(pickle.dumps(model))) is Model
        """,
        """
        %%kubetrain
        print(accuracy(model, X[:9], y[:9]), type(model) is Model)
        """,
    )
    assert job[1] == "1.0\n"
    assert job[2] == ""
    assert job[0].startswith("travels: Config, cfg (")
    assert second[1:] == ["1.0 True\n", ""]
    assert "Model" in second[0]


def test_workers_run_the_cell_once(tmp_path: Path) -> None:
    (job,) = run(
        tmp_path,
        """
        import concurrent.futures as cf, multiprocessing
        class Net:
            def __init__(self): self.k = 3
        net = Net()
        """,
        """
        %%kubetrain
        def work(x):
            return x * net.k, type(net) is Net
        print("once")
        found = []
        for method in ("fork", "spawn", "forkserver"):
            with cf.ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(method)) as pool:
                found += pool.map(work, [1])
        found
        """,
    )
    assert job[1:] == ["once\n[(3, True), (3, True), (3, True)]\n", ""]


def test_what_only_a_notebook_has(tmp_path: Path) -> None:
    (job,) = run(
        tmp_path,
        "from __future__ import annotations",
        "class A:\n    x: NotThere = 4\n%matplotlib --list",
        "41\n",
        """
        %%kubetrain
        def f(a: NotThereEither): return a
        open, display, exit
        display(A.x)
        with open("somewhere", "w") as file: pass
        f(_)
        """,
    )
    assert job[1:] == ["4\n41\n", ""]
