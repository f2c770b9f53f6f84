"""What earlier cells have set and a job starts without is said, in one line, where the job has to do with it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kube_magics.jobs.submit import left_here
from kube_magics.spec.job import JobSpec
from tests.cells.book import Book

SETTINGS = {
    "setattr of a module": ("import kmt_set\nsetattr(kmt_set, 'RATE', 5)", "kmt_set.f()", "kmt_set.RATE (In [1])"),
    "its __dict__": ("import kmt_set\nkmt_set.__dict__['RATE'] = 5", "kmt_set.f()", "kmt_set.RATE (In [1])"),
    "vars() of it": ("import kmt_set\nvars(kmt_set).update(RATE=5, B=2)", "kmt_set.f()", "kmt_set.RATE (In [1]), kmt"),
    "set again": ("import kmt_set\nsetattr(kmt_set, 'RATE', 5)", "kmt_set.RATE = 5\nkmt_set.f()", None),
    "a logger": (
        "import logging\nlog = logging.getLogger('kmt')\nlog.setLevel(10)",
        "log.debug('x')",
        "log.setLevel (In [1])",
    ),
    "a logger by its name": (
        "import logging\nlogging.getLogger('kmt').addHandler(logging.NullHandler())",
        "logging.info('x')",
        "logging.getLogger().addHandler (In [1])",
    ),
    "decimals": ("import decimal\ndecimal.getcontext().prec = 28", "decimal.Decimal(1)", "decimal.getcontext().prec"),
    "decimals again": ("import decimal\ndecimal.getcontext().prec = 28", "decimal.getcontext().prec = 9", None),
}


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "kmt_set.py").write_text("RATE = B = 1\ndef f(): return RATE\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("kmt_set", None)


@pytest.mark.parametrize(("cell", "job", "said"), SETTINGS.values(), ids=SETTINGS)
def test_settings(cell: str, job: str, said: str | None) -> None:
    warnings = Book(cell).capture("import kmt_set\n" * ("kmt_set" in job) + job).warnings
    found = [each for each in warnings if each.startswith("set here, not in the job: ")]
    assert [each.startswith(f"set here, not in the job: {said}") for each in found] == [True] * (said is not None)


def test_what_a_cell_under_time_has_set_is_said_too() -> None:
    book = Book("import decimal\nclass Shell:\n    def run_cell_magic(self, *parts): exec(parts[2], globals())")
    book.run("get_ipython = Shell")
    book.run("get_ipython().run_cell_magic('time', '', 'decimal.getcontext().prec = 28')")
    assert any("decimal.getcontext().prec (In [3])" in each for each in book.capture("decimal.Decimal(1)").warnings)


VARIABLES = {
    "read by the cell": ("os.environ['KMT_A'] = 'x'", "print(os.environ['KMT_A'])", ["KMT_A"]),
    "read by get": ("os.environ.update(KMT_A='x', KMT_B='y')", "os.environ.get('KMT_B')", ["KMT_B"]),
    "read by a function": ("os.environ['KMT_A'] = 'x'\ndef f(): return os.getenv('KMT_A')", "f()", ["KMT_A"]),
    "read by a lambda": ("os.environ['KMT_A'] = 'x'\nf = [lambda: os.environ['KMT_A']]", "f[0]()", ["KMT_A"]),
    "read as a whole": ("os.environ.setdefault('KMT_A', 'x')", "dict(os.environ)", ["KMT_A"]),
    "asked for": ("os.environ['KMT_A'] = 'x'", "'KMT_A' in os.environ", ["KMT_A"]),
    "not read": ("os.environ['KMT_A'] = 'x'", "os.environ['PATH'], os.getpid()", []),
    "set in the cell": ("os.environ['KMT_A'] = 'x'", "os.environ['KMT_A'] = 'y'\nos.environ['KMT_A']", []),
    "taken back": ("os.environ['KMT_A'] = 'x'\ndel os.environ['KMT_A']", "os.environ.get('KMT_A')", []),
}


@pytest.mark.parametrize(("cell", "job", "names"), VARIABLES.values(), ids=VARIABLES)
def test_environment_variables(cell: str, job: str, names: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.environ", {"PATH": ""})
    found = Book("import os\n" + cell).capture(job).variables
    assert found == dict.fromkeys(names, "In [1]")


def test_a_job_elsewhere_is_told_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.environ", {"PATH": ""})
    captured = Book("import os\nos.environ.update(KMT_A='x', KMT_B='y')").capture("print(dict(os.environ))")
    spec = JobSpec.of({"env": (("KMT_B", "z"),)})
    assert left_here(spec, "local", captured) == []
    assert left_here(spec, "kubernetes", captured) == [
        "environment variables set here, not in the job: KMT_A (In [1]); to set them there: --env KMT_A=…"
    ]
