"""Values that are too large for a bundle, results that are too large for a log, and files: there and back again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.desk import Desk, eventually

pytestmark = pytest.mark.jobs

LARGE = "import numpy as np\nblock = np.arange(3_000_000.0)"


@pytest.fixture
def store(here: Desk) -> Path:
    path = here.folder / "store"
    path.mkdir(exist_ok=True)
    return path


def test_on_this_machine_nothing_is_too_large(here: Desk) -> None:
    here.right(LARGE)
    ran = here.right("%%kubetrain --returns doubled\ndoubled = block * 2")
    assert "block (24.0 MB)" in ran.stdout
    assert here.kernel.value("bool((doubled == block * 2).all())") == "True"


def test_there_and_back_through_a_store(here: Desk, store: Path) -> None:
    here.right(LARGE)
    ran = here.right(
        f"%%kubetrain --artifacts {store} --returns doubled,small\n"
        "from pathlib import Path\ndoubled, small = block * 2, 1\n"
        f"print(sorted(path.name for path in Path('{store}').glob('*/*')))"
    )
    assert "\n[]\n" in ran.stdout, "the job has removed what it has read"
    assert f"data: 24.0 MB through {store}/acceptance-" in ran.stdout
    assert "back: doubled, small" in ran.stdout
    assert here.kernel.value("(bool((doubled == block * 2).all()), small)") == "(True, 1)"
    eventually(lambda: not list(store.iterdir()), "an empty store")


def test_a_call_through_a_store(here: Desk, store: Path) -> None:
    here.right(LARGE + "\nimport kube_magics\ndef double(x):\n    return x * 2")
    here.right(f"job = kube_magics.train(double, (block,), artifacts='{store}')\ngot = job.result()")
    assert here.kernel.value("bool((got == block * 2).all())") == "True"
    eventually(lambda: not list(store.iterdir()), "an empty store")


def test_files_come_back_with_their_layout(here: Desk, store: Path) -> None:
    (here.folder / "conf.json").write_text("{}")
    (here.folder / "out").mkdir()
    (here.folder / "out" / "model.pt").write_text("older")
    cell = (
        "import os\nos.makedirs('out/deep')\nopen('out/model.pt', 'wb').write(b'1' * 3_000_000)\n"
        "open('out/deep/log.json', 'w').write('[]')\nopen('notes.txt', 'w').write('lost')"
    )
    for options in (f"--artifacts {store}", ""):
        ran = here.right(f"%%kubetrain --files conf.json --returns-files out {options}\n{cell}")
        assert "files: 2 (3.0 MB)" in ran.stdout
        assert "notes.txt (4 B) was written and is lost: --returns-files or --volume" in ran.stdout
        assert (here.folder / "out" / "model.pt").read_bytes() == b"1" * 3_000_000
        assert (here.folder / "out" / "deep" / "log.json").read_text() == "[]"
        assert not (here.folder / "notes.txt").exists()
        eventually(lambda: not list(store.iterdir()), "an empty store")
        (here.folder / "out" / "model.pt").write_text("older")


def test_files_that_do_not_come_are_named_and_the_rest_arrives(here: Desk) -> None:
    ran = here.run(
        "%%kubetrain --files conf.json --returns-files *.pt,*.txt --returns got\ngot = 5\nopen('a.txt', 'w').write('a')"
    )
    assert ran.error == "ResultMissing"
    assert "--returns-files *.pt: no file of the job's working folder matches" in ran.message
    assert here.kernel.value("got") == "5"
    assert (here.folder / "a.txt").read_text() == "a"


def test_files_are_here_already_where_the_folder_is_the_notebooks(here: Desk) -> None:
    ran = here.right("%%kubetrain --returns-files made.txt\nopen('made.txt', 'w').write('a')")
    assert "what --returns-files names is there already" in ran.stdout
    assert "lost" not in ran.stdout
    assert (here.folder / "made.txt").exists()


def test_a_failed_job_brings_its_files(here: Desk, store: Path) -> None:
    ran = here.run(
        f"%%kubetrain --files conf.json --returns-files last.pt --artifacts {store}\nopen('last.pt', 'w').write('x')\n1 / 0"
    )
    assert ran.error == "ZeroDivisionError"
    assert (here.folder / "last.pt").read_text() == "x"
    eventually(lambda: not list(store.iterdir()), "an empty store")


@pytest.mark.parametrize(
    ("url", "error", "said"),
    [
        ("/no/such/folder", "SubmitError", "there is no folder /no/such"),
        ("gs://bucket/folder", "SubmitError", "gs://bucket/folder needs gcsfs, which is not installed"),
        ("nonsense://x/y", "SubmitError", "Protocol not known"),
        ("s3://key:secret@bucket/x", "OptionError", "the URL holds credentials"),
    ],
)
def test_a_store_that_cannot_be_used_is_found_out_before_anything_is_made(
    here: Desk, url: str, error: str, said: str
) -> None:
    before = here.left()
    ran = here.run(f"%%kubetrain --artifacts {url} --returns x\nx = 1")
    assert ran.error == error, ran
    assert said in ran.message
    assert here.left() == before


def test_what_did_not_load_stays_in_the_store(here: Desk, store: Path) -> None:
    ran = here.run(
        f"%%kubetrain --artifacts {store} --returns odd,fine\n"
        "class Odd:\n    def __reduce__(self):\n        return (int, ('x' * 2_000_000,))\nodd, fine = Odd(), 1"
    )
    assert ran.error == "ResultError"
    assert here.kernel.value("fine") == "1"
    (kept,) = store.glob("*/out-*")
    assert kept.stat().st_size > 2_000_000
    name = kept.parent.name.rpartition("-")[0]
    here.right(f"%kube delete {name}")
    eventually(lambda: not list(store.iterdir()), "an empty store")
