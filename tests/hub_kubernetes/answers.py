"""What a user is answered: by the hub's page, and by API server, kubelet and hub when a cell of their notebook asks."""

from __future__ import annotations

import json
from html import unescape

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
