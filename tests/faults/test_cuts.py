"""Every line once, through every way in which a link breaks: real kernel, real cluster, the pod's own SHA-256."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from tests.faults.conftest import Linked
from tests.faults.counting import cell, counted
from tests.faults.proxy import KINDS
from tests.kernel import Ran

pytestmark = pytest.mark.cluster


def whole(ran: Ran, path: Path, lines: int) -> None:
    """The job ended well, and its log file is what it printed."""
    assert ran.error is None, ran
    found = counted(path, lines)
    assert (found.lost, found.doubled, found.same) == (0, 0, True), found


def through_cuts(linked: Linked, name: str, lines: int, rate: int, cuts: int, timeout_s: float) -> tuple[Ran, int]:
    """Run such a job and break its link `cuts` times, by chance; also how many connections that broke."""
    rng = random.Random(name)
    request = linked.desk.kernel.send(cell(name, lines, rate))
    linked.desk.says(name, "0000000 ")
    broken = 0
    for _ in range(cuts):
        time.sleep(rng.uniform(0.1, 1.6) * lines / rate / cuts / 2)
        broken += linked.proxy.cut(rng.choice(KINDS))
    return linked.desk.kernel.finish(request, timeout_s), broken


def test_mixed_cuts(linked: Linked) -> None:
    ran, broken = through_cuts(linked, "cuts", 50_000, 5_000, 10, 90)
    whole(ran, linked.log("cuts"), 50_000)
    assert broken >= 10


@pytest.mark.parametrize("kind", KINDS)
def test_connections_that_ended_while_nobody_used_them(linked: Linked, kind: str) -> None:
    linked.desk.right(cell(f"before-{kind}", 100, 1000))
    assert linked.proxy.cut(kind) > 0
    whole(linked.desk.run(cell(f"idle-{kind}", 100, 1000)), linked.log(f"idle-{kind}"), 100)
