"""A real provider of logins by OpenID Connect, and what a hub is told of it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import requests

from tests.ports import free_port

_PATIENCE_S = 60.0


@contextmanager
def provider(people: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Its address; `people`: by the name under which the hub knows them, with their groups. Their subject is `id-NAME`."""
    port = free_port()
    claims = [
        json.dumps({"sub": f"id-{name}", "preferred_username": name, "groups": list(groups)})
        for name, groups in people.items()
    ]
    command = [sys.executable, "-m", "oidc_provider_mock", f"--port={port}"]
    command += [f"--user-claims={each}" for each in claims]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    until = time.monotonic() + _PATIENCE_S
    try:
        while not _answers(address):
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait(30)


def login(browsers: str, hub: str) -> dict[str, str]:
    """The variables of a hub where who is in the group `ml` may log in, and who is in `ops` is an administrator.

    The provider's address, as browsers reach it and as the hub does.
    """
    return {
        "HUB_LOGIN": "oidc",
        "HUB_ALLOWED_GROUPS": "ml",
        "HUB_ADMIN_GROUPS": "ops",
        "OAUTH_CLIENT_ID": "hub",
        "OAUTH_CLIENT_SECRET": "of-the-hub",
        "OAUTH2_AUTHORIZE_URL": f"{browsers}/oauth2/authorize",
        "OAUTH2_TOKEN_URL": f"{hub}/oauth2/token",
        "OAUTH2_USERDATA_URL": f"{hub}/userinfo",
    }


def _answers(address: str) -> bool:
    with requests.Session() as web:
        web.trust_env = False
        try:
            return web.get(f"{address}/.well-known/openid-configuration", timeout=10).ok
        except requests.ConnectionError:
            return False
