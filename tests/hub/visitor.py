"""Somebody who uses a hub as a browser does: cookies, the login form, redirects, the kernel's WebSocket.

No token is made for it: what a visitor may do here, the login page has given.
"""

from __future__ import annotations

import json
import re
import time
import uuid
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any, Self

import requests
import websocket

SPAWN_TIMEOUT_S = 330.0


class Turned(Exception):
    """The hub has not let somebody in; its words."""


@dataclass
class Cell:
    """One executed cell."""

    text: str = ""
    """What it printed and returned."""
    error: str | None = None
    """Name of the exception's class."""
    message: str = ""


@dataclass
class Visitor:
    address: str
    """The hub's: `http://127.0.0.1:8000`."""
    name: str
    web: requests.Session = field(default_factory=requests.Session)
    open: list[Notebook] = field(default_factory=list)
    """What it has open, closed with it."""

    def __post_init__(self) -> None:
        # A machine's proxy settings are for the world outside.
        self.web.trust_env = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self.web.close()

    def close(self) -> None:
        """Their notebooks; they stay logged in."""
        while self.open:
            self.open.pop().close()

    def log_in(self, password: str) -> Self:
        """Through the form; raises `Turned` with what the page says."""
        self.web.get(f"{self.address}/hub/login", timeout=60).raise_for_status()
        form = {"username": self.name, "password": password, "_xsrf": self._cookie("/hub/")}
        answer = self.web.post(f"{self.address}/hub/login?next=%2Fhub%2Fhome", data=form, timeout=60)
        if answer.status_code != 200 or not answer.url.endswith("/hub/home"):
            raise Turned(f"{answer.status_code} {answer.text}")
        return self

    def token(self) -> str:
        """One of their own for the hub's API, as the page makes it that hands them out."""
        headers = {"X-XSRFToken": self._cookie("/hub/")}
        answer = self.web.post(f"{self.address}/hub/api/users/{self.name}/tokens", json={}, headers=headers, timeout=60)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["token"])

    @property
    def base(self) -> str:
        return f"{self.address}/user/{self.name}"

    def start(self, profile: str | None = None) -> float:
        """Their server, from nothing to a JupyterLab page; the seconds that it took. `profile`: what they choose."""
        began = time.monotonic()
        # A server that starts within a few seconds is there at once; else the page says that it is pending.
        if profile is None:
            self.web.get(f"{self.address}/hub/spawn/{self.name}", timeout=SPAWN_TIMEOUT_S)
        else:
            self.ask(profile).raise_for_status()
        while not self.is_there():
            if time.monotonic() > began + SPAWN_TIMEOUT_S:
                raise TimeoutError(f"no server for {self.name} after {SPAWN_TIMEOUT_S} s")
            time.sleep(0.5)  # a page that is waited for asks less often, and twenty of them ask one hub
        return time.monotonic() - began

    def ask(self, profile: str) -> requests.Response:
        """For a server; the page that comes then."""
        form = {"profile": profile, "_xsrf": self._cookie("/hub/")}
        return self.web.post(f"{self.address}/hub/spawn/{self.name}", data=form, timeout=SPAWN_TIMEOUT_S)

    def is_there(self) -> bool:
        answer = self.web.get(f"{self.base}/lab", timeout=60)
        if "Authorize access" in answer.text:
            # Another's server: the hub asks once whether it may know who comes.
            fields = re.findall(r'<input type="hidden" name="(_xsrf|scopes)" value="([^"]*)"', answer.text)
            answer = self.web.post(answer.url, data=[(name, unescape(text)) for name, text in fields], timeout=60)
        return (
            answer.status_code == 200 and answer.url.startswith(f"{self.base}/lab") and "jupyter-config" in answer.text
        )

    def get(self, path: str) -> requests.Response:
        """Of their own server, or, by a path that begins with `/user/`, of another's."""
        return self.web.get(self.address + path if path.startswith("/user/") else f"{self.base}{path}", timeout=60)

    def post(self, path: str, body: Any) -> requests.Response:
        token = {"X-XSRFToken": self._cookie(f"/user/{self.name}/")}
        return self.web.post(f"{self.base}{path}", json=body, headers=token, timeout=120)

    def join(self, group: str, name: str) -> None:
        """As an administrator: somebody becomes a member of a group that the hub knows."""
        token, path = {"X-XSRFToken": self._cookie("/hub/")}, f"{self.address}/hub/api/groups/{group}/users"
        self.web.post(path, json={"users": [name]}, headers=token, timeout=60).raise_for_status()

    def kernel(self) -> Notebook:
        """A new kernel, in their home."""
        answer = self.post("/api/kernels", {"name": "python3"})
        assert answer.status_code == 201, answer.text
        return self.connect(answer.json()["id"])

    def notebook(self, path: str) -> Notebook:
        """A new kernel for the notebook at `path`, as JupyterLab asks for one."""
        wanted = {"path": path, "name": Path(path).name, "type": "notebook", "kernel": {"name": "python3"}}
        answer = self.post("/api/sessions", wanted)
        assert answer.status_code == 201, answer.text
        return self.connect(answer.json()["kernel"]["id"])

    def connect(self, kernel: str) -> Notebook:
        """To a kernel that runs."""
        self.open.append(Notebook(self, kernel))
        return self.open[-1]

    def cells(self, path: str) -> list[str]:
        """The code cells of a notebook of theirs, as the server has it."""
        answer = self.get(f"/api/contents/{path}")
        assert answer.status_code == 200, answer.text
        return [each["source"] for each in answer.json()["content"]["cells"] if each["cell_type"] == "code"]

    def cookies(self) -> str:
        """For a WebSocket, which `requests` does not speak."""
        asked = requests.Request("GET", f"{self.base}/api/kernels")
        return str(self.web.prepare_request(asked).headers["Cookie"])

    def _cookie(self, path: str) -> str:
        return next(str(each.value) for each in self.web.cookies if each.name == "_xsrf" and each.path == path)


class Notebook:
    """A kernel of a visitor's server, through hub, proxy and server."""

    def __init__(self, visitor: Visitor, kernel: str) -> None:
        self.kernel = kernel
        address = visitor.base.replace("http", "ws", 1)
        self._link = websocket.create_connection(
            f"{address}/api/kernels/{kernel}/channels",
            cookie=visitor.cookies(),
            origin=visitor.address,
            timeout=120,
            http_no_proxy=["*"],
        )

    def run(self, code: str) -> Cell:
        """One cell to its end."""
        request = uuid.uuid4().hex
        header = {
            "msg_id": request,
            "msg_type": "execute_request",
            "username": "",
            "session": request,
            "version": "5.4",
        }
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False, "stop_on_error": True}
        message = {"header": header, "parent_header": {}, "metadata": {}, "content": content}
        self._link.send(json.dumps({**message, "channel": "shell", "buffers": []}))
        cell = Cell()
        while not _took(cell, json.loads(self._link.recv()), request):
            pass
        return cell

    def close(self) -> None:
        self._link.close()


def _took(cell: Cell, message: dict[str, Any], request: str) -> bool:
    """Add one message of the kernel; True when the cell has ended."""
    if message["parent_header"].get("msg_id") != request:
        return False
    kind, content = message["msg_type"], message["content"]
    if kind == "stream" and content["name"] == "stdout":
        cell.text += content["text"]
    elif kind == "execute_result":
        cell.text += content["data"].get("text/plain", "") + "\n"
    elif kind == "error":
        cell.error, cell.message = content["ename"], content["evalue"]
    return kind == "status" and content["execution_state"] == "idle"
