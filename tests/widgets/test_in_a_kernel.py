"""The dashboard from the kernel's side: what is sent to a page, also while a cell runs, and what becomes of wishes."""

from __future__ import annotations

import importlib.util
import re
import time
from collections.abc import Iterator
from queue import Empty
from typing import Any

import pytest

from tests.kernel import Kernel

pytestmark = pytest.mark.jobs

SLEEPS = "%%kubetrain --name {} --detach\nimport time\nprint('up', flush=True)\ntime.sleep(60)"
VIEW = "application/vnd.jupyter.widget-view+json"


class Page:
    """What a page knows of one dashboard, and what it asks for."""

    def __init__(self, kernel: Kernel, comm: str) -> None:
        self.kernel = kernel
        self.comm = comm
        self.rows: dict[str, dict[str, Any]] = {}
        self.version: int | None = None
        self.told: list[dict[str, Any]] = []
        self.closed = False
        self._wishes = 0

    def wish(self, what: str, **more: str) -> str:
        self._wishes += 1
        content = {"id": f"w{self._wishes}", "what": what, "view": "v", **more}
        data = {"method": "custom", "content": content}
        message = self.kernel.client.session.msg("comm_msg", {"comm_id": self.comm, "data": data})
        self.kernel.client.shell_channel.send(message)
        return content["id"]

    def answer(self, wish: str, kind: str = "answer") -> str:
        """Its text, once it is there."""
        return str(
            self.until(lambda: next((m for m in self.told if (m["kind"], m.get("id")) == (kind, wish)), None))["text"]
        )

    def until(self, so: Any, within_s: float = 30.0) -> Any:
        until = time.monotonic() + within_s
        while not (found := so()):
            assert time.monotonic() < until, (self.rows, self.told[-3:])
            self._take()
        return found

    def sees(self, name: str, status: str) -> None:
        self.until(lambda: self.rows.get(name, {}).get("status") == status)

    def _take(self) -> None:
        try:
            message = self.kernel.client.get_iopub_msg(timeout=0.2)
        except Empty:
            return
        if message["content"].get("comm_id") != self.comm:
            return
        self.closed = self.closed or message["msg_type"] == "comm_close"
        content = message["content"]["data"].get("content")
        if isinstance(content, dict):
            self.told.append(content)
            if content["kind"] == "rows" and "version" in content:
                self._rows(content)

    def _rows(self, delta: dict[str, Any]) -> None:
        if delta["since"] is None:
            self.rows = {}
        elif delta["since"] != self.version:
            self.wish("hello")  # a cell's end has swallowed what came while it ran
            return
        self.version = delta["version"]
        self.rows |= {row["name"]: row for row in delta["rows"]}
        for name in delta["gone"]:
            del self.rows[name]


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    folder = tmp_path_factory.mktemp("notebook")
    environment = {"KUBE_MAGICS_BACKEND": "local", "KUBE_MAGICS_STATE": str(folder / "state")}
    with Kernel(folder, environment) as started:
        assert started.run("%load_ext kube_magics").error is None
        yield started


def opened(kernel: Kernel, line: str = "shown = %kube dashboard\nshown") -> Page:
    if importlib.util.find_spec("anywidget") is None:
        pytest.skip("not installed: anywidget")
    ran = kernel.run(line)
    assert ran.error is None, ran
    ((_, bundle),) = ran.shown
    assert "NAME" in bundle["text/plain"] or "no jobs" in bundle["text/plain"]
    assert "text/html" not in bundle, "nbconvert would show neither"
    return Page(kernel, bundle[VIEW]["model_id"])


def test_the_table_goes_on_while_a_cell_runs(kernel: Kernel) -> None:
    page = opened(kernel)
    submits = SLEEPS.format("started-inside").replace("\n", "\\n")
    cell = f"ran = get_ipython().run_cell('''{submits}''')\nimport time\ntime.sleep(3)"
    blocks = kernel.send(cell)
    page.sees("started-inside", "running")
    assert not kernel.peek(blocks).over, "the cell still runs"
    asked = page.wish("stop", name="started-inside", identity=page.rows["started-inside"]["identity"])
    assert "is being stopped" in page.answer(asked)
    page.sees("started-inside", "stopped")


def test_a_job_from_near(kernel: Kernel) -> None:
    assert kernel.run("%%kubetrain --name near\nprint('\\x1b[31mred\\x1b[0m')").error is None
    page = opened(kernel)
    page.answer(page.wish("hello"))
    page.sees("near", "succeeded")
    assert "status" in page.answer(page.wish("describe", name="near"))
    assert "Completed" in page.answer(page.wish("events", name="near"))
    assert "is a process of this machine" in page.answer(page.wish("yaml", name="near"), "error")
    assert "this machine" in page.answer(page.wish("nodes"))
    assert page.answer(page.wish("pods", name="near")) == "near is a process of this machine: it has no pods."
    again = page.wish("rerun", name="near", identity=page.rows["near"]["identity"])
    fresh = re.match(r"(near-\w{5}) is submitted: the job near once more\.", page.answer(again))
    assert fresh
    page.sees(fresh[1], "succeeded")
    card = page.wish("card", name="near")
    page.until(lambda: any(m["kind"] == "card" and m["id"] == card and "job near" in m["html"] for m in page.told))
    log = page.wish("log", name="near")
    page.until(lambda: [m for m in page.told if m["kind"] == "log" and m["id"] == log and m["over"]])
    assert "".join(m["text"] for m in page.told if m["kind"] == "log") == "\x1b[31mred\x1b[0m\n"
    assert "NotFound" in page.answer(page.wish("describe", name="nobody"), "error")


def test_only_the_job_that_was_shown_is_ended(kernel: Kernel) -> None:
    assert kernel.run("%%kubetrain --name twin\n1").error is None
    page = opened(kernel)
    page.answer(page.wish("hello"))
    page.sees("twin", "succeeded")
    before = page.rows["twin"]["identity"]
    assert kernel.run("%kube delete twin").error is None
    assert kernel.run("%%kubetrain --name twin\n2").error is None
    page.until(lambda: page.rows["twin"]["identity"] != before)
    assert "was left alone" in page.answer(page.wish("delete", name="twin", identity=before), "error")
    after = page.rows["twin"]["identity"]
    assert page.answer(page.wish("delete", name="twin", identity=after)) == "twin is deleted, with its log."
    page.until(lambda: "twin" not in page.rows)


def test_what_is_no_wish_does_nothing(kernel: Kernel) -> None:
    page = opened(kernel)
    page.wish("hello", name="x" * 301)
    page.wish("eval", name="1")
    page.answer(page.wish("hello"))
    assert [m["id"] for m in page.told if m["kind"] == "heard"] == ["w2", "w3"]


def test_who_looks_no_more_costs_nothing(kernel: Kernel) -> None:
    held = "len(__import__('comm').get_comm_manager().comms)"
    comms = kernel.value(held)
    page = opened(kernel)
    page.answer(page.wish("hello"))
    looking = "len(shown._overview._tells)"
    page.answer(page.wish("bye"))
    assert kernel.value("shown._looking") == "False"
    page.answer(page.wish("hello"))
    assert kernel.value("shown._looking") == "True"
    before = kernel.value(looking)
    kernel.send("shown.close()")
    page.until(lambda: page.closed)
    assert kernel.value(held) == comms
    assert kernel.value("(shown._looking, shown._tasks)") == "(False, {})"
    assert int(kernel.value(looking)) == int(before) - 1


def test_without_widgets_it_is_the_table(kernel: Kernel) -> None:
    hidden = "import sys\nkept = sys.modules.pop('anywidget', None)\nsys.modules['anywidget'] = None\n"
    ran = kernel.run(hidden + "%kube dashboard")
    assert "NAME" in ran.shown[0][1]["text/html"]
    assert VIEW not in ran.shown[0][1]
    ran = kernel.run("import kube_magics\nkube_magics.Dashboard(backend='local')")
    assert "NAME" in ran.shown[0][1]["text/html"]
    assert kernel.run("del sys.modules['anywidget']\nif kept: sys.modules['anywidget'] = kept").error is None
    wrong = kernel.run("kube_magics.Dashboard(backend='nowhere')")
    assert wrong.error == "OptionError"
