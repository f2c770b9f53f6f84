"""Somebody at a hub in a real browser: the login page, the provider's, the page of the servers, a new notebook."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.browser import lab
from tests.browser.book import Book

if TYPE_CHECKING:
    from playwright.sync_api import Page

PATIENCE_MS = 150_000.0
"""For a broken product; no test waits for it otherwise."""


@dataclass(frozen=True)
class Person:
    page: Page
    name: str
    """As the provider has it."""

    def arrive(self, address: str) -> None:
        """At the hub's login page."""
        self.page.goto(address)
        self.page.get_by_role("button", name="Sign in with").wait_for()

    def log_in(self) -> None:
        """From there, through the provider's page, to the choice of a server."""
        self.page.get_by_role("button", name="Sign in with").click()
        self.page.get_by_role("button", name=f"id-{self.name}", exact=True).click()
        self.page.locator("#kubespawner-profiles-list").wait_for()

    def start(self, profile: str) -> None:
        """A server, from the choice to JupyterLab's launcher; of another user's they are asked whether it may know them."""
        self.page.locator(f"label[for=profile-item-{profile}]").click()
        self.page.get_by_role("button", name="Start", exact=True).click()
        asked = self.page.get_by_role("button", name="Authorize")
        launcher = self.page.locator(".jp-Launcher")
        launcher.or_(asked).wait_for()
        if asked.is_visible():
            asked.click()
            launcher.wait_for()

    def notebook(self) -> Book:
        """A new one, by the launcher's first card."""
        self.page.locator(".jp-LauncherCard[data-category=Notebook]").first.click()
        made = Book(self.page)
        made.ready()
        return made


@contextmanager
def person(folder: Path, name: str) -> Iterator[Person]:
    """With a browser that nobody has used before."""
    own = folder / name
    own.mkdir()
    with lab._page(own) as (page, _):
        page.set_viewport_size({"width": 1200, "height": 800})
        page.set_default_timeout(PATIENCE_MS)
        yield Person(page, name)
