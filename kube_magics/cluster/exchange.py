"""One whole answer of the API server, for whoever asks about more than the object in it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

_WARNING = re.compile(r'^\d{3} \S+ "((?:[^"\\]|\\.)*)"')
"""Of a `Warning` header: `299 - "text"` (RFC 7234)."""


@dataclass(frozen=True)
class Answer:
    """As it came, a refusal too."""

    status: int
    """Of HTTP."""
    date: str
    """The server's clock, as the header says it; "" where there is none."""
    warnings: tuple[str, ...]
    """The headers `Warning`, whole."""
    body: bytes
    sent_at: float
    """Seconds since the epoch, by this machine's clock."""
    took_s: float
    """With a new connection and a log-in, where these were needed."""

    def json(self) -> dict[str, Any]:
        """The object; empty where it is none."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace").strip()

    @property
    def said(self) -> tuple[str, ...]:
        """What the server warns of, in its words."""
        found = (_WARNING.match(each) for each in self.warnings)
        return tuple(re.sub(r"\\(.)", r"\1", match[1]) for match in found if match)

    @property
    def ahead_s(self) -> float | None:
        """How far the server's clock is ahead of this machine's; None: unknown. A Date has whole seconds only."""
        try:
            theirs = parsedate_to_datetime(self.date).timestamp() + 0.5
        except ValueError:
            return None
        return theirs - (self.sent_at + self.took_s / 2)
