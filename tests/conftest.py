"""Fixtures shared by all tests; nothing here or in the plugins touches file, network or process when imported."""

from __future__ import annotations

from hypothesis import settings

pytest_plugins = ["tests.abreast", "tests.leftout", "tests.cluster.fixtures"]

# An example that takes long says something about the machine, which is shared and noisy, and nothing about the code.
settings.register_profile("shared", deadline=None)
settings.register_profile("quick", deadline=None, max_examples=25)  # of `make test-fast`
settings.load_profile("shared")
