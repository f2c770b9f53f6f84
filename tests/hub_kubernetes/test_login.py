"""Login by OpenID Connect, at a real provider: groups say who may in, who is an administrator, and how much somebody has.

No cluster is asked before a server starts, so there is none.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

import pytest
import requests
import yaml

from tests.acceptance.desk import NOWHERE
from tests.faults.proxy import Proxy
from tests.hub.visitor import Visitor
from tests.hub_kubernetes.edited import edited
from tests.hub_kubernetes.provider import login, provider
from tests.hub_kubernetes.running import Hub, hub

pytest.importorskip("kubespawner", reason="the hub's own packages are not installed")
pytestmark = [
    pytest.mark.jobs,
    # Its own import warns of what it is made of, and it runs as a program.
    pytest.mark.skipif(find_spec("oidc_provider_mock") is None, reason="the tests' login provider is not installed"),
]

PEOPLE = {"ada": ["ml", "gpu-heavy"], "bob": ["ml"], "eve": ["sales"], "olga": ["ops"], "team-heavy": ["ml"]}
"""The last is called as the server of a team."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The provider's."""
    with provider(PEOPLE) as made:
        yield made


@pytest.fixture(scope="module")
def link(address: str) -> Iterator[Proxy]:
    """Between the hub and the provider; of browsers none."""
    made = Proxy("127.0.0.1", int(address.rpartition(":")[2]))
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def running(address: str, link: Proxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    folder = tmp_path_factory.mktemp("hub")
    kubeconfig = folder / "config"
    kubeconfig.write_text(yaml.safe_dump(NOWHERE))
    given = {
        "TEST_CONFIG": str(edited(folder, TEAMS='(Team("heavy", group="gpu-heavy"),)')),
        "KUBECONFIG": str(kubeconfig),
        **login(address, f"http://127.0.0.1:{link.port}"),
    }
    with hub(folder, given) as made:
        yield made


def logged_in(running: Hub, name: str) -> tuple[Visitor, requests.Response]:
    """Through the provider's page, as a browser goes; with the page at the end."""
    visitor = running.visitor(name)
    page = at_login(visitor)
    assert "Authorize Client" in page.text, page.text
    return visitor, visitor.web.post(page.url, data={"sub": f"id-{name}"}, timeout=60)


def at_login(visitor: Visitor) -> requests.Response:
    """The provider's page, where the hub sends whoever comes."""
    return visitor.web.get(f"{visitor.address}/hub/oauth_login?next=%2Fhub%2Fhome", timeout=60)


def profiles(visitor: Visitor, page: str = "/hub/spawn") -> set[str]:
    """What the page offers that starts a server."""
    page = visitor.web.get(f"{visitor.address}{page}", timeout=60).text
    return {slug for slug in ("cpu", "large", "gpu", "gpus", "eight") if f'value="{slug}"' in page}


def test_whoever_is_in_an_allowed_group_is_in(running: Hub) -> None:
    _, page = logged_in(running, "ada")
    assert (page.status_code, page.url) == (200, f"{running.address}/hub/home"), page.text


def test_whoever_is_in_none_is_not(running: Hub) -> None:
    visitor, page = logged_in(running, "eve")
    assert page.status_code == 403
    assert visitor.web.get(f"{running.address}/hub/home", timeout=60).url != f"{running.address}/hub/home"


def test_an_admins_group_makes_administrators_and_no_other_does(running: Hub) -> None:
    pages = {
        name: logged_in(running, name)[0].web.get(f"{running.address}/hub/admin", timeout=60)
        for name in ("olga", "ada")
    }
    assert {name: page.status_code for name, page in pages.items()} == {"olga": 200, "ada": 403}


def test_a_groups_quota_decides_what_is_offered(running: Hub) -> None:
    assert profiles(logged_in(running, "ada")[0]) == {"cpu", "large", "gpu", "gpus", "eight"}
    assert profiles(logged_in(running, "bob")[0]) == {"cpu", "large", "gpu", "gpus"}


def test_a_teams_server_is_its_members_to_start_within_their_groups_quota(running: Hub) -> None:
    ada, bob = (logged_in(running, name)[0] for name in ("ada", "bob"))
    assert "eight" in profiles(ada, "/hub/spawn/team-heavy")
    assert profiles(bob, "/hub/spawn/team-heavy") == set()
    assert bob.web.get(f"{running.address}/hub/spawn/team-heavy", timeout=60).status_code in (403, 404)


def test_nobody_logs_in_as_a_team(running: Hub) -> None:
    _, page = logged_in(running, "team-heavy")
    assert (page.status_code, "log in as yourself" in page.text) == (403, True), page.text


def test_a_provider_that_is_away_is_said_and_leaves_those_who_are_logged_in_alone(running: Hub, link: Proxy) -> None:
    ada, _ = logged_in(running, "ada")
    bob = running.visitor("bob")
    began = len(running.said())
    with link.refusing():
        assert away(at_login(bob))
        assert ada.web.get(f"{running.address}/hub/home", timeout=60).url == f"{running.address}/hub/home"
    assert "Traceback" not in running.said()[began:]
    assert logged_in(running, "bob")[1].status_code == 200


def test_so_is_one_that_goes_away_while_somebody_types_their_password(running: Hub, link: Proxy) -> None:
    bob = running.visitor("bob")
    page = at_login(bob)
    began = len(running.said())
    with link.refusing():
        assert away(bob.web.post(page.url, data={"sub": "id-bob"}, timeout=60))
    assert "Traceback" not in running.said()[began:]


def away(page: requests.Response) -> bool:
    """Whether it says so."""
    told = "The login of your organisation (127.0.0.1) does not answer, so nobody can log in now."
    return page.status_code == 503 and told in page.text and "Traceback" not in page.text
