"""Fixtures shared by all tests; nothing here or in the plugins touches file, network or process when imported."""

from __future__ import annotations

pytest_plugins = ["tests.cluster.fixtures"]
