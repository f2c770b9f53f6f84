"""The colours of pictures, in pairs: what has a colour of its own has its own background too.

All other text has the colour of the notebook's theme: a colour that is legible on white and on black there is none.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Pair:
    """Text and what is behind it, as #rrggbb."""

    text: str
    background: str

    @property
    def style(self) -> str:
        """For a `style` attribute."""
        return f"color:{self.text};background-color:{self.background}"


BUSY = Pair("#ffffff", "#0b5cad")
GOOD = Pair("#ffffff", "#19692c")
BAD = Pair("#ffffff", "#a4161a")
CALM = Pair("#ffffff", "#4b535d")

PHASES = {"running": BUSY, "succeeded": GOOD, "failed": BAD, "gone": BAD}
"""Of the others: CALM."""
