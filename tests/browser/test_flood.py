"""A job that prints 100,000 lines a second into a notebook that a browser has open: the notebook stays what it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.flood import flood
from tests.browser.lab import why_not

pytestmark = [pytest.mark.browser, pytest.mark.alone]

MOST_SAVED_BYTES = 2_000_000
MOST_GROWN_MB = 200


@pytest.fixture(autouse=True)
def _browser() -> None:
    if reason := why_not():
        pytest.skip(reason)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "seconds", [pytest.param(5.0, id="short"), pytest.param(60.0, id="long", marks=pytest.mark.long)]
)
def test_a_flood(tmp_path: Path, seconds: float) -> None:
    found = flood(tmp_path, "%%kubetrain --name flood", seconds)
    print(found)
    assert found.missing == []
    assert found.notices == []
    assert found.messages_s <= 20
    assert found.saved_bytes < MOST_SAVED_BYTES
    assert found.page_mb < MOST_GROWN_MB
    assert found.kernel_mb < MOST_GROWN_MB
    log = (tmp_path / ".kube_magics" / "logs" / "flood.log").read_bytes()
    lines = log.split(b"\n")
    numbers = [int(line[:8]) for line in lines if line.endswith(b"accuracy 0.98765")]
    assert numbers == list(range(len(numbers)))
    assert lines[-2:] == [b"the last line", b""]
