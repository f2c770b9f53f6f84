"""One job of the dashboard from near, in a page of its own without a kernel: what it asks, and what is made of answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from kube_magics.telemetry.board import row
from kube_magics.telemetry.snapshot import INCOMPLETE, RUNNING, Snapshot
from kube_magics.widgets import dashboard
from tests.browser.lab import FLAGS, chromium, why_not

if TYPE_CHECKING:
    from playwright.sync_api import Page as Tab

pytestmark = pytest.mark.browser

BAIT = "<img src=x onerror='window.bitten=1'><script>window.bitten=1</script>&lt;b&gt;"
RENDER = """async (code) => {
  window.sent = [];
  const model = { send: (wish) => sent.push(wish), off() {}, on: (what, told) => what === "msg:custom" && (window.tell = told) };
  const { default: module } = await import(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
  module.render({ el: document.body, model });
}"""


class Page:
    """The dashboard, and in the kernel's place whoever calls this."""

    def __init__(self, tab: Tab) -> None:
        tab.set_content(f"<!doctype html><style>{dashboard.style()}</style>")
        tab.evaluate(RENDER, dashboard.script())
        self.tab = tab
        self.version = 0

    def tell(self, **message: Any) -> None:
        self.tab.evaluate("message => tell(message)", message)

    def rows(self, *states: Snapshot, **more: Any) -> None:
        """All of them at first, then those that have changed."""
        since, self.version = self.version or None, self.version + 1
        rows = [row(state) | more for state in states]
        self.tell(kind="rows", now=100.0, said="", version=self.version, since=since, rows=rows, gone=[])

    def asked(self, what: str) -> list[dict[str, str]]:
        """The wishes of this kind so far."""
        found: list[dict[str, str]] = self.tab.evaluate("what => sent.filter(each => each.what === what)", what)
        return found

    def answer(self, what: str, text: str = "", kind: str = "answer") -> dict[str, str]:
        """The last wish of this kind, which it gives."""
        wish = self.asked(what)[-1]
        self.tell(kind="heard", id=wish["id"])
        self.tell(kind=kind, id=wish["id"], text=text)
        return wish

    def chooses(self, name: str) -> None:
        self.tab.locator(f".km-row[data-name={json.dumps(name)}]").click()

    def text(self, place: str) -> str:
        return self.tab.locator(place).inner_text()


@pytest.fixture(scope="module")
def tab() -> Iterator[Tab]:
    if reason := why_not():
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS), headless=True)
        yield browser.new_page(viewport={"width": 1280, "height": 900})
        browser.close()


@pytest.fixture
def page(tab: Tab) -> Page:
    tab.goto("about:blank")
    return Page(tab)


AFAR = Snapshot("afar", "team", RUNNING, uid="u1", node="n1", created_at=10.0)
LACKS = Snapshot("lacks", "team", INCOMPLETE, uid="u2", created_at=9.0)


def test_pods_are_text_and_asked_for_again_when_the_job_has_moved(page: Page) -> None:
    page.rows(AFAR)
    page.chooses("afar")
    page.tab.get_by_role("tab", name="Pods").click()
    page.answer("pods", f"POD   PHASE\n{BAIT}\n    main: running")
    assert page.text(".km-details .km-text") == f"POD   PHASE\n{BAIT}\n    main: running"
    assert page.tab.locator(".km-details .km-text").get_attribute("aria-label") == "Pods of afar"
    page.rows(AFAR, progress="5 %")
    page.tab.wait_for_timeout(1000)
    assert len(page.asked("pods")) == 1, "how far it is says nothing of its pods"
    page.rows(replace(AFAR, pods="1"))
    page.rows(replace(AFAR, pods="2"))
    page.tab.wait_for_function("sent.filter(each => each.what === 'pods').length > 1")
    page.tab.wait_for_timeout(1000)
    assert len(page.asked("pods")) == 2, "once for what comes at once"
    page.answer("pods", f"Forbidden: {BAIT}", "error")
    assert page.text(".km-details .km-text") == f"Forbidden: {BAIT}"
    assert page.tab.locator(".km-details").locator("img, script, b").count() == 0
    assert page.tab.evaluate("window.bitten") is None


def test_a_rerun_is_confirmed_and_answered(page: Page) -> None:
    page.rows(AFAR)
    page.chooses("afar")
    again = page.tab.get_by_role("button", name="Re-run", exact=True)
    again.click()
    page.tab.get_by_role("button", name="No", exact=True).click()
    assert page.asked("ask") == [], "it was not meant"
    again.click()
    page.tab.get_by_role("button", name="Yes, re-run afar").click()
    assert page.text(".km-says") == "Re-run afar …"
    assert page.asked("rerun") == [], "first whether anybody hears"
    page.answer("ask")
    wish = page.answer("rerun", f"afar-x7k2p is submitted {BAIT}")
    assert (wish["name"], wish["identity"]) == ("afar", "u1")
    assert page.text(".km-says") == f"afar-x7k2p is submitted {BAIT}"
    assert page.tab.locator(".km-says img").count() == 0
    again.click()
    page.tab.get_by_role("button", name="Yes, re-run afar").click()
    page.answer("ask")
    page.answer("rerun", "Forbidden: you may not create jobs", "error")
    assert page.text(".km-says") == "Forbidden: you may not create jobs"


def test_what_cannot_be_done_says_why_to_the_mouse_and_to_keys(page: Page) -> None:
    page.rows(AFAR, LACKS)
    page.chooses("lacks")
    again = page.tab.get_by_role("button", name="Re-run", exact=True)
    why = "its files never arrived: run its cell again"
    assert (again.get_attribute("aria-disabled"), again.get_attribute("title")) == ("true", why)
    again.focus()
    page.tab.keyboard.press("Enter")
    assert page.text(".km-says") == f"Re-run is not possible: {why}."
    assert page.tab.locator(".km-yes").count() == 0
    page.chooses("afar")
    assert (again.get_attribute("aria-disabled"), again.get_attribute("title")) == ("false", "")
    assert page.text(".km-says") == ""
