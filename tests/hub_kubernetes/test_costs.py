"""What a hub on Kubernetes costs: until somebody's JupyterLab is there, in memory, and in requests of the API server.

    python -m pytest -s -m cluster tests/hub_kubernetes/test_costs.py

prints it. The processes are this machine's, pods included.
"""

from __future__ import annotations

import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest
from userspace.settings import NOTEBOOK_ACCOUNT

from tests.browser import lab
from tests.cluster import Cluster
from tests.held import held
from tests.hub_kubernetes.accounts import hub_account
from tests.hub_kubernetes.counted import Counted, counted
from tests.hub_kubernetes.person import Person, person
from tests.hub_kubernetes.provider import login, provider
from tests.hub_kubernetes.running import Hub, hub, in_cluster

pytest.importorskip("kubespawner", reason="the hub's own packages are not installed")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.cluster,
    pytest.mark.long,
    pytest.mark.timeout(900),
    pytest.mark.skipif(find_spec("oidc_provider_mock") is None, reason="the tests' login provider is not installed"),
]

IDLE_S = 60.0
TRAINS = "%%kubetrain --cpus 50m --returns answer\nanswer = 6 * 7"
STAMP = r"^\[\w (\S+ \S+) JupyterHub \S+\] "


def test_what_a_user_costs(cluster: Cluster, tmp_path: Path) -> None:
    """Printed, but for this: a user who does nothing asks nothing of the API server, whatever they have open."""
    if reason := lab.why_not():
        pytest.skip(reason)
    with hub_account(cluster, tmp_path) as account:
        space = account.site.hub_namespace
        ada, bob = (account.user(name) for name in ("ada", "bob"))
        accounts = {"hub": (space, "hub")} | {each.name: (each.namespace, NOTEBOOK_ACCOUNT) for each in (ada, bob)}
        with (
            provider({ada.name: ["ml"], bob.name: ["ml"]}) as address,
            counted(account.admin, space, accounts) as asked,
            hub(tmp_path, in_cluster(account, cluster) | login(address, address)) as running,
        ):
            with person(tmp_path, ada.name) as somebody:
                arrives(somebody, running)
                told(running, "before a notebook is opened", ada.name)
                book = somebody.notebook()
                opened = idle(asked, "an open notebook")
                book.write(0, TRAINS)
                book.says(0, re.compile("job .* done in"))
                trained = idle(asked, "one that has trained")
            with person(tmp_path, bob.name) as somebody:
                arrives(somebody, running)
                somebody.notebook()
                both = idle(asked, "and a second user's")
                told(running, "with a notebook each", ada.name, bob.name)
            in_all = asked.now()
    assert in_all["hub", "create"], "nothing is counted"
    assert in_all[ada.name, "create"], "nothing is counted"
    assert {who for found in (opened, trained, both) for who, _ in found} == {"hub"}


def arrives(somebody: Person, running: Hub) -> None:
    somebody.arrive(running.address)
    began = time.monotonic()
    somebody.log_in()
    somebody.start("cpu")
    say(
        f"{somebody.name}: from the login to JupyterLab {time.monotonic() - began:.1f} s, "
        f"of these from the pod to a server that answers {spawned_s(running, somebody.name):.1f} s"
    )


def spawned_s(running: Hub, name: str) -> float:
    """As the hub's log has it: until it has reached the server through its pod's address."""
    pod = re.search(rf"{STAMP}Attempting to create pod jupyter-{name}\b", running.said(), re.MULTILINE)
    there = re.search(rf"{STAMP}User {name} took \S+ seconds to start", running.said(), re.MULTILINE)
    assert pod, running.said()
    assert there, running.said()
    at, until = (datetime.fromisoformat(each[1]) for each in (pod, there))
    return (until - at).total_seconds()


def idle(asked: Counted, what: str) -> Counter[tuple[str, str]]:
    """What is asked meanwhile."""
    before = asked.now()
    time.sleep(IDLE_S)
    found = asked.now() - before
    each = [f"{who} {verb} {count * 60 / IDLE_S:g}" for (who, verb), count in sorted(found.items())]
    say(f"{what}: requests of the API server a minute: {', '.join(each) or 'none'}")
    return found


def told(running: Hub, what: str, *users: str) -> None:
    each = [f"{who} {held(pid).memory_mb:.0f} MB" for who, pid in processes(running, *users)]
    say(f"{what}: memory (PSS) {', '.join(each)}")


def processes(running: Hub, *users: str) -> Iterator[tuple[str, int]]:
    """What it is, and its number on this machine."""
    yield "hub", running.process.pid
    for each in psutil.Process(running.process.pid).children():
        yield "proxy", each.pid
    for each in psutil.process_iter(["cmdline", "environ"]):
        user = (each.info["environ"] or {}).get("JUPYTERHUB_USER")
        line = " ".join(each.info["cmdline"] or [])
        if user in users:
            what = "server" if "jupyterhub.singleuser" in line else "kernel" if "ipykernel" in line else line
            yield f"{user}'s {what}", each.pid


def say(line: str) -> None:
    sys.stdout.write(f"\n{line}")
