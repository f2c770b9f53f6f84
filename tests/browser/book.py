"""What a person does with an open notebook: cells are run, buttons pressed, outputs read."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

PATIENCE_MS = 60_000.0
"""For a broken product; no test waits for it otherwise."""


class Book:
    """The one notebook in a page of JupyterLab. Cells count from 0."""

    def __init__(self, page: Page) -> None:
        self.page = page
        page.set_default_timeout(PATIENCE_MS)

    def ready(self) -> None:
        """Its kernel listens: before that, what is run is silently lost."""
        expect(self.page.locator(".jp-StatusBar-Widget")).to_contain_text("| Idle", timeout=PATIENCE_MS)

    def run(self, number: int) -> None:
        """Shift-Enter in a cell."""
        self._cell(number).locator(".cm-content").click()
        self.page.keyboard.press("Shift+Enter")

    def write(self, number: int, text: str) -> None:
        """Into an empty cell, and run it: below it is a new one."""
        self._cell(number).locator(".cm-content").click()
        self.page.keyboard.insert_text(text)
        self.page.keyboard.press("Shift+Enter")

    def interrupt(self) -> None:
        """The ■ button."""
        self.page.locator("[data-jp-item-name='interrupt'] jp-button").click()

    def save(self) -> None:
        """What is not saved is gone after a reload."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")

    def reload(self, *, busy: bool = False) -> None:
        """`busy`: a cell runs; the page cannot hear from its kernel until that is over."""
        self.page.reload()
        if busy:
            expect(self.page.locator(".jp-StatusBar-Widget")).to_contain_text("| Unknown", timeout=PATIENCE_MS)
        else:
            self.ready()

    def restart(self) -> None:
        """Kernel > Restart Kernel…"""
        self.page.locator(".lm-MenuBar-itemLabel", has_text=re.compile("^Kernel$")).click()
        self.page.locator(".lm-Menu-itemLabel", has_text=re.compile("^Restart Kernel…$")).click()
        self.page.locator(".jp-Dialog .jp-mod-accept").click()
        expect(self.page.locator(".jp-StatusBar-Widget")).not_to_contain_text("| Idle")  # said of the kernel before
        self.ready()

    def theme(self, name: str) -> None:
        """`Dark` or `Light`, of Settings > Theme; until nothing of the other is seen any more."""
        self.page.evaluate(
            "name => window.jupyterapp.commands.execute('apputils:change-theme', {theme: `JupyterLab ${name}`})", name
        )
        light = str(name == "Light").lower()
        self.page.wait_for_function("light => document.body.dataset.jpThemeLight === light", arg=light)
        self.page.locator("#jupyterlab-splash").wait_for(state="detached")

    def card(self, number: int) -> Locator:
        """Of the job of a cell."""
        return self._outputs(number).locator(".jp-RenderedHTMLCommon").first

    def output(self, number: int) -> str:
        """The text below a cell."""
        return self._outputs(number).inner_text()

    def says(self, number: int, text: str | re.Pattern[str]) -> None:
        """Wait until there is `text` below a cell."""
        expect(self._outputs(number)).to_contain_text(text, timeout=PATIENCE_MS)

    def prompt(self, number: int) -> str:
        """`[3]:`, or `[ ]:` of a cell that has not run."""
        return self._cell(number).locator(".jp-InputPrompt").inner_text().strip()

    def _cell(self, number: int) -> Locator:
        return self.page.locator(".jp-Notebook .jp-CodeCell").nth(number)

    def _outputs(self, number: int) -> Locator:
        return self._cell(number).locator(".jp-Cell-outputArea")
