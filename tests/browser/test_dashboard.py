"""The dashboard as people meet it: live beside a cell that blocks, worked by mouse and keys, and given hostile text."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.book import PATIENCE_MS, Book
from tests.browser.jobsof import ended
from tests.browser.lab import lab, why_not

pytestmark = pytest.mark.browser

LOADS = "%load_ext kube_magics"
SHOWS = "%kube dashboard"
LASTS = "%%kubetrain --name {} --detach\nimport time\nprint('\\x1b[31mup\\x1b[0m', flush=True)\ntime.sleep({})"
DEAF = "import ctypes\nctypes.PyDLL(None).pause()"
"""No thread of the kernel does anything, until a signal comes."""
MOST_ROW_NODES = 300
BAIT = "<img src=x onerror='window.bitten=1'><script>window.bitten=1</script>&lt;b&gt;"
CONTROLS = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202egpj\x00"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    if reason := why_not() or ("not installed: anywidget" if importlib.util.find_spec("anywidget") is None else None):
        pytest.skip(reason)
    (tmp_path / "work").mkdir()
    return tmp_path / "state"


class Board:
    """The one dashboard of a page."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.page = book.page
        self.root = book.page.locator(".km-dashboard")
        self.text = self.root.locator(".km-details .km-text")
        self.says = self.root.locator(".km-says")

    def row(self, name: str) -> Locator:
        cell = self.page.locator(".km-name", has_text=re.compile(f"^{re.escape(name)}$"))
        return self.root.locator(".km-row:not([hidden])", has=cell)

    def shows(self, name: str, status: str) -> None:
        expect(self.row(name).locator(".km-status")).to_contain_text(status, timeout=PATIENCE_MS)

    def filter(self, words: str) -> None:
        self.root.locator(".km-filter").fill(words)

    def counts(self, text: str) -> None:
        expect(self.root.locator(".km-count")).to_have_text(text, timeout=PATIENCE_MS)

    def names(self) -> list[str]:
        """As they stand in the window, from above."""
        rows = self.root.locator(".km-row:not([hidden])").evaluate_all(
            "rows => rows.map(row => [Number(row.getAttribute('aria-rowindex')), row.dataset.name])"
        )
        return [name for _, name in sorted(rows)]

    def tab(self, title: str) -> None:
        self.root.get_by_role("tab", name=title).click()

    def press(self, title: str) -> None:
        """One of the buttons that end a job, and Yes."""
        self.root.locator(".km-end", has_text=title).click()
        self.root.locator(".km-yes").click()


@contextmanager
def board(folder: Path, state: Path, *cells: str) -> Iterator[Board]:
    """A notebook whose second cell shows the dashboard; of all further ones none has run."""
    environment = {"KUBE_MAGICS_BACKEND": "local", "KUBE_MAGICS_STATE": str(state)}
    with lab(folder, [LOADS, SHOWS, *cells], environment) as opened:
        book = Book(opened.page)
        book.run(0)
        book.run(1)
        found = Board(book)
        expect(found.root.locator(".km-count")).to_contain_text("jobs", timeout=PATIENCE_MS)
        yield found


def test_live_while_a_cell_blocks_and_what_a_click_says_then(state: Path, tmp_path: Path) -> None:
    submits = LASTS.format("inside", 3).replace("\n", "\\n").replace("'", "\\'").replace("\\x1b", "\\\\x1b")
    blocks = f"ran = get_ipython().run_cell('{submits}')\nimport time\ntime.sleep(600)"
    with board(tmp_path / "work", state, LASTS.format("outside", 600), blocks, DEAF) as found:
        found.counts("0 of 0 jobs")
        found.book.run(2)
        found.shows("outside", "running")
        found.row("outside").click()
        expect(found.root.locator(".km-card li").first).to_be_visible(timeout=PATIENCE_MS)
        found.tab("Log")
        expect(found.text.locator(".km-fg-red")).to_have_text("up")
        found.book.run(3)
        found.shows("inside", "running")
        found.shows("inside", "succeeded")
        assert found.book.prompt(3) == "[*]:"
        found.root.get_by_role("button", name="Attach").click()
        expect(found.says).to_contain_text("run `%kube attach outside` in a cell", timeout=PATIENCE_MS)
        found.row("inside").click()
        expect(found.text).to_contain_text("up", timeout=PATIENCE_MS)
        found.book.interrupt()
        found.book.says(3, "KeyboardInterrupt")
        found.filter("status:running")
        found.counts("1 of 2 jobs")
        found.row("outside").click()
        found.book.run(4)
        found.press("Stop")
        busy = "kernel busy: press ■ once to detach, or `kube-magics stop outside` in a terminal"
        expect(found.says).to_have_text(busy, timeout=PATIENCE_MS)
        found.book.interrupt()
        expect(found.says).to_contain_text("outside was left alone", timeout=PATIENCE_MS)
        found.shows("outside", "running")
        found.press("Stop")
        expect(found.says).to_contain_text("outside is being stopped", timeout=PATIENCE_MS)
        found.filter("status:stopped")
        found.shows("outside", "stopped")
        found.press("Delete")
        expect(found.says).to_have_text("outside is deleted, with its log.", timeout=PATIENCE_MS)
        found.counts("0 of 1 jobs")
        found.press("Delete")
        expect(found.says).to_contain_text("NotFound: There is no job outside", timeout=PATIENCE_MS)
        found.book.save()
        found.book.reload()
        found.shows("inside", "succeeded")


def test_thousands_of_jobs_by_keys_and_what_they_say_is_text(state: Path, tmp_path: Path) -> None:
    for number in range(2000):
        ended(state, f"job-{number:04d}", age_s=60.0 * number, gpus=number % 8, code=number % 2)
    _hostile(state)
    with board(tmp_path / "work", state, "'never'") as found:
        found.counts("2002 of 2002 jobs")
        _by_keys(found)
        _as_text(found)


def _by_keys(found: Board) -> None:
    found.filter("job-")
    found.counts("2000 of 2002 jobs")
    assert found.names()[:2] == ["job-0000", "job-0001"]
    body = found.root.locator(".km-body")
    body.focus()
    for key in ("d", "d", "End", "ArrowUp", "Enter"):
        found.page.keyboard.press(key)
    expect(found.root.locator(".km-title")).to_have_text("job-1998")
    expect(found.row("job-1998")).to_have_attribute("aria-selected", "true")
    expect(found.text).to_contain_text("succeeded", timeout=PATIENCE_MS)
    assert found.names()[-1] == "job-1999"
    found.root.get_by_role("button", name="Copy").focus()
    for key in ("d", "d"):
        found.page.keyboard.press(key)
    assert found.page.locator(".jp-CodeCell").count() == 3, "`d d` is no cell's"
    body.focus()
    found.page.keyboard.press("Escape")
    expect(found.root.locator(".km-details")).to_be_hidden()
    found.root.get_by_role("button", name="GPUs").click()
    body.evaluate("body => { body.scrollTop = 0; }")
    expect(found.root.locator(".km-row[aria-rowindex='2'] .km-gpus")).to_have_text("7")
    found.filter("status:failed job-000")
    found.counts("5 of 2002 jobs")
    assert sorted(found.names()) == [f"job-000{digit}" for digit in (1, 3, 5, 7, 9)]
    assert 0 < found.root.locator(".km-row").count() <= MOST_ROW_NODES


HOSTILE = f"{BAIT}{CONTROLS}"
HOSTILE_NAME = "<img src=x onerror='window.bitten=1'>"


def _hostile(state: Path) -> None:
    """Two jobs, one of which has ended and one of which could not begin."""
    facts = {"notebook": f"/home/{HOSTILE}.ipynb", "label": HOSTILE, "artifacts": HOSTILE, "pid": HOSTILE}
    more = {"gpus": HOSTILE, "returns": [HOSTILE], "devices": [HOSTILE], "submission_id": HOSTILE}
    ended(state, HOSTILE_NAME, log=f"{HOSTILE}\n\x1b[31m{BAIT}\x1b[0m\nend\n", **facts, **more)
    told = ended(state, "told", **facts)
    (told / "end.json").write_text("")
    (told / "log").write_text("")
    (told / "runner.err").write_text(HOSTILE)


def _as_text(found: Board) -> None:
    found.filter("-job-")
    found.counts("2 of 2002 jobs")
    expect(found.row("told").locator(".km-why")).to_contain_text("<img src=x onerror")
    expect(found.row("told").locator(".km-notebook")).to_contain_text("<script>")
    expect(found.row(HOSTILE_NAME).locator(".km-gpus")).to_have_text("?")
    for each, word in ((HOSTILE_NAME, "<img"), ("told", "<script>")):
        found.row(each).click()
        expect(found.text).to_contain_text(word, timeout=PATIENCE_MS)
        for tab in ("Events", "YAML", "Log"):
            found.tab(tab)
        found.tab("Details")
    found.row(HOSTILE_NAME).click()
    expect(found.root.locator(".km-card")).to_contain_text(HOSTILE_NAME, timeout=PATIENCE_MS)
    found.tab("Log")
    expect(found.text).to_contain_text("end", timeout=PATIENCE_MS)
    expect(found.text.locator(".km-fg-red").last).to_contain_text("<img")
    lines, find = found.text.locator(".km-logline"), found.root.locator(".km-find")
    find.fill("END")
    expect(lines.filter(visible=True)).to_have_text(["end"])
    find.fill("")
    shown = found.text.inner_text()
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", shown), "nothing for a terminal"
    assert "owned" not in shown, "a terminal's title is no text"
    found.root.locator(".km-end", has_text="Delete").click()
    expect(found.root.locator(".km-yes")).to_contain_text("<img")
    found.root.locator(".km-yes").click()
    expect(found.says).to_contain_text("<img", timeout=PATIENCE_MS)
    strange = "img, script, b, iframe, a, style, link, object, svg"
    assert found.root.locator(strange).count() == 0
    assert found.page.evaluate("window.bitten") is None
    assert "owned" not in found.page.title()
