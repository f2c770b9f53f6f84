"""What JupyterHub is told on one machine: by JupyterHub's own classes."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from onemachine import hub, passwords
from onemachine.options import VARIABLE, Options
from traitlets.config import Config, PyFileConfigLoader

if importlib.util.find_spec("jupyterhub") is None:
    pytest.skip("not installed: jupyterhub (make hub brings it)", allow_module_level=True)


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def told(**asked: Any) -> Config:
        monkeypatch.setenv(VARIABLE, Options(state=str(tmp_path), **asked).encode())
        monkeypatch.setenv(hub.PROXY_VARIABLE, "node\n/srv/the proxy")
        return PyFileConfigLoader(hub.CONFIG.name, str(hub.CONFIG.parent)).load_config()

    return told


@pytest.mark.jobs  # JupyterHub's imports take seconds
def test_every_value_is_one_that_jupyterhub_has(told: Any) -> None:
    from jupyterhub.app import JupyterHub
    from jupyterhub.auth import Authenticator, PAMAuthenticator
    from jupyterhub.authenticators.shared import SharedPasswordAuthenticator
    from jupyterhub.proxy import ConfigurableHTTPProxy
    from jupyterhub.spawner import LocalProcessSpawner, SimpleLocalProcessSpawner, Spawner

    known = {
        each.__name__: each.class_traits(config=True)
        for each in (
            *(JupyterHub, Authenticator, PAMAuthenticator, SharedPasswordAuthenticator, ConfigurableHTTPProxy),
            *(LocalProcessSpawner, SimpleLocalProcessSpawner, Spawner),
        )
    }
    for asked in ({}, {"system_users": True, "login": "pam"}, {"tls_cert": "/c", "tls_key": "/k", "cull_after_s": 0}):
        for section, values in told(**asked).items():
            assert not set(values) - set(known[section]), section


def test_all_that_it_keeps_is_below_its_folder(told: Any, tmp_path: Path) -> None:
    config = told(port=9000)
    assert config.JupyterHub.db_url == f"sqlite:///{tmp_path}/jupyterhub.sqlite"
    assert config.JupyterHub.cookie_secret_file == f"{tmp_path}/cookie_secret"
    assert config.ConfigurableHTTPProxy.pid_file == f"{tmp_path}/proxy.pid"
    assert config.SimpleLocalProcessSpawner.home_dir_template == f"{tmp_path}/homes/{{username}}"


def test_only_the_proxy_faces_the_network(told: Any) -> None:
    config = told(host="0.0.0.0", port=9000, tls_cert="/c.pem", tls_key="/k.pem")
    assert config.JupyterHub.bind_url == "https://0.0.0.0:9000"
    assert (config.JupyterHub.hub_ip, config.JupyterHub.hub_port) == ("127.0.0.1", 9001)
    assert config.ConfigurableHTTPProxy.api_url == "http://127.0.0.1:9002"
    assert (config.JupyterHub.ssl_cert, config.JupyterHub.ssl_key) == ("/c.pem", "/k.pem")
    assert config.ConfigurableHTTPProxy.command == ["node", "/srv/the proxy"]


def test_everyone_who_has_the_password_or_only_who_is_named(told: Any, tmp_path: Path) -> None:
    everyone, named = told(admin="root-of-it"), told(users=("ada", "bob"))
    kept = passwords.passwords(tmp_path)
    assert everyone.Authenticator.allow_all is True
    assert everyone.Authenticator.admin_users == {"root-of-it"}
    assert everyone.SharedPasswordAuthenticator.admin_password == kept.admin
    assert everyone.SharedPasswordAuthenticator.user_password == kept.user
    assert "allow_all" not in named.Authenticator
    assert named.Authenticator.allowed_users == {"ada", "bob"}
    assert named.SharedPasswordAuthenticator.admin_password is None


def test_system_users_are_people_never_root(told: Any) -> None:
    config = told(system_users=True)
    assert "allow_all" not in config.Authenticator
    assert not {"root", "daemon", "nobody"} & config.Authenticator.allowed_users
    assert config.JupyterHub.spawner_class == "jupyterhub.spawner.LocalProcessSpawner"
    assert "--allow-root" not in config.Spawner.args


def test_pam_knows_no_shared_password(told: Any) -> None:
    config = told(system_users=True, login="pam")
    assert config.JupyterHub.authenticator_class == "pam"
    assert "SharedPasswordAuthenticator" not in config


def test_jobs_are_of_this_machine_and_no_secret_of_the_hub_reaches_a_server(told: Any) -> None:
    config = told()
    assert config.Spawner.environment["KUBE_MAGICS_BACKEND"] == "local"
    assert "env_keep" not in config.Spawner
    assert not {VARIABLE, hub.PROXY_VARIABLE} & set(config.Spawner.environment)


def test_the_culler_may_see_who_is_idle_and_stop_their_server(told: Any) -> None:
    config = told(cull_after_s=60)
    (role,) = config.JupyterHub.load_roles
    assert role["scopes"] == ["list:users", "read:users:activity", "read:servers", "delete:servers"]
    (culler,) = config.JupyterHub.services
    assert culler["command"][-1] == "--timeout=60"
    assert Options.decode(culler["environment"][VARIABLE]).cull_after_s == 60
    # Who works is heard of several times within what counts as idle.
    assert config.JupyterHub.last_activity_interval == 15
    assert config.Spawner.environment["JUPYTERHUB_ACTIVITY_INTERVAL"] == "15"
    assert told().JupyterHub.last_activity_interval == 300
    assert "services" not in told(cull_after_s=0).JupyterHub
