"""Fixtures shared by all tests; nothing here or in the plugins touches file, network or process when imported."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from hypothesis import settings

pytest_plugins = ["tests.abreast", "tests.leftout", "tests.cluster.fixtures"]

# An example that takes long says something about the machine, which is shared and noisy, and nothing about the code.
settings.register_profile("shared", deadline=None, max_examples=80)  # hypothesis' own 100 take a fifth longer
settings.register_profile("quick", deadline=None, max_examples=10)  # of `make test-fast`
settings.load_profile("shared")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Without the garbage collector, which would look again and again at thousands of tests that stay."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()
