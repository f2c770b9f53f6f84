"""What a closure is made of: its steps, before they are written into program.json."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kube_magics.cells.closure.items import Item
from kube_magics.cells.values.digests import Contents
from kube_magics.cells.values.pickles import Dumped
from kube_magics.errors import CaptureError
from kube_magics.runner.views import Shared


@dataclass(frozen=True)
class Travel:
    """One name that travels with its value."""

    name: str
    kind: Literal["import", "function", "class", "data"]
    size_bytes: int | None = None
    "of the pickle; None for what travels as text"


class Circle(CaptureError):
    """Names that need each other first."""


@dataclass(frozen=True)
class Before:
    """Of an earlier pass: its closure is made again where arrays share memory."""

    shared: tuple[Shared, ...]
    contents: Contents


@dataclass
class Step:
    """One step of the definitions, before it is written into program.json."""

    name: str
    item: Item
    dumped: Dumped | None = None
    "of data, and of what a definition has been given since its statement"
