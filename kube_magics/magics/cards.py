"""A job's card in the running cell: one display with its HTML and its text, updated in place."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from IPython.display import publish_display_data

from kube_magics.telemetry.card import Card
from kube_magics.telemetry.record import record
from kube_magics.widgets.card import card_html


def view(shell: Any) -> Callable[[Card], None] | None:
    """What shows a card, and then what has become of it; None in a terminal, where nothing is updated in place."""
    return _View() if hasattr(shell, "kernel") else None


class _View:
    def __init__(self) -> None:
        self._display_id = uuid.uuid4().hex
        self._shown: dict[str, str] = {}

    def __call__(self, card: Card) -> None:
        data = {"text/html": card_html(card), "text/plain": repr(card)}
        if data == self._shown:
            return
        publish_display_data(  # type: ignore[no-untyped-call]
            data,
            {"kube_magics": record(card)},
            transient={"display_id": self._display_id},
            update=bool(self._shown),
        )
        self._shown = data
