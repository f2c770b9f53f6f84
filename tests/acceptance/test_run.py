"""`%kube run`: a script runs as `python` would run it, an image as it is."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from kube_magics.errors import OptionError
from kube_magics.verbs.run import split
from tests.acceptance.desk import Desk, admin_of, next_lines

pytestmark = pytest.mark.jobs

SCRIPT = """\
import argparse
import multiprocessing
import os
import sys

from scriptkit import double


class Odd(Exception):
    pass


def work(n):
    return double(n)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float)
    parser.add_argument("--end")
    asked = parser.parse_args()
    print("lr", asked.lr, sys.argv[0], sorted(os.listdir()) if os.path.exists("config.txt") else "")
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.map(work, [1, 2]))
    if asked.end == "exit":
        sys.exit(3)
    if asked.end == "raise":
        double(None)
    if asked.end == "odd":
        raise Odd("of the script alone")
"""


@pytest.fixture
def scripts(anywhere: Desk) -> Desk:
    folder = anywhere.folder / "jobs"
    folder.mkdir(exist_ok=True)
    (folder / "train.py").write_text(SCRIPT)
    (folder / "scriptkit.py").write_text("def double(n):\n    return n + n\n")
    (anywhere.folder / "config.txt").write_text("c")
    return anywhere


def test_a_script_with_its_modules_files_and_arguments(scripts: Desk) -> None:
    ran = scripts.right("%kube run jobs/train.py --cpus 100m --files config.txt -- --lr 1e-3")
    assert "\nlr 0.001 jobs/train.py ['config.txt', 'jobs']\n[2, 4]\n" in ran.stdout, ran
    assert re.search(r"travels: jobs/train.py \(\d+ B\), modules: scriptkit \(\d+ B\), files: 1 \(1 B\)\n", ran.stdout)
    assert ran.stdout.startswith("job train-")


def test_how_a_script_ends(scripts: Desk) -> None:
    ran = scripts.run("%kube run jobs/train.py --cpus 100m -- --end exit")
    assert (ran.error, "exit code 3" in ran.message) == ("JobExited", True), ran
    ran = scripts.run("%kube run jobs/train.py --cpus 100m -- --end raise")
    assert ran.error == "TypeError", ran
    assert f"{scripts.folder}/jobs/train.py:28\n" in ran.traceback, ran.traceback
    assert "---> 28     double(None)" in ran.traceback
    assert f"{scripts.folder}/jobs/scriptkit.py:2, in double()" in ran.traceback
    scripts.right("class Odd(Exception):\n    pass")
    ran = scripts.right(
        "try:\n    get_ipython().run_line_magic('kube', 'run jobs/train.py --cpus 100m -- --end odd')\n"
        "except Odd:\n    print('the notebook has another one')\nexcept Exception as error:\n    print(type(error).__name__, error)"
    )
    assert "Odd __main__.Odd: of the script alone" in ran.stdout


@pytest.mark.parametrize(
    ("line", "error", "message", "fix"),
    [
        ("jobs/tarin.py", "CellError", "There is no script jobs/tarin.py", "%kube run jobs/train.py"),
        ("jobs/train", "CellError", "There is no script jobs/train", "%kube run jobs/train.py"),
        ("broken.py", "CellError", "broken.py, line 2: ", "correct line 2 of broken.py"),
        ("book.ipynb", "CellError", "book.ipynb is a notebook", "%%kubetrain"),
        ("config.txt", "CellError", "config.txt is no Python: line 1", "only Python scripts"),
        ("jobs/train.py --lr 3", "OptionError", "no option --lr", "%kube run jobs/train.py -- --lr 3"),
        ("jobs/train.py --returns x", "OptionError", "the names of a script do not come back", "%kube run"),
        ("", "OptionError", "takes a script or an image.", "%kube run train.py"),
        ("broken", "CellError", "broken is no file, and broken.py is one", "%kube run broken.py"),
    ],
)
def test_what_is_no_script(here: Desk, line: str, error: str, message: str, fix: str) -> None:
    (here.folder / "jobs").mkdir(exist_ok=True)
    (here.folder / "jobs" / "train.py").write_text(SCRIPT)
    (here.folder / "broken.py").write_text("x = 1\ndef\n")
    (here.folder / "book.ipynb").write_text(json.dumps({}))
    (here.folder / "config.txt").write_text("not: = python")
    before = here.left()
    ran = here.run(f"%kube run {line}")
    assert (ran.error, message in ran.message) == (error, True), ran
    assert fix in next_lines(ran)
    assert here.left() == before


@pytest.mark.parametrize(
    ("line", "target", "asked"),
    [
        ("train.py", "train.py", ""),
        ("train.py --gpus 1", "train.py", "--gpus 1"),
        ("--gpus 1 train.py", "train.py", "--gpus 1"),
        ("--gpus=1 train.py --cpus 2", "train.py", "--gpus=1 --cpus 2"),
        ("-r more.txt train.py", "train.py", "-r more.txt"),
        ("--dry-run team/mnist:1", "team/mnist:1", "--dry-run"),
        ("--shm team/mnist:1", "team/mnist:1", "--shm"),
        ("--shm 1Gi team/mnist:1", "team/mnist:1", "--shm 1Gi"),
        ("--env A=1 --env B=2 team/mnist:1 --name x", "team/mnist:1", "--env A=1 --env B=2 --name x"),
    ],
)
def test_options_stand_before_or_behind(line: str, target: str, asked: str) -> None:
    assert split(line.split()) == (target, asked.split())


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("--gpus 1", "takes a script or an image"),
        ("--gpus", "takes a script or an image"),
        ("--lr 3 train.py", "no option --lr"),
        ("-it team/mnist:1", "no option -it"),
    ],
)
def test_options_of_nothing(line: str, told: str) -> None:
    with pytest.raises(OptionError, match=told) as caught:
        split(line.split())
    assert caught.value.hint


def test_an_image_needs_a_cluster(here: Desk) -> None:
    ran = here.run("%kube run team/mnist:1 -- --epochs 3")
    assert ran.error == "OptionError"
    assert "images run on a cluster" in ran.message
    assert "%kube config context=NAME" in next_lines(ran)


@pytest.mark.cluster
def test_an_image_runs_as_it_is(there: Desk) -> None:
    image = there.right("import os; print(os.environ['KUBE_MAGICS_IMAGE'])").stdout.strip()
    script = "import sys, os; print(sys.argv, os.environ['MODE'], '\\\\x1e{}'); sys.exit(int(sys.argv[1]))"
    arguments = f'-- python3 -c "{script}" 0 $$HOME'
    ran = there.right(f"%kube run {image} --cpus 100m --name mnist-demo --env MODE=full {arguments}")
    assert "['-c', '0', '$HOME'] full \x1e{}\n" in ran.stdout, ran
    assert there.log("mnist-demo") == "['-c', '0', '$HOME'] full \x1e{}\n"
    assert there.right("%kube logs mnist-demo").stdout == "['-c', '0', '$HOME'] full \x1e{}\n"
    job = admin_of(there).kubectl.get("job", "mnist-demo")
    container = job["spec"]["template"]["spec"]["containers"][0]
    assert "command" not in container
    ran = there.run(f"%kube run {image} --cpus 100m --env MODE=x {arguments.replace(' 0 ', ' 7 ')}")
    assert (ran.error, "exit code 7" in ran.message) == ("JobFailed", True), ran
    there.right("import sys; code = sys.last_value.exit_code")
    assert there.kernel.value("code") == "7"


@pytest.mark.cluster
def test_what_has_no_meaning_for_an_image(there: Desk) -> None:
    before = there.left()
    ran = there.run("%kube run team/mnist:1 --files config.txt -- x")
    assert (ran.error, "--files is for scripts and cells" in ran.message) == ("OptionError", True), ran
    ran = there.right("%kube run team/mnist:1 --dry-run --timeout 60 -- --epochs 3")
    (job,) = yaml.safe_load_all(ran.stdout)
    assert job["spec"]["template"]["spec"]["containers"][0]["args"] == ["--epochs", "3"]
    assert job["spec"]["template"]["spec"]["activeDeadlineSeconds"] == 60
    assert there.left() <= before
