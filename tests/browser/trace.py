"""What Chromium itself noted while a page was shown: its frames, marks, and what came from the server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page

CATEGORIES = ("devtools.timeline", "blink.user_timing")
COLLECTED_S = 60.0


@dataclass
class Trace:
    """Of one page; times in milliseconds on the browser's clock."""

    events: list[dict[str, Any]] = field(default_factory=list)
    messages: list[tuple[float, int]] = field(default_factory=list)
    """Of WebSockets: when each came, and its bytes. The trace has of them what came last, packed as it travelled."""

    def moments(self, name: str) -> list[float]:
        """When events of that name were, in order."""
        return sorted(event["ts"] / 1000 for event in self.events if event["name"] == name)

    def frames(self) -> list[float]:
        """When the page's frames were presented."""
        return self.moments("AnimationFrame::Presentation")

    def shown_after(self, mark: str, least_bytes: int) -> float:
        """How long from the first message of that size until the frame that shows what was marked."""
        (marked,) = self.moments(mark)
        came = min(moment for moment, size in self.messages if moment <= marked and size >= least_bytes)
        return next(moment for moment in self.frames() if moment > marked) - came


@contextmanager
def traced(page: Page) -> Iterator[Trace]:
    """All of it is there at the end."""
    found, over = Trace(), []
    session = page.context.new_cdp_session(page)
    session.on("Network.webSocketFrameReceived", lambda told: found.messages.append(_message(told)))
    session.send("Network.enable")
    session.on("Tracing.dataCollected", lambda told: found.events.extend(told["value"]))
    session.on("Tracing.tracingComplete", lambda _: over.append(True))
    config = {"includedCategories": list(CATEGORIES), "excludedCategories": ["*"]}
    session.send("Tracing.start", {"transferMode": "ReportEvents", "traceConfig": config})
    try:
        yield found
    finally:
        session.send("Tracing.end")
        for _ in range(int(COLLECTED_S * 10)):
            if over:
                break
            page.wait_for_timeout(100)
        session.detach()


def _message(told: dict[str, Any]) -> tuple[float, int]:
    """By the clock of the trace; Jupyter's messages are binary, and told as base64."""
    return 1000 * told["timestamp"], len(told["response"]["payloadData"]) * 3 // 4


def marks_when(page: Page, mark: str, selector: str, least: int) -> None:
    """Have the page note when it has at least so many nodes of that kind, within the step that made them."""
    page.evaluate(
        """([mark, selector, least]) => {
          const looks = new MutationObserver(() => {
            if (document.querySelectorAll(selector).length < least) return;
            looks.disconnect();
            performance.mark(mark);
          });
          looks.observe(document.body, { childList: true, subtree: true });
        }""",
        [mark, selector, least],
    )


def animate(page: Page, seconds: float) -> None:
    """Have a frame asked for as often as the page can have one; returns at once."""
    page.evaluate(
        """(ms) => {
          const until = performance.now() + ms;
          const again = () => performance.now() < until && requestAnimationFrame(again);
          requestAnimationFrame(again);
        }""",
        1000 * seconds,
    )


def heap_bytes(page: Page) -> int:
    """What the page's scripts hold, when nothing of it can be thrown away."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    for _ in range(3):  # what a finalizer lets go of is gone with the next
        session.send("HeapProfiler.collectGarbage")
    found = {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}
    session.detach()
    return int(found["JSHeapUsedSize"])
