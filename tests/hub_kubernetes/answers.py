"""What a user is answered: by the hub's page, and by API server, kubelet and hub when a cell of their notebook asks."""

from __future__ import annotations

import json
from html import unescape

import requests
import websocket
from requests import ConnectionError as Unreachable
from requests import Response

from tests.acceptance.desk import eventually
from tests.hub.visitor import Visitor
from tests.hub_kubernetes import attacks
from tests.hub_kubernetes.attacks import Attack, Door


def asked(visitor: Visitor, profile: str) -> str:
    """What the hub's page says in the end to who asks for a server, and gets none."""
    page = visitor.ask(profile)
    here = f"{visitor.address}/hub/spawn-pending/{visitor.name}"
    if page.url.startswith(here):
        page = eventually(lambda: _over(visitor.web.get(here, timeout=60)), "the end of the start")
    return unescape(page.text)


def _over(page: Response) -> Response | None:
    return None if "Your server is st" in page.text else page  # starting up, stopping


def there(visitor: Visitor) -> bool:
    """Whether their server's page is; also where nothing listens."""
    try:
        return visitor.is_there()
    except Unreachable:
        return False


def answers(visitor: Visitor, known: list[Attack], magic: str = "") -> dict[str, int]:
    """To a cell; with `magic`, to the job that it makes."""
    tries = json.dumps([[each.name, each.method, each.path, each.body] for each in known])
    notebook = visitor.kernel()
    ran = notebook.run(
        f"{magic}{attacks.PROGRAM}\nfound = {{n: attempt(m, p, b) for n, m, p, b in json.loads({tries!r})}}"
    )
    assert ran.error is None, ran
    shown = notebook.run("import json\nprint(json.dumps(found))")
    notebook.close()
    found: dict[str, int] = json.loads(shown.text)
    return found


def knocked(visitor: Visitor, doors: list[Door]) -> list[int]:
    """The hub's answers to the token of the user's server."""
    tries = json.dumps([[each.method, each.path, each.body] for each in doors])
    notebook = visitor.kernel()
    ran = notebook.run(f"{attacks.PROGRAM}{attacks.KNOCK}\n[knock(*each) for each in json.loads({tries!r})]")
    notebook.close()
    assert ran.error is None, ran
    found: list[int] = json.loads(ran.text)
    return found


def served(server: str, kernel: str, token: str) -> list[int]:
    """A server's answers to this token: to who would list its files, start a kernel, and speak to one that runs."""
    authorized = {"Authorization": f"token {token}"}
    with requests.Session() as web:
        web.trust_env = False
        files = web.get(f"{server}/api/contents", headers=authorized, timeout=60)
        started = web.post(f"{server}/api/kernels", json={}, headers=authorized, timeout=60)
    channels = f"{server.replace('http', 'ws', 1)}/api/kernels/{kernel}/channels"
    try:
        link = websocket.create_connection(channels, header=authorized, timeout=60, http_no_proxy=["*"])
    except websocket.WebSocketBadStatusException as error:
        return [files.status_code, started.status_code, error.status_code]
    link.close()
    return [files.status_code, started.status_code, 101]
