"""The notebooks, and the one line that says why nothing ran."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.gpu.device import why_not
from tests.gpu.notebook import Notebook, notebook


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Not a fixture: pytest would tell of each test that it skips by a line of its own."""
    if reason := why_not():
        pytest.skip(reason)


@pytest.fixture(scope="session")
def dark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notebook]:
    """A notebook that sees no GPU, as most of a hub's do; its jobs have the machine's."""
    with notebook(tmp_path_factory.mktemp("dark"), CUDA_VISIBLE_DEVICES="") as made:
        yield made
