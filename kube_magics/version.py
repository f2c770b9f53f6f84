"""The one place that names the version: setup.cfg reads it without importing the package's other modules."""

from __future__ import annotations

VERSION = "0.1.0"
