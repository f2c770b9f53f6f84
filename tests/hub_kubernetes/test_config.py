"""hub-config/jupyterhub_config.py as JupyterHub reads it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.paths import CHECKOUT
from tests.hub_kubernetes.edited import edited

FILE = CHECKOUT / "hub-config" / "jupyterhub_config.py"


@pytest.fixture(autouse=True)
def _hub() -> None:
    # Not at the top: a second of every process.
    pytest.importorskip("kubespawner", reason="the hub's own packages are not installed")


def read(monkeypatch: pytest.MonkeyPatch, file: Path = FILE, **given: str) -> Any:
    """The configuration where these HUB_ variables are set."""
    from traitlets.config.loader import PyFileConfigLoader

    for name, value in given.items():
        monkeypatch.setenv(f"HUB_{name}", value)
    monkeypatch.setattr("sys.path", list(sys.path))
    # The page of the file that is read, whichever was imported before.
    monkeypatch.delitem(sys.modules, "profiles", raising=False)
    try:
        return PyFileConfigLoader(file.name, path=str(file.parent)).load_config()
    finally:
        sys.modules.pop("profiles", None)


@pytest.mark.jobs  # JupyterHub's imports take seconds
def test_every_setting_is_one_that_its_class_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelled one would be passed over in silence."""
    from jupyterhub.app import JupyterHub
    from jupyterhub.auth import Authenticator
    from jupyterhub.authenticators.shared import SharedPasswordAuthenticator
    from jupyterhub.spawner import Spawner
    from kubespawner import KubeSpawner
    from oauthenticator.generic import GenericOAuthenticator

    known = {
        each.__name__: set(each.class_trait_names(config=True))
        for each in (
            JupyterHub,
            Authenticator,
            SharedPasswordAuthenticator,
            Spawner,
            KubeSpawner,
            GenericOAuthenticator,
        )
    }
    for login in ("oidc", "shared-password"):
        found = read(monkeypatch, LOGIN=login)
        for section, values in found.items():
            # `environment` is one of Spawner's.
            assert set(values) <= known[section], section


def test_groups_of_the_login_say_who_may_in(monkeypatch: pytest.MonkeyPatch) -> None:
    found = read(monkeypatch, ALLOWED_GROUPS="ml, vision", ADMIN_GROUPS="ops").GenericOAuthenticator
    assert (found.allowed_groups, found.admin_groups, found.manage_groups) == ({"ml", "vision"}, {"ops"}, True)
    assert "allow_all" not in found


def test_a_login_that_does_not_exist_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match="HUB_LOGIN=native: it is oidc or shared-password"):
        read(monkeypatch, LOGIN="native")


def test_a_home_is_a_claim_or_said_to_be_none(monkeypatch: pytest.MonkeyPatch) -> None:
    spawner = read(monkeypatch, HOME_SIZE="20Gi").KubeSpawner
    assert (spawner.storage_capacity, spawner.volumes[0]["persistentVolumeClaim"]) == ("20Gi", {"claimName": "home"})
    spawner = read(monkeypatch, HOME_SIZE="none").KubeSpawner
    assert (spawner.storage_pvc_ensure, spawner.volumes) == (False, [{"name": "home", "emptyDir": {}}])


def test_the_servers_pod_passes_pod_security(monkeypatch: pytest.MonkeyPatch) -> None:
    spawner = read(monkeypatch).KubeSpawner
    assert spawner.container_security_context == {
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert (spawner.allow_privilege_escalation, spawner.uid) == (False, 1000)
    assert spawner.service_account == "kube-magics-notebook"


def as_the_chart_loads_it(folder: Path, file: Path) -> Path:
    """By what values.yaml says of it, after the chart has set a role of its culler's."""
    values = yaml.safe_load((FILE.parent / "values.yaml").read_text())
    ours = values["hub"]["extraConfig"]["kube-magics"].replace(
        "/srv/kube-magics/config/jupyterhub_config.py", str(file)
    )
    chart = folder / "chart.py"
    chart.write_text(f"c = get_config()\nc.JupyterHub.load_roles = [{{'name': 'culler'}}]\nexec({ours!r})\n")
    return chart


def test_a_teams_role_stands_beside_the_charts_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = edited(tmp_path, TEAMS='(Team("vision", group="ml-vision"),)')
    culler, team = read(monkeypatch, as_the_chart_loads_it(tmp_path, file)).JupyterHub.load_roles
    assert culler == {"name": "culler"}
    assert (team["groups"], team["users"]) == (["ml-vision"], ["team-vision"])
    assert team["scopes"] == ["access:servers!user=team-vision", "servers!user=team-vision"]


def test_a_chart_that_does_not_find_it_starts_no_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read(monkeypatch, as_the_chart_loads_it(tmp_path, tmp_path / "not-there.py"))


def test_without_teams_there_is_no_role(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(read(monkeypatch).JupyterHub.load_roles.get_value([])) == []


def test_nobody_logs_in_as_a_team() -> None:
    from tornado.web import HTTPError
    from userspace import teams
    from userspace.settings import Site, Team

    after_login = teams.refused(Site(teams=(Team("vision", group="ml-vision"),)))
    ada = {"name": "ada", "groups": ["ml-vision"]}
    assert after_login(None, None, ada) is ada
    with pytest.raises(HTTPError, match="team-vision is a team's server: log in as yourself"):
        after_login(None, None, {"name": "team-vision"})


def test_no_users_failed_starts_end_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """As after five of them the chart would."""
    assert read(monkeypatch).Spawner.consecutive_failure_limit == 0
