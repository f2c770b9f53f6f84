"""`--files` in a job: the same files in the same places, on this machine and on a cluster."""

from __future__ import annotations

import pytest

from tests.acceptance.desk import Desk, suggested

pytestmark = pytest.mark.jobs


def test_files_stand_in_the_working_folder(anywhere: Desk) -> None:
    data = anywhere.folder / "data"
    data.mkdir(exist_ok=True)
    (data / "a.txt").write_text("größer")
    (data / "run.sh").write_text("#!/bin/sh\necho ran\n")
    (data / "run.sh").chmod(0o755)
    (anywhere.folder / "other.txt").write_text("stays")
    ran = anywhere.right(
        "%%kubetrain --cpus 100m --files data --returns seen\nimport os, subprocess\n"
        "seen = sorted(os.listdir()), open('data/a.txt').read()\nopen('made.txt', 'w').write('x')\n"
        "print(subprocess.run(['data/run.sh'], capture_output=True, text=True).stdout)"
    )
    assert "travels: files: 2 (27 B)\n" in ran.stdout
    assert "ran\n" in ran.stdout
    assert anywhere.kernel.value("seen") == "(['data'], 'größer')"
    assert not (anywhere.folder / "made.txt").exists(), "a working folder of its own, on this machine too"


def test_files_stand_in_the_folder_of_workdir(anywhere: Desk) -> None:
    """Which is the user's: a file of the same name is replaced."""
    (anywhere.folder / "conf").mkdir(exist_ok=True)
    place = f"{anywhere.folder.parent}/run"
    for value in ("0.1", "0.2"):
        (anywhere.folder / "conf" / "lr.txt").write_text(value)
        anywhere.right(
            f"%%kubetrain --cpus 100m --files conf --workdir {place} --returns seen\n"
            "import os\nseen = os.getcwd(), open('conf/lr.txt').read()"
        )
        assert anywhere.kernel.value("seen") == f"('{place}', '{value}')"


def test_files_of_a_call(anywhere: Desk) -> None:
    (anywhere.folder / "config.txt").write_text("7")
    anywhere.right("import kube_magics\ndef read():\n    return int(open('config.txt').read())")
    assert anywhere.kernel.value("kube_magics.train(read, files='config.txt', cpus='100m').result()") == "7"


def test_what_is_not_there_is_an_error_before_anything_is_created(anywhere: Desk) -> None:
    before = anywhere.left()
    (anywhere.folder / "config.txt").write_text("7")
    ran = anywhere.run("%%kubetrain --files confg.txt\nprint(1)")
    assert (ran.error, suggested(ran)) == ("OptionError", "--files config.txt"), ran
    (anywhere.folder / "noise.bin").write_bytes(__import__("random").Random(1).randbytes(5_000_000))
    ran = anywhere.run("%%kubetrain --files noise.bin\nprint(1)")
    assert ran.error == "SubmitError", ran
    assert "noise.bin (5.0 MB)" in ran.message
    assert "--volume CLAIM:/data" in ran.message
    assert not anywhere.left() - before
