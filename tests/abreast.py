"""Tests in several processes: which of them stay together, and which begin first.

The tests of one file share kernels and namespaces, so they stay in one process; those that share nothing are given out
one by one. What takes longest begins first: begun last, it would go on when all else has ended.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from xdist.scheduler import LoadFileScheduling

APART = ("tests/notebooks/test_realistic.py", "tests/notebooks/test_notebooks.py")
"""Each test here has a kernel and, on the cluster, a namespace of its own."""
BY_ITSELF = ("tests/corpus/test_corpus.py::test_there",)
"""Shares nothing with the other tests of its file."""
FIRST = (
    "tests/demo/",
    "tests/notebooks/test_realistic.py::test_inside_the_cluster",
    "tests/corpus/",
    "tests/contract/",
    "tests/acceptance/test_errors.py",
    "tests/acceptance/test_api.py",
    "tests/acceptance/test_killed.py",
    "tests/acceptance/test_verbs.py",
    "tests/faults/",
    "tests/notebooks/",
    "tests/acceptance/test_torch.py",
    "tests/browser/",
    "tests/hub/test_hub.py",
    "tests/acceptance/",
    "tests/packages/",
    "tests/jobs/",
    "tests/runner/",
    "tests/api/",
)
"""A minute or more each, as they are measured with `--durations`, then what waits the longest among the quick ones;
nothing but the duration of a run depends on it."""


def scope(nodeid: str) -> str:
    """What a test stays together with."""
    if nodeid.startswith(APART):
        return nodeid
    return next((start for start in BY_ITSELF if nodeid.startswith(start)), nodeid.partition("::")[0])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling | None:
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Abreast(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return scope(nodeid)

    config.option.loadscopereorder = False  # by the number of tests: the longest ones would come last
    return Abreast(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: some tests wait."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not hasattr(config, "workerinput"):
        return  # one process: as they stand
    tests = Counter(scope(item.nodeid) for item in items)
    items.sort(key=lambda item: (_rank(item.nodeid), -tests[scope(item.nodeid)], scope(item.nodeid)))


def _rank(nodeid: str) -> int:
    return next((rank for rank, start in enumerate(FIRST) if nodeid.startswith(start)), len(FIRST))
