"""Two people at a hub on Kubernetes, each in a browser: from the login page to a value, and to the end of a quota."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import pytest
from playwright.sync_api import expect
from userspace.settings import User

from tests.acceptance.desk import eventually
from tests.browser import lab
from tests.browser.book import Book
from tests.cluster import Cluster
from tests.cluster.gpu import numbers
from tests.hub_kubernetes.accounts import HubAccount, hub_account
from tests.hub_kubernetes.person import PATIENCE_MS, person
from tests.hub_kubernetes.provider import login, provider
from tests.hub_kubernetes.running import hub, in_cluster

pytest.importorskip("kubespawner", reason="the hub's own packages are not installed")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.cluster,
    pytest.mark.long,
    # Its own import warns of what it is made of, and it runs as a program.
    pytest.mark.skipif(find_spec("oidc_provider_mock") is None, reason="the tests' login provider is not installed"),
]

TRAINS = """%%kubetrain --cpus 50m --gpus 2 --name trains --returns answer
import os, time
print("on", os.environ["NVIDIA_VISIBLE_DEVICES"], flush=True)
while not os.path.exists("/tmp/go"):
    time.sleep(0.2)
answer = 6 * 7
print("trained")"""
HOLDS = """%%kubetrain --cpus 50m --gpus 2 --name holds --detach
import time
time.sleep(600)"""
ONE_MORE = "%%kubetrain --cpus 50m --gpus 1 --name one-more\n1"
GPUS = "requests.nvidia.com/gpu"


@dataclass(frozen=True)
class Gpus:
    """Those of one job, on the node whose driver everybody's jobs ask."""

    path: Path
    uuids: frozenset[str]

    def show(self, percent: int, used_gib: int) -> None:
        """From now on they do this; all others do what they did."""
        now = numbers.read(self.path)
        did = {"utilisation": percent, "memory_used": used_gib * 2**30}
        every = [replace(each, **did) if each.uuid in self.uuids else each for each in now.devices]
        numbers.write(self.path, replace(now, devices=every))


def test_two_people_train_on_gpus_and_none_beyond_their_quota(cluster: Cluster, tmp_path: Path) -> None:
    if reason := lab.why_not():
        pytest.skip(reason)
    with hub_account(cluster, tmp_path) as account:
        ada, bob = (account.user(name) for name in ("ada", "bob"))
        with (
            provider({ada.name: ["ml"], bob.name: ["ml"]}) as address,
            hub(tmp_path, in_cluster(account, cluster) | login(address, address)) as running,
        ):
            with person(tmp_path, ada.name) as somebody:
                somebody.arrive(running.address)
                somebody.page.screenshot(path=tmp_path / "login.png")
                somebody.log_in()
                somebody.page.screenshot(path=tmp_path / "profiles.png")
                assert not has_a_namespace(account, ada)
                somebody.start("cpu")
                assert has_a_namespace(account, ada)
                book = somebody.notebook()
                trains(book, account, ada, cluster.nvml_numbers, tmp_path / "ada.png")
                is_refused_a_third_gpu(book, account, ada)
                somebody.page.screenshot(path=tmp_path / "quota.png")
                expect(somebody.page.get_by_text("Jupyter news")).to_have_count(0)
            # Beside her job, which holds all of her quota and none of his.
            with person(tmp_path, bob.name) as somebody:
                somebody.arrive(running.address)
                somebody.log_in()
                somebody.start("cpu")
                trains(somebody.notebook(), account, bob, cluster.nvml_numbers, tmp_path / "bob.png")


def has_a_namespace(account: HubAccount, user: User) -> bool:
    return account.admin("get", "namespace", user.namespace, check=False).returncode == 0


def trains(book: Book, account: HubAccount, user: User, driver: Path, picture: Path) -> None:
    """In the notebook's first two cells, with nothing loaded by hand."""
    book.write(0, TRAINS)
    book.says(0, re.compile(r"on GPU-\S+,GPU-\S+"))
    found = re.search(r"on (GPU-\S+),(GPU-\S+)", book.output(0))
    assert found
    gpus = Gpus(driver, frozenset(found.groups()))
    try:
        for percent, used_gib, said in ((35, 20, "21.5 GB"), (87, 64, "68.7 GB")):
            gpus.show(percent, used_gib)
            for at in (0, 1):
                rows = book.card(0).locator("tr").filter(has_text=re.compile(f"^GPU {at} "))
                expect(rows.filter(has_text="NVIDIA H100")).to_contain_text(f"{percent} %", timeout=PATIENCE_MS)
                expect(rows.filter(has_text="memory")).to_contain_text(said, timeout=PATIENCE_MS)
        book.page.screenshot(path=picture)
    finally:
        gpus.show(0, 0)
    go(account, user)
    book.says(0, "trained")
    book.says(0, "job trains done in")
    expect(book.card(0)).to_contain_text("succeeded after", timeout=PATIENCE_MS)
    book.write(1, "answer + 1")
    book.says(1, "43")


def go(account: HubAccount, user: User) -> None:
    """The job may end."""
    here = f"--namespace={user.namespace}"
    [pod] = account.admin.get("pods", here, "--selector=job-name=trains")["items"]
    account.admin("exec", pod["metadata"]["name"], here, "--", "touch", "/tmp/go")


def is_refused_a_third_gpu(book: Book, account: HubAccount, user: User) -> None:
    """In the two cells below: their quota has two, and a job that was detached holds them."""
    book.write(2, HOLDS)
    book.says(2, "job holds")

    def used() -> str:
        status = account.admin.get("resourcequota", "kube-magics-user", f"--namespace={user.namespace}")["status"]
        return str(status["used"][GPUS])

    eventually(lambda: used() == "2", "both GPUs in the quota")
    book.write(3, ONE_MORE)
    book.says(3, "The namespace's quota does not allow this job.")
    book.says(3, f"exceeded quota: kube-magics-user, requested: {GPUS}=1, used: {GPUS}=2, limited: {GPUS}=2")
