"""The card as people have it: by eye on both themes, by ear, from a saved notebook, after the page was reloaded."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import nbformat
import pytest
from nbconvert import HTMLExporter, MarkdownExporter
from playwright.sync_api import Page, expect

from tests.acceptance.desk import eventually
from tests.browser.accessible import contrasts, spoken
from tests.browser.book import PATIENCE_MS, Book
from tests.browser.lab import Lab, lab, why_not
from tests.widgets.contrast import LEAST

pytestmark = pytest.mark.browser

LOADS = "%load_ext kube_magics"
REPORTS = """\
%%kubetrain --name shown --returns n
import kube_magics, pathlib, time
for n, loss in enumerate([4, 1, 2]):
    kube_magics.report(step=7 * (n + 1), total=50, loss=loss)
    time.sleep(0.3)
print("nearly <b>half</b>", flush=True)
while not pathlib.Path({go!r}).exists():
    time.sleep(0.1)
"""
RUNNING = """\
job shown
running
local, on pid #; at # UTC
list
  listitem
    ✓ starting #
  listitem
    ● running #
  listitem
    ○ then done
progressbar 42 % 42
42 % (21 of 50)#
table what it reports
  caption
    what it reports
  row
    columnheader
    columnheader now
    columnheader so far
    columnheader least
    columnheader most
  row
    rowheader loss
    cell 2
    cell loss so far: from 4 to 2
      image loss so far: from 4 to 2
    cell 1
    cell 4
"""
ENDED = """\
job shown
succeeded after #
local, on pid #
list
  listitem
    ✓ starting #
  listitem
    ✓ running #
  listitem
    ✓ collecting #
  listitem
    ✓ done
table what it reports
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    if reason := why_not():
        pytest.skip(reason)
    (tmp_path / "work").mkdir()
    return {"HOME": str(tmp_path), "KUBE_MAGICS_STATE": str(tmp_path / "state"), "KUBE_MAGICS_BACKEND": "local"}


def test_a_card_live_and_as_a_record(environment: dict[str, str], tmp_path: Path) -> None:
    go = tmp_path / "go"
    with lab(tmp_path / "work", [LOADS, REPORTS.format(go=str(go))], environment) as opened:
        book = Book(opened.page)
        told_to_a_screen_reader(book, go)
        assert opened.save(PATIENCE_MS / 1000)
        a_record_without_trust(opened)
        a_record_without_jupyter(opened)


def told_to_a_screen_reader(book: Book, go: Path) -> None:
    """And legible on either theme."""
    book.run(0)
    book.run(1)
    book.says(1, "42 % (21 of 50)")
    book.says(1, "nearly <b>half</b>")
    begins(spoken(book.page, book.card(1)), RUNNING)
    legible(book)
    book.theme("Dark")
    legible(book)
    go.touch()
    book.says(1, "job shown done in")
    begins(spoken(book.page, book.card(1)), ENDED)
    legible(book)


def begins(told: str, expected: str) -> None:
    """`#` in what is expected is anything in its line."""
    assert re.match(re.escape(expected).replace(r"\#", ".*"), told + "\n"), told


def legible(book: Book) -> None:
    found = contrasts(book.card(1))
    assert len(found) > 10
    assert {text: contrast for text, contrast in found.items() if contrast < LEAST} == {}


def a_record_without_trust(opened: Lab) -> None:
    """As somebody else's notebook is opened: with the curves as text, and nothing lost."""
    page, copy = opened.page, opened.path.with_name("copy.ipynb")
    notebook = nbformat.read(opened.path, 4)
    notebook.cells[0].source += "  # which makes it another, that nobody has signed"
    nbformat.write(notebook, copy)
    page.evaluate("path => { window.jupyterapp.commands.execute('docmanager:open', {path}); }", copy.name)
    whole(page, "█▁▃")
    if importlib.util.find_spec("notebook") is not None:  # the same server has Notebook 7 then
        page.goto(page.url.split("/lab")[0] + f"/notebooks/{copy.name}")
        expect(page.locator("body")).to_contain_text("Not Trusted", timeout=PATIENCE_MS)
        whole(page, "█▁▃")


def whole(page: Page, curve: str) -> None:
    card = page.locator(".jp-RenderedHTMLCommon:visible").first
    for said in ("job shown", "succeeded after", "✓ running", "what it reports", curve, ".kube_magics/logs/shown.log"):
        expect(card).to_contain_text(said, timeout=PATIENCE_MS)
    shown = page.locator(".jp-Notebook:visible").inner_text()
    assert "nearly <b>half</b>\n" in shown
    assert "job shown done in" in shown


def a_record_without_jupyter(opened: Lab) -> None:
    """Converted, and opened without a network."""
    page, path = opened.page, opened.path.with_suffix(".html")
    path.write_text(HTMLExporter().from_filename(str(opened.path))[0], "utf-8")
    page.context.set_offline(True)
    page.goto(path.as_uri(), wait_until="commit")
    card = page.locator(".jp-RenderedHTMLCommon").first
    expect(card).to_contain_text("succeeded after", timeout=PATIENCE_MS)
    expect(card.locator("path")).to_have_count(1)
    assert card.locator("script, link, img, iframe, [src], [href]").count() == 0
    assert "nearly <b>half</b>" in page.locator("body").inner_text()
    text = MarkdownExporter().from_filename(str(opened.path))[0]
    assert "<strong>job shown</strong>" in text
    assert "    nearly <b>half</b>\n" in text


LASTS = """\
%%kubetrain --name lasting --returns n
import pathlib, time
print("begun", flush=True)
while not pathlib.Path({go!r}).exists():
    time.sleep(0.1)
print("went on", flush=True)
while not pathlib.Path({end!r}).exists():
    time.sleep(0.1)
n = 42
"""


@pytest.mark.long
def test_a_page_reloaded_in_the_middle(environment: dict[str, str], tmp_path: Path) -> None:
    """JupyterLab drops what the running cell goes on to say; the job goes on, and an attach has all of it."""
    go, end = tmp_path / "go", tmp_path / "end"
    cells = [LOADS, LASTS.format(go=str(go), end=str(end)), "%kube attach lasting", "n"]
    with lab(tmp_path / "work", cells, environment) as opened:
        book = Book(opened.page)
        book.run(0)
        book.run(1)
        book.says(1, "begun")
        expect(book.card(1)).to_contain_text("● running", timeout=PATIENCE_MS)  # up to a quarter of a second later
        assert opened.save(PATIENCE_MS / 1000)
        book.reload(busy=True)
        go.touch()
        log = tmp_path / "work" / ".kube_magics" / "logs" / "lasting.log"
        eventually(lambda: "went on" in log.read_text("utf-8"), "the job, which goes on")
        left_as_it_was(book)
        book.interrupt()
        book.ready()
        left_as_it_was(book)
        book.run(2)
        book.says(2, "went on")
        assert "begun" in book.output(2)
        expect(book.card(2)).to_contain_text("● running", timeout=PATIENCE_MS)
        end.touch()
        book.says(2, "job lasting done in")
        expect(book.card(2)).to_contain_text("succeeded after", timeout=PATIENCE_MS)
        book.run(3)
        book.says(3, "42")


def left_as_it_was(book: Book) -> None:
    """As the notebook was saved, with the time at which it was so."""
    assert "begun" in book.output(1)
    assert "went on" not in book.output(1)
    assert re.search(r"job lasting\s+running\s.*; at \d\d:\d\d UTC", book.card(1).inner_text())
