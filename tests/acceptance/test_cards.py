"""The card above a job's output, as a notebook gets it: one display, updated in place, and no more than it bears."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import nbclient
import nbformat
import pytest

from tests.acceptance.desk import Desk, eventually
from tests.kernel import Ran

pytestmark = pytest.mark.jobs

LOAD = "%load_ext kube_magics\n"
PRINTS = "import time\nfor n in range(40):\n    print(n, flush=True)\n    time.sleep(0.05)\nscore = 1"


def environment(desk: Desk) -> dict[str, str]:
    """Of a program beside the desk's kernel."""
    own = {
        "KUBE_MAGICS_STATE": str(desk.state),
        "KUBE_MAGICS_BACKEND": "local",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    return {**os.environ, **own, "IPYTHONDIR": str(desk.folder / "ipython")}


def headings(ran: Ran) -> list[str]:
    """Without where and when."""
    return [card["text/plain"].splitlines()[0].partition("  (")[0] for card in ran.cards]


def test_one_card_is_kept_up_to_date_to_the_end(here: Desk) -> None:
    here.right(LOAD)
    began = time.monotonic()
    ran = here.right(f"%%kubetrain --name carded --returns score\n{PRINTS}")
    took_s = time.monotonic() - began
    assert all(set(card) == {"text/html", "text/plain"} for card in ran.cards)
    assert "succeeded after " in headings(ran)[-1]
    last = ran.cards[-1]["text/plain"]
    assert "● " not in last, "nothing is still under way"
    assert "  back  score" in last
    assert "back" in ran.cards[-1]["text/html"]
    # Four updates a second; the first, the end, and what came back.
    assert 3 <= len(ran.cards) <= 4 * took_s + 3
    assert ran.stdout.splitlines()[-1].startswith("job carded done in ")


def test_a_job_that_fails_leaves_its_reason_above_its_output(here: Desk) -> None:
    here.right(LOAD)
    ran = here.run("%%kubetrain --name carded-too\nimport sys\nsys.exit(3)")
    assert ran.error == "JobExited"
    assert headings(ran)[-1].startswith("job carded-too  failed after ")
    assert "  reason  exit code 3" in ran.cards[-1]["text/plain"]


def test_whoever_attaches_later_sees_the_same(here: Desk) -> None:
    here.right(LOAD)
    first = here.right("%%kubetrain --name again\nprint(1)")
    assert headings(here.right("%kube attach again"))[-1] == headings(first)[-1]


WAITED = """import kube_magics
def work(seconds):
    import time
    time.sleep(seconds)
    return seconds
"""


def test_who_waits_for_a_result_sees_one_card_however_often_it_is_asked_for(here: Desk) -> None:
    here.right(LOAD)
    ran = here.right(
        f"{WAITED}job = kube_magics.train(work, args=(1,), name='waited-for')\n"
        "try:\n    job.result(timeout=0.2)\nexcept TimeoutError:\n    pass\nprint(job.result(), job.wait())"
    )
    assert ran.panes == 1
    assert headings(ran)[-1].startswith("job waited-for  succeeded after ")
    assert ran.stdout == "1 succeeded\n"
    assert here.right("job.result()").panes == 0, "nobody waits"


def test_who_waits_in_another_thread_sees_none(here: Desk) -> None:
    here.right(LOAD)
    ran = here.right(
        f"{WAITED}from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor() as pool:\n"
        "    print(pool.submit(kube_magics.train(work, args=(0.5,)).result).result())"
    )
    assert (ran.stdout, ran.panes) == ("0.5\n", 0)


@pytest.mark.parametrize(("jobs", "panes"), [(2, 2), (5, 0)])
def test_who_waits_for_several_sees_the_cards_of_a_few(here: Desk, jobs: int, panes: int) -> None:
    here.right(LOAD)
    several = f"[kube_magics.train(work, args=(0.5,), name=f'of-{jobs}-{{n}}') for n in range({jobs})]"
    ran = here.right(f"{WAITED}print(kube_magics.wait_all({several}))")
    assert ran.panes == panes
    assert ran.stdout.splitlines()[-1] == str([0.5] * jobs)
    assert ran.stdout.count(" done in ") == jobs
    last = {each.partition("  ")[0]: each for each in headings(ran)}
    assert sorted(last) == [f"job of-{jobs}-{n}" for n in range(panes)]
    assert all("succeeded after" in each for each in last.values())


def test_a_job_shows_its_card_as_a_value(here: Desk) -> None:
    here.right(LOAD)
    ran = here.right("job = __import__('kube_magics').train(max, (3, 4))\njob.result()\njob.card()")
    bundle: Any = next(content for kind, content in ran.shown if kind == "display")
    assert set(bundle) == {"text/html", "text/plain"}
    assert bundle["text/plain"].startswith("job max-")
    assert bundle["text/html"].startswith("<div><strong>job max-")


def test_a_job_that_is_followed_here_is_shown_as_its_card(here: Desk) -> None:
    here.right(LOAD)
    ran = here.right("job = __import__('kube_magics').train(max, (3, 4), name='value')\njob.result()\njob")
    bundle: Any = next(content for kind, content in ran.shown if kind == "display")
    assert bundle["text/plain"] == "<Job value in local: succeeded>"
    assert "succeeded after" in bundle["text/html"]


def test_a_terminal_gets_no_cards(here: Desk) -> None:
    program = "get_ipython().run_cell('%load_ext kube_magics')\nget_ipython().run_cell_magic('kubetrain', '--name bare', 'print(7)')"
    done = subprocess.run(
        [sys.executable, "-m", "IPython", "--simple-prompt", "--no-banner", "--colors=NoColor", "-c", program],
        capture_output=True, text=True, check=True, cwd=here.folder, env=environment(here),
    )  # fmt: skip
    assert "✓" not in done.stdout
    assert re.search(r"^7\njob bare done in ", done.stdout, re.MULTILINE), done.stdout


def test_what_its_stages_took_is_kept_for_later_jobs(there: Desk) -> None:
    there.right("%%kubetrain --name timed --cpus 100m\nprint(1)")

    def kept() -> dict[str, float]:
        files = (json.loads(path.read_text("utf-8"))["jobs"] for path in there.state.glob("stages/*.json"))
        return next((dict(jobs["timed"]) for jobs in files if "timed" in jobs), {})

    assert {"scheduled", "starting"} <= set(eventually(kept, "what its stages took"))
    there.right("%kube delete timed")


def test_an_executed_notebook_keeps_the_last_state(here: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in environment(here).items():
        monkeypatch.setenv(name, value)
    cells = [LOAD, f"%%kubetrain --name executed --returns score --env SEED=7\nimport random\nrandom.seed(0)\n{PRINTS}"]
    book: Any = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbclient.NotebookClient(
        book, timeout=60, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    (card,) = (output for output in book.cells[1].outputs if output.output_type == "display_data")
    assert "succeeded after" in card.data["text/html"]
    record = card.metadata["kube_magics"]
    assert (record["job"], record["status"], record["python"]) == ("executed", "succeeded", platform.python_version())
    assert list(record["results"]) == ["score"]
    assert record["seeds"] == {"SEED": 7, "random.seed": 0}
    assert re.fullmatch("[0-9a-f]{64}", record["cell_sha256"])
    assert str(tmp_path) not in json.dumps(record)
    said = ["card" if output is card else output.text for output in book.cells[1].outputs]
    before, after = "".join(said).split("card")
    assert before.splitlines()[-1].startswith("travels: ")
    assert after.startswith("0\n1\n")
