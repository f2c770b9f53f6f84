"""GPU numbers from end to end: from the driver of a node, which the stub stands for, to the card in a notebook."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kube_magics.runner import protocol
from tests.acceptance.desk import Desk, eventually
from tests.cluster import Cluster
from tests.cluster.gpu import numbers

pytestmark = [pytest.mark.cluster, pytest.mark.alone]

COOL = 31
"""Of idle devices; a job of these tests ends when its node's are hotter."""
HOT = 77
UNTIL_HOT = f"""
import time
for _ in range(1200):  # of a test that has failed it does not stay
    if "temperature {HOT}" in open("/run/kube-magics-nvml/numbers").read():
        break
    time.sleep(0.1)
"""


@dataclasses.dataclass(frozen=True)
class Node:
    """The GPUs of the cluster's one node."""

    path: Path

    def show(self, percent: int, used_gib: int = 8, celsius: int = COOL, **errors: int) -> float:
        """From now on all of them do this; when that was."""
        every = [self._device(each, percent, used_gib, celsius) for each in numbers.idle().devices]
        numbers.write(self.path, numbers.Numbers(every, errors=errors))
        return time.monotonic()

    def lose(self, uuid: str) -> None:
        now = numbers.read(self.path)
        every = [
            dataclasses.replace(each, error=numbers.GPU_IS_LOST) if each.uuid == uuid else each for each in now.devices
        ]
        numbers.write(self.path, dataclasses.replace(now, devices=every))

    def _device(self, device: numbers.Device, percent: int, used_gib: int, celsius: int) -> numbers.Device:
        return dataclasses.replace(
            device, utilisation=percent, memory_used=used_gib * 2**30, temperature=celsius, power_mw=312_500
        )


@pytest.fixture
def node(cluster: Cluster) -> Iterator[Node]:
    """Its GPUs are idle, and are so again afterwards."""
    numbers.write(cluster.nvml_numbers, numbers.idle())
    yield Node(cluster.nvml_numbers)
    numbers.write(cluster.nvml_numbers, numbers.idle())


def now_of(card: str) -> dict[str, str]:
    """Device by device what the card says of its utilisation now."""
    return dict(re.findall(r"^  (GPU \d) NVIDIA H100 80GB HBM3 +(\d+ %|lost|unknown)", card, re.MULTILINE))


def waits_for(desk: Desk, cell: str, shown: dict[str, str]) -> str:
    """The first card of the running cell that says so."""
    seen: list[str] = []

    def found() -> str | None:
        seen[:] = [each["text/plain"] for each in desk.kernel.peek(cell).cards]
        return next((card for card in seen if now_of(card) == shown), None)

    return eventually(found, f"{shown}; last: {seen[-1:]}")


def test_the_card_shows_what_the_gpus_do_and_which_one_is_lost(there: Desk, node: Node) -> None:
    node.show(40)
    cell = there.kernel.send(
        f"%%kubetrain --gpus 2 --name watched\nimport os\nprint(os.environ['NVIDIA_VISIBLE_DEVICES'])\n{UNTIL_HOT}"
    )
    waits_for(there, cell, {"GPU 0": "40 %", "GPU 1": "40 %"})
    uuids = re.search(r"GPU-\S+", there.kernel.peek(cell).stdout)
    assert uuids
    node.show(93, 64)
    # NVML counts devices in the order of the node, whatever the order in which they were given out.
    node.lose(max(uuids[0].split(",")))
    card = waits_for(there, cell, {"GPU 0": "93 %", "GPU 1": "lost"})
    assert re.search(r"^  GPU 0 memory +68\.7 GB ", card, re.MULTILINE), card
    assert "  lost  " in card
    node.show(0, celsius=HOT)
    ran = there.kernel.finish(cell)
    assert ran.error is None, ran
    last = ran.cards[-1]["text/plain"]
    assert "succeeded after" in last
    assert re.search(r"^  GPU 0 NVIDIA H100 80GB HBM3 .* 93 %", last, re.MULTILINE), last
    assert re.search(r"^  idle GPU-hours +\S+ of 0\.\d+ that were measured", last, re.MULTILINE), last


@pytest.mark.long
def test_how_soon_a_change_is_shown(there: Desk, node: Node) -> None:
    """Printed, not asserted: at most 6 s are the runner's, and a busy machine has no bounds."""
    node.show(1)
    cell = there.kernel.send(f"%%kubetrain --gpus 1 --name measured\n{UNTIL_HOT}")
    waits_for(there, cell, {"GPU 0": "1 %"})
    late = []
    for percent in range(2, 14):
        time.sleep(0.4 * percent)  # so that it meets a batch anywhere
        changed = node.show(percent)
        waits_for(there, cell, {"GPU 0": f"{percent} %"})
        late.append(time.monotonic() - changed)
    sys.stdout.write(f"\nfrom the driver to the card: {', '.join(f'{each:.1f}' for each in sorted(late))} s\n")
    node.show(0, celsius=HOT)
    assert there.kernel.finish(cell).error is None


@pytest.mark.long
def test_eight_gpus_stay_within_the_budget(there: Desk, node: Node, cluster: Cluster) -> None:
    """By the bytes of a real log: of its batches of 5 s and, as large as three of those, the later ones of 15 s."""
    node.show(100, 79)
    there.right(f"%%kubetrain --gpus 8 --name eight --detach\n{UNTIL_HOT}")
    assert there.space
    raw: list[bytes] = []

    def batches() -> list[bytes]:
        said = cluster.kubectl(
            "logs", "job/eight", f"--namespace={there.space.name if there.space else ''}", check=False
        )
        raw[:] = said.stdout.encode().splitlines(keepends=True)
        return [line for line in raw if (protocol.decode(line.rstrip(b"\n")).event or {}).get("e") == "sample"]

    eventually(lambda: len(batches()) >= 5, "five batches")
    fullest = max(map(len, batches()))
    others = 900 * max(len(line) for line in raw if b'"beat"' in line or b'"mark"' in line)
    an_hour = 120 * fullest + 200 * 1.5 * fullest + others
    sys.stdout.write(f"\neight GPUs: {fullest} bytes a batch, under {an_hour:,.0f} bytes an hour\n")
    assert an_hour < 500_000
    assert re.search(r"^node-0 +\? +\? +8 +\?$", there.right("%kube gpus").text, re.MULTILINE), "as far as rights go"
    command = [sys.executable, "-m", "kube_magics.terminal", "gpus"]
    admin = {**os.environ, "KUBECONFIG": str(cluster.admin_kubeconfig), "KUBE_MAGICS_CONTEXT": cluster.context}
    every = subprocess.run(command, env=admin, capture_output=True, text=True, check=True).stdout
    assert re.search(r"^node-0 +NVIDIA-H100-80GB-HBM3 +8 +8 +0$", every, re.MULTILINE), every
    node.show(0, celsius=HOT)
    card = there.right("%kube attach eight").cards[-1]["text/plain"]
    assert "succeeded after" in card
    assert card.count("NVIDIA H100 80GB HBM3") == 8


@pytest.mark.long
def test_without_a_driver_the_card_says_unknown(there: Desk, node: Node) -> None:
    node.show(40, nvmlInit_v2=9)
    cell = there.kernel.send("%%kubetrain --gpus 1 --name driverless\nimport time\ntime.sleep(8)")
    ran = there.kernel.finish(cell)
    assert ran.error is None, ran
    for card in (ran.cards[-3]["text/plain"], ran.cards[-1]["text/plain"]):
        assert re.search(r"^  GPU +unknown +.*1 asked for", card, re.MULTILINE), card
    assert "idle GPU-hours  unknown" in ran.cards[-1]["text/plain"]


@pytest.mark.long
def test_a_gpu_that_is_lost_from_the_start_is_shown_as_lost(there: Desk, node: Node) -> None:
    node.show(40)
    for each in numbers.idle().devices[1:]:
        node.lose(each.uuid)
    cell = there.kernel.send(f"%%kubetrain --gpus 8 --name one-of-eight\n{UNTIL_HOT}")
    seen = eventually(
        lambda: next((c["text/plain"] for c in there.kernel.peek(cell).cards if "GPU 7 " in c["text/plain"]), ""),
        "GPU 7",
    )
    eventually(lambda: "lost" in there.kernel.peek(cell).cards[-1]["text/plain"], f"that they are lost: {seen}")
    card = there.kernel.peek(cell).cards[-1]["text/plain"]
    assert re.search(r"^  GPU 0 NVIDIA H100 80GB HBM3 +40 %", card, re.MULTILINE), card
    assert re.search(r"^  lost +GPUs 1, 2, 3, 4, 5, 6, 7: ", card, re.MULTILINE), card
    node.show(0, celsius=HOT)
    assert there.kernel.finish(cell).error is None


@pytest.mark.long
def test_of_parts_of_a_gpu_the_memory_is_shown_and_the_rest_unknown(there: Desk, node: Node, cluster: Cluster) -> None:
    """MIG devices, which a device plugin gives out in the place of their GPU: of them drivers tell no more."""
    parts = numbers.divided(0, [3 << 30, 5 << 30])
    numbers.write(node.path, numbers.Numbers(parts))
    offers(cluster, len(parts) - 1)
    try:
        ran = there.right(
            "%%kubetrain --gpus 2 --name parts --returns given\n"
            "import os, time\ngiven = os.environ['NVIDIA_VISIBLE_DEVICES'].count('MIG-')\ntime.sleep(12)"
        )
    finally:
        numbers.write(node.path, numbers.idle())
        offers(cluster, numbers.COUNT)
    assert there.kernel.value("given") == "2"
    during = [card for each in ran.cards if "  running" in (card := each["text/plain"]) and "GB" in card][-1]
    for number, used in enumerate(("3.2 GB", "5.4 GB")):
        assert re.search(rf"^  GPU {number} NVIDIA H100 80GB HBM3 MIG 1g\.10gb +unknown", during, re.MULTILINE), during
        assert re.search(rf"^  GPU {number} memory +{re.escape(used)} ", during, re.MULTILINE), during
    assert "idle GPU-hours  unknown" in ran.cards[-1]["text/plain"]


def offers(cluster: Cluster, count: int) -> None:
    """The kubelet has told so many GPUs to the cluster."""
    asked = ("get", "nodes", "--output=jsonpath={.items[0].status.allocatable.nvidia\\.com/gpu}")
    eventually(lambda: cluster.kubectl(*asked).stdout == str(count), f"{count} GPUs of the node")
