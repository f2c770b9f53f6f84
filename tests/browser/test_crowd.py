"""A dashboard of 2,000 jobs of which 20 change a second, for five minutes: what it holds, and what it asks when all is quiet."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.api.manyjobs import many_jobs
from tests.browser.book import PATIENCE_MS
from tests.browser.crowd import CHANGES_A_SECOND, COUNT, Holds, crowd
from tests.browser.lab import why_not

pytestmark = [pytest.mark.browser, pytest.mark.long]

MOST_ROW_NODES = 300
WARM_S, LOOKS, EVERY_S, IDLE_S = 120, 10, 30, 60
MOST_GROWN_HEAP_MB, MOST_GROWN_PAGE_MB, MOST_GROWN_KERNEL_MB = 3.0, 40.0, 20.0
"""Of 28, 135 and 180. A row kept of each change would be 5 MB of heap, an object that is watched 30 MB of the kernel, and
more than 200 with its bundle; what the system counts goes up and down by 70 MB as Chromium gives memory back."""
FEW = 3


def grown(found: Iterable[float]) -> float:
    """From the least of the first looks to the least of the last ones."""
    looks = list(found)
    return min(looks[-FEW:]) - min(looks[:FEW])


@pytest.mark.timeout(900)
def test_five_minutes_of_changes_and_a_quiet_one(tmp_path: Path) -> None:
    if reason := why_not() or ("not installed: anywidget" if importlib.util.find_spec("anywidget") is None else None):
        pytest.skip(reason)
    with many_jobs(COUNT) as jobs, crowd(tmp_path, jobs, "%kube dashboard") as found:
        page = found.lab.page
        found.show()
        expect(page.locator(".km-count")).to_have_text(f"{COUNT} of {COUNT} jobs", timeout=PATIENCE_MS)
        jobs.rate = CHANGES_A_SECOND
        page.wait_for_timeout(1000 * WARM_S)
        held: list[Holds] = [found.holds()]
        for _ in range(LOOKS):
            page.wait_for_timeout(1000 * EVERY_S)
            held.append(found.holds())
        jobs.rate = 0.0
        page.wait_for_timeout(1000)  # the one that is due
        print(*held, jobs.changes, sep="\n")
        assert 0 < max(each.rows for each in held) <= MOST_ROW_NODES
        assert grown(each.heap_mb for each in held) < MOST_GROWN_HEAP_MB
        assert grown(each.page_mb for each in held) < MOST_GROWN_PAGE_MB
        assert grown(each.kernel_mb for each in held) < MOST_GROWN_KERNEL_MB
        # At the top with the others of its second.
        newest = page.locator(".km-row:not([hidden]) .km-name").get_by_text(jobs.newest, exact=True)
        expect(newest).to_be_in_viewport(timeout=PATIENCE_MS)
        jobs.asked.clear()
        page.wait_for_timeout(1000 * IDLE_S)
        assert [each.path for each in jobs.asked if not each.watch] == []
