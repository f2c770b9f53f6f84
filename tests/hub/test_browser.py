"""A person at a hub of one machine, in a real browser: login, a new notebook, a job, its value."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from tests.browser import lab
from tests.hub.running import hub

pytestmark = pytest.mark.browser
if importlib.util.find_spec("jupyterhub") is None:
    pytest.skip("not installed: jupyterhub (make hub brings it)", allow_module_level=True)

PATIENCE_MS = 150_000
JOB = '%%kubetrain --returns answer\nanswer = 6 * 7\nprint("trained", answer)'


@pytest.mark.long
def test_from_the_login_page_to_a_value(tmp_path: Path) -> None:
    if reason := lab.why_not():
        pytest.skip(reason)
    with hub(tmp_path / "state") as running, lab._page(tmp_path) as (page, _):
        page.set_default_timeout(PATIENCE_MS)
        page.set_viewport_size({"width": 1200, "height": 800})
        page.goto(running.address)
        page.fill("input[name=username]", "ada")
        page.fill("input[name=password]", running.password)
        page.click("input[type=submit], button[type=submit]")
        # The launcher's first card, as anybody's first click.
        page.click(".jp-LauncherCard[data-category=Notebook] >> text=Python 3 (kube_magics)")
        # Before that the kernel is not connected, whatever its icon says.
        page.wait_for_function("() => document.body.innerText.includes('| Idle')")
        page.click(".jp-Notebook .cm-content")
        page.keyboard.insert_text(JOB)
        page.keyboard.press("Shift+Enter")
        output = page.locator(".jp-OutputArea-output")
        output.filter(has_text="trained 42").first.wait_for()
        output.filter(has_text="back: answer").first.wait_for()
        # The new cell below has the cursor.
        page.keyboard.insert_text("answer + 1")
        page.keyboard.press("Shift+Enter")
        output.filter(has_text="43").last.wait_for()
        page.screenshot(path=str(tmp_path / "hub.png"))
        assert page.get_by_text("kube_magics-notebooks").first.is_visible()
        assert page.url.startswith(f"{running.address}/user/ada/lab")
