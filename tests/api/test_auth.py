"""Kubeconfigs of every kind, as real files: what each becomes, and the sentence where one cannot be used."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import stat
import traceback
from pathlib import Path
from typing import Any

import pytest
import yaml

from kube_magics.cluster import auth
from kube_magics.cluster.client import Client
from kube_magics.errors import ConfigError
from tests.api import certificates
from tests.api.servers import kubeconfig, load

SERVER = "https://10.0.0.1:6443"
SECRET = {"token": "t0ken"}


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def write(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return path


def access(tmp_path: Path, user: dict[str, Any] | None = None, **cluster: Any) -> auth.Access:
    return load(write(tmp_path / "config", kubeconfig(SERVER, user, **cluster)))


def plugin(tmp_path: Path, said: str, code: int = 0) -> dict[str, Any]:
    script = write(tmp_path / "login", f"#!/bin/sh\ncat <<'END'\n{said}\nEND\necho 'please log in' >&2\nexit {code}\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    api_version = "client.authentication.k8s.io/v1"
    return {"exec": {"apiVersion": api_version, "command": str(script), "interactiveMode": "Never"}}


def credential(**status: Any) -> str:
    kind = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"}
    return json.dumps({**kind, "status": status})


def test_a_token(tmp_path: Path) -> None:
    found = access(tmp_path, {"token": "abc"})
    assert found.headers() == {"Authorization": "Bearer abc"}
    assert (found.context, found.namespace, found.server) == ("lab", "team", SERVER)
    assert "abc" not in repr(found)


def test_a_token_file(tmp_path: Path) -> None:
    assert access(tmp_path, {"tokenFile": str(write(tmp_path / "token", "abc\n"))}).headers() == {
        "Authorization": "Bearer abc"
    }


def test_nobody(tmp_path: Path) -> None:
    assert access(tmp_path).headers() == {}


def test_a_client_certificate_in_files_and_inline(tmp_path: Path) -> None:
    pem, key = certificates.make(tmp_path, "me")
    in_files = access(tmp_path, {"client-certificate": "me.crt", "client-key": "me.key"})
    assert not isinstance(in_files.tls(), bool)
    inline = {
        "client-certificate-data": base64.b64encode(pem.read_bytes()).decode(),
        "client-key-data": base64.b64encode(key.read_bytes()).decode(),
    }
    assert not isinstance(access(tmp_path, inline).tls(), bool)


def test_an_exec_plugin(tmp_path: Path) -> None:
    assert access(tmp_path, plugin(tmp_path, credential(token="t"))).headers() == {"Authorization": "Bearer t"}


def test_an_exec_plugin_that_gives_a_certificate(tmp_path: Path) -> None:
    pem, key = certificates.make(tmp_path, "me")
    given = credential(clientCertificateData=pem.read_text(), clientKeyData=key.read_text())
    assert not isinstance(access(tmp_path, plugin(tmp_path, given)).tls(), bool)


@pytest.mark.parametrize(("said", "code"), [("", 1), ("no json", 0), ("{}", 0), (credential(), 0)])
def test_an_exec_plugin_that_fails_is_an_error_not_a_stranger(tmp_path: Path, said: str, code: int) -> None:
    with pytest.raises(ConfigError, match="gave no credentials") as caught:
        access(tmp_path, plugin(tmp_path, said, code))
    assert caught.value.said
    assert code == 0 or "please log in" in caught.value.said


def test_an_empty_token_is_an_error_not_a_stranger(tmp_path: Path) -> None:
    """The server would take whoever sends one for nobody, and refuse with the rights that nobody has."""
    with pytest.raises(ConfigError, match="gave no credentials"):
        access(tmp_path, plugin(tmp_path, credential(token="")))
    for held in ("", "\n"):
        with pytest.raises(ConfigError, match=r"token file .* is empty") as caught:
            access(tmp_path, {"tokenFile": str(write(tmp_path / "token", held))})
        assert "log in" in str(caught.value.hint)


def test_an_exec_plugin_that_is_not_installed(tmp_path: Path) -> None:
    entry = {"apiVersion": "client.authentication.k8s.io/v1", "command": "no-such-login", "interactiveMode": "Never"}
    with pytest.raises(ConfigError, match="no-such-login"):
        access(tmp_path, {"exec": entry})


def test_proxy_and_server_name_are_taken(tmp_path: Path) -> None:
    found = access(tmp_path, **{"proxy-url": "http://proxy:3128", "tls-server-name": "api.lab"})
    assert found.proxy == "http://proxy:3128"
    assert found.configuration.tls_server_name == "api.lab"


def test_a_proxy_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="socks5"):
        access(tmp_path, **{"proxy-url": "socks5://proxy:1080"})


@pytest.mark.parametrize("proxy", ["socks5://me:pr0xy@proxy:1080", "http://me:pr0xy@:nowhere"])
def test_a_proxys_password_is_never_shown(tmp_path: Path, proxy: str) -> None:
    with pytest.raises(ConfigError) as caught:
        asyncio.run(asked(access(tmp_path, SECRET, **{"proxy-url": proxy})))
    shown = "".join(traceback.format_exception(caught.value))
    assert "pr0xy" not in shown
    assert "t0ken" not in shown


async def asked(access: auth.Access) -> None:
    client = Client(access)
    try:
        await client.get("/version")
    finally:
        await client.close()


def test_a_token_beside_a_mistake_in_the_file_is_never_shown(tmp_path: Path) -> None:
    text = "users:\n- name: me\n  user:\n    token: t0ken\n   client: [\n"
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path / "config", text))
    assert "line 5" in str(caught.value.said)
    assert "t0ken" not in "".join(traceback.format_exception(caught.value))


def test_the_environments_proxy_and_its_exceptions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    assert access(tmp_path).proxy == "http://proxy:3128"
    monkeypatch.setenv("NO_PROXY", "10.0.0.1")
    assert access(tmp_path).proxy is None


def test_another_context_and_namespace(tmp_path: Path) -> None:
    content = kubeconfig(SERVER)
    content["contexts"].append({"name": "prod", "context": {"cluster": "there", "user": "me"}})
    path = write(tmp_path / "config", content)
    assert (load(path, "prod").context, load(path, "prod").namespace) == ("prod", "default")
    assert load(path, None, "mine").namespace == "mine"


def test_a_context_that_is_missing_is_named_with_those_that_are_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no context prod .* it has lab\.") as caught:
        load(write(tmp_path / "config", kubeconfig(SERVER)), "prod")
    assert caught.value.hint == "--context lab"


@pytest.mark.parametrize("current", ["", None])
def test_without_a_current_context_one_must_be_named(tmp_path: Path, current: str | None) -> None:
    content = kubeconfig(SERVER)
    content["current-context"] = current
    path = write(tmp_path / "config", content)
    with pytest.raises(ConfigError, match="no current context; it has lab") as caught:
        load(path)
    assert caught.value.hint == "--context lab"
    assert load(path, "lab").server == SERVER


def test_a_current_context_that_does_not_exist(tmp_path: Path) -> None:
    path = write(tmp_path / "config", {**kubeconfig(SERVER), "current-context": "old"})
    with pytest.raises(ConfigError, match="no context old") as caught:
        load(path)
    assert caught.value.hint == "--context lab"


def test_a_user_that_is_missing_is_an_error_not_a_stranger(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="names the user me"):
        load(write(tmp_path / "config", {**kubeconfig(SERVER), "users": []}))


def test_a_cluster_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there"):
        load(write(tmp_path / "config", {**kubeconfig(SERVER), "clusters": []}))


BROKEN = ["{not: yaml", "just text", "[]", "- a\n- b", "contexts: 3", "contexts: [{}]", "\x00", "", "contexts:\n"]


@pytest.mark.parametrize("text", BROKEN)
def test_a_broken_file_is_one_sentence(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError):
        load(write(tmp_path / "config", text))


def test_broken_base64(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        access(tmp_path, **{"certificate-authority-data": "!"}).tls()


def test_several_files_are_joined_as_kubectl_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = write(tmp_path / "one", kubeconfig("https://one", {"token": "1"}))
    other = kubeconfig("https://two", {"token": "2"})
    other["contexts"].append({"name": "second", "context": {"cluster": "far", "user": "you"}})
    other["clusters"].append({"name": "far", "cluster": {"server": "https://far"}})
    other["users"].append({"name": "you", "user": {"token": "3"}})
    other["current-context"] = "second"
    two = write(tmp_path / "two", other)
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join([str(tmp_path / "missing"), str(one), str(two)]))
    source = auth.find()
    assert source is not None
    assert source.kind == "kubeconfig"
    first = auth.load(source, None, None)
    assert (first.context, first.server, first.headers()) == ("lab", "https://one", {"Authorization": "Bearer 1"})
    second = auth.load(source, "second", None)
    assert (second.server, second.headers()) == ("https://far", {"Authorization": "Bearer 3"})


def test_what_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert auth.find() is None
    write(tmp_path / "home" / ".kube" / "config", kubeconfig(SERVER))
    found = auth.find()
    assert found == auth.Source("kubeconfig", "~/.kube/config", "~/.kube/config")
    assert auth.load(found, None, None).server == SERVER
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "nowhere"))
    with pytest.raises(ConfigError, match="names no file"):
        auth.find()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://proxy:3128", "http://proxy:3128"),
        ("http://me:secret@proxy:3128/", "http://proxy:3128/"),
        ("http://me:p@ss@proxy:3128", "http://proxy:3128"),
        (
            "no connection to http://me:p@ss@proxy (see https://team@x/y@z)",
            "no connection to http://proxy (see https://x/y@z)",
        ),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    """One with an @ as it stands, too, which clients take."""
    assert auth.bare(url) == shown
