"""The commonest causes, as a user's own `%kube why` tells them, with a user's rights and in their options' words."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping

import pytest

from tests.acceptance.desk import Desk, admin_of, environment, eventually
from tests.cluster import Cluster

pytestmark = [pytest.mark.cluster, pytest.mark.jobs]

HOARDS = "hoard = bytearray(300 << 20)\nprint(sum(hoard[::4096]))"
COMMON: Mapping[str, tuple[str, str, str, str]] = {
    "no-image": ("--image absent.invalid/team/torch:1", "1", "cannot be pulled", "next: correct --image"),
    "too-many-cpus": ("--cpus 900", "1", "No node has that much CPU or memory free.", "next: ask for less --cpus"),
    "over-quota": ("--gpus 1", "1", "The namespace's quota does not allow this job.", "next: %kube jobs shows what holds"),
    "no-secret": ("--secret absent:key=TOKEN", "1", "There is no Secret absent in the job's namespace.", "next: correct --secret"),
    "out-of-memory": ("--memory 128Mi", HOARDS, "killed at its memory limit", "next: a larger --memory"),
}  # fmt: skip
"""Options, cell, and parts of the answer: what it is, what to type next."""


@pytest.fixture(scope="module")
def planted(there: Desk, cluster: Cluster) -> Iterator[Desk]:
    space = admin_of(there)
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "no-gpus", "namespace": space.name}}
    cluster.kubectl.apply({**quota, "spec": {"hard": {"requests.nvidia.com/gpu": "0"}}})
    eventually(
        lambda: "hard" in space.admin.get("quota", "no-gpus", f"--namespace={space.name}")["status"], "the quota"
    )
    for name, (options, cell, *_) in COMMON.items():
        there.right(f"%%kubetrain --name {name} --detach --cpus 20m {options}\n{cell}")
    yield there
    there.right(f"%kube delete {' '.join(COMMON)}")


@pytest.mark.parametrize("name", COMMON)
def test_a_common_cause(planted: Desk, name: str) -> None:
    _, _, sentence, following = COMMON[name]
    told = eventually(lambda: text if sentence in (text := planted.right(f"%kube why {name}").text) else "", sentence)
    assert following in told
    assert "said: " in told


def test_a_terminal_is_told_beside_the_output_as_it_is_typed_there(planted: Desk) -> None:
    (planted.folder / "one.py").write_text("print(1)\n")
    command = [sys.executable, "-m", "kube_magics.terminal", "run", "--name", "typed", "--cpus", "900", "one.py"]
    given = {**os.environ, **environment(planted), "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        command, env=given, cwd=planted.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stderr is not None
        line = next(line for line in running.stderr if line.startswith("  next: "))
        planted.right("%kube delete typed")
        out, said = running.communicate(timeout=120)
    assert line.endswith("(kube-magics jobs)\n")
    assert (out, "JobDeleted" in said) == ("", True), said
