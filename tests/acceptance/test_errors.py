"""Every mistake gives one clear sentence and what to type next; typing it works, and nothing is left behind."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import yaml

from kube_magics import errors
from kube_magics.backends.local import LocalBackend
from tests.acceptance.desk import (
    LOGS,
    Desk,
    admin_of,
    corrected,
    desk,
    eventually,
    next_lines,
    suggested,
)
from tests.cluster import Cluster
from tests.kernel import Ran

pytestmark = pytest.mark.jobs


@dataclass(frozen=True)
class Mistake:
    """One wrong cell."""

    error: type[errors.KubeMagicsError]
    says: str
    """Part of the first line."""
    line: str = ""
    body: str = "print('ran')"
    before: str = ""
    """A cell that runs first."""
    wrong: str = ""
    """The word of the line that the suggestion stands for."""
    told: str = ""
    """Part of the `next:` line where it tells in words what to do, …"""
    mended: tuple[str, str] | None = None
    """… and the line and body of someone who does so."""
    mending: str = ""
    """A cell that such a person runs first."""


ON_THE_LINE: dict[str, Mistake] = {
    "misspelt option": Mistake(errors.OptionError, "no option --gpu.", "--gpu 0", wrong="--gpu"),
    "one dash": Mistake(errors.OptionError, "no option -gpus.", "-gpus 0", wrong="-gpus"),
    "option of another tool": Mistake(errors.OptionError, "no option --replicas", "--replicas 3"),
    "not an option": Mistake(errors.OptionError, "options only", "digits.py"),
    "option without its value": Mistake(errors.OptionError, "--timeout needs a value", "--timeout"),
    "gpus in words": Mistake(errors.OptionError, "not a whole number", "--gpus one --cpu-ok"),
    "fewer than no gpus": Mistake(errors.OptionError, "--gpus -1", "--gpus -1 --cpu-ok"),
    "memory in GB": Mistake(errors.OptionError, "not an amount of memory", "--memory 2GB"),
    "memory without a unit": Mistake(errors.OptionError, "too little", "--memory 1"),
    "cpus with a comma": Mistake(errors.OptionError, "not a number of cores", "--cpus 0,5"),
    "name in capitals": Mistake(errors.OptionError, "a-z, 0-9", "--name My_Job"),
    "names with blanks": Mistake(errors.OptionError, "commas", "--returns a, b", body="a = b = 1"),
    "timeout in words": Mistake(errors.OptionError, "not a duration", "--timeout soon"),
    "no such backend": Mistake(errors.OptionError, "no such backend", "--backend docker"),
    "undefined $name": Mistake(
        errors.OptionError,
        "$how_many",
        "--gpus $how_many",
        told="define how_many",
        mending="how_many = 0",
        mended=("--gpus $how_many", "print('ran')"),
    ),
    "undefined {name}": Mistake(
        errors.OptionError,
        "{minutes * 60}",
        "--timeout {minutes * 60}",
        told="define minutes",
        mending="minutes = 2",
        mended=("--timeout {minutes * 60}", "print('ran')"),
    ),
    "open quote": Mistake(
        errors.OptionError, "No closing quotation", "--name 'abc", told="close the quote", mended=("--name 'abc'", "1")
    ),
}

IN_THE_CELL: dict[str, Mistake] = {
    "empty": Mistake(errors.CellError, "is empty", body="", told="write code below", mended=("", "print('ran')")),
    "blank": Mistake(errors.CellError, "is empty", body="\n  \n", told="write code below", mended=("", "print('ran')")),
    "comments only": Mistake(
        errors.CellError, "is empty", body="# later\n", told="write code below", mended=("", "print('ran')")
    ),
    "syntax error": Mistake(
        errors.CellError,
        "Line 4: expected ':'",
        body="n = 3\n\nfor i in range(n)\n    print(i)",
        told="correct line 4",
        mended=("", "n = 3\n\nfor i in range(n):\n    print(i)"),
    ),
    "a magic": Mistake(
        errors.CellError, "Line 3: %whos", body="n = 3\n%whos", told="a cell of its own", mended=("", "n = 3")
    ),
    "input": Mistake(
        errors.CellError,
        "input()",
        body="n = input('How many? ')",
        told="set the value",
        mending="n = 3",
        mended=("", "print(n)"),
    ),
    "undefined": Mistake(
        errors.UndefinedName,
        "'never_made' is not defined",
        body="print(never_made)",
        told="run the cell that defines never_made",
        mending="never_made = 1",
        mended=("", "print(never_made)"),
    ),
    "returns what is never set": Mistake(
        errors.CellError,
        "never sets model",
        "--returns model",
        told="set model",
        mended=("--returns model", "model = 1"),
    ),
    "a credential": Mistake(
        errors.CaptureError,
        "Line 2: password looks like a password by its name",
        body="password = 'tr0ub4dor&3'",
        told="--secret NAME:KEY=PASSWORD",
        mended=("--capture password", "password = 'tr0ub4dor&3'"),
    ),
    "unpicklable, by its path": Mistake(
        errors.CaptureError,
        'config["connections"][1]',
        before="import threading\nconfig = {'connections': [1, threading.Lock()]}",
        body="print(config)",
        told="make it inside the cell",
        mended=("", "import threading\nconfig = {'connections': [1, threading.Lock()]}\nprint(config)"),
    ),
    "an open file": Mistake(
        errors.CaptureError,
        "source cannot travel",
        before="import os\nsource = open(os.devnull)",
        body="print(source.read())",
        told="inside the cell",
        mended=("", "import os\nsource = open(os.devnull)\nprint(source.read())\nsource.close()"),
    ),
}

NO_CLUSTER: dict[str, Mistake] = {
    "a cluster is asked for": Mistake(errors.ConfigError, "No cluster is configured", "--backend kubernetes"),
    "a context is asked for": Mistake(errors.ConfigError, "no context lab", "--context lab"),
    "a namespace is asked for": Mistake(errors.ConfigError, "no namespace team-a", "--namespace team-a"),
    "gpus are asked for": Mistake(errors.SubmitError, "no NVIDIA GPU is found", "--gpus 1"),
    "no such interpreter": Mistake(errors.SubmitError, "/nope cannot be started", "--python /nope"),
    "not a Python": Mistake(
        errors.JobNotStarted, "did not start", "--python /bin/false", told="leave --python out", mended=("", "1")
    ),
    "manifests without a cluster": Mistake(
        errors.OptionError, "would run on this machine", "--dry-run", told="--backend kubernetes", mended=("", "1")
    ),
}


def check(desk: Desk, mistake: Mistake) -> None:
    """The mistake, its sentence, the way out, and what is left."""
    if mistake.before:
        desk.right(mistake.before)
    before = desk.left()
    ran = desk.run(f"%%kubetrain {mistake.line}\n{mistake.body}")
    assert_clear(ran, mistake.error, mistake.says)
    desk.settles(before)
    again(desk, mistake, ran)


def assert_clear(ran: Ran, error: type[errors.KubeMagicsError], says: str) -> None:
    """The right class, said in a few lines of which the first is a sentence."""
    assert ran.error == error.__name__, ran
    lines = ran.traceback.splitlines()
    first = next(line for line in lines if line.startswith(error.__name__))
    assert says in first, ran.traceback
    assert len(lines) <= 12, ran.traceback
    assert "Traceback" not in ran.traceback
    assert next_lines(ran)


def again(desk: Desk, mistake: Mistake, ran: Ran) -> None:
    """Do what the `next:` line says."""
    if mistake.mended is not None:
        assert mistake.told in next_lines(ran), ran.traceback
        if mistake.mending:
            desk.right(mistake.mending)
        line, body = mistake.mended
        desk.right(f"%%kubetrain {line}\n{body}")
        return
    command = suggested(ran)
    assert command is not None, ran.traceback
    if command.startswith("%"):
        desk.right(command)
    else:
        desk.right(f"%%kubetrain {corrected(mistake.line, command, mistake.wrong)}\n{mistake.body}")


def test_what_a_line_may_hold(here: Desk) -> None:
    """Comments, quotes, expressions with blanks and quotes: as one would write it in Python."""
    here.right("limits = {'time': 1}\nwanted = ['a', 'b']")
    line = """--returns $wanted --timeout {limits["time"] * 60}  # that's a "minute" """
    here.right(f"%%kubetrain {line}\na, b = 1, 2")
    assert here.kernel.value("(a, b)") == "(1, 2)"


@pytest.mark.parametrize("name", ON_THE_LINE)
def test_on_the_line(here: Desk, name: str) -> None:
    check(here, ON_THE_LINE[name])


@pytest.mark.parametrize("name", IN_THE_CELL)
def test_in_the_cell(here: Desk, name: str) -> None:
    check(here, IN_THE_CELL[name])


@pytest.mark.parametrize("name", NO_CLUSTER)
def test_without_a_cluster(here: Desk, name: str) -> None:
    check(here, NO_CLUSTER[name])


def test_an_empty_cell_ends_run_all(here: Desk) -> None:
    """Also the cell that is nothing but the line, of which IPython itself would only print."""
    assert_clear(here.run("%%kubetrain"), errors.CellError, "is empty")


def test_line_numbers_are_the_editors(here: Desk) -> None:
    ran = here.run("%%kubetrain\nn = 1\n\ndef f():\n    return n +\n\nf()")
    assert_clear(ran, errors.CellError, "Line 5")


@pytest.mark.cluster
def test_an_image_without_python(there: Desk, cluster: Cluster) -> None:
    image = getattr(cluster.images, "pause", None)
    if image is None:
        pytest.skip("a given cluster names no image without Python")
    told = "--image with a Python"
    check(there, Mistake(errors.JobNotStarted, "no such Python", f"--image {image}", told=told, mended=("", "1")))


@pytest.fixture(scope="module")
def nameless(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Iterator[Desk]:
    """A user who has named no context, and may change their kubeconfig."""
    with desk(tmp_path_factory.mktemp("nameless"), cluster) as found:
        found.right("import os\nos.environ.pop('KUBE_MAGICS_CONTEXT')\nKUBECONFIG = os.environ['KUBECONFIG']")
        yield found


@pytest.mark.cluster
def test_the_first_job_on_a_context_needs_its_name_once(nameless: Desk) -> None:
    before = nameless.left()
    ran = nameless.run("%%kubetrain\nprint('ran')")
    assert_clear(ran, errors.ConfigError, "first job on")
    assert nameless.left() <= before
    command = suggested(ran)
    assert command == f"%kube config context={admin_of(nameless).context}"
    nameless.right(command)
    nameless.right("%kube config context=")
    assert "ran" in nameless.right("%%kubetrain\nprint('ran')").stdout


@pytest.mark.cluster
def test_a_cluster_that_does_not_answer_is_an_error(nameless: Desk, tmp_path: Path) -> None:
    """Never a silent local run; and the way out that the error names does run here."""
    content = yaml.safe_load(admin_of(nameless).kubeconfig.read_text())
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        content["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{unused.getsockname()[1]}"
        refusing = tmp_path / "refusing.yaml"
        refusing.write_text(yaml.safe_dump(content))
        nameless.right(f"os.environ['KUBECONFIG'] = {str(refusing)!r}")
        try:
            told = Mistake(errors.Unreachable, "No connection to cluster", f"--context {admin_of(nameless).context}")
            check(nameless, told)
            assert_clear(nameless.run("%kube jobs"), errors.Unreachable, "No connection")
        finally:
            nameless.right("os.environ['KUBECONFIG'] = KUBECONFIG")


@pytest.mark.cluster
def test_a_kubeconfig_that_is_not_there_is_an_error(nameless: Desk) -> None:
    nameless.right("os.environ['KUBECONFIG'] = '/nowhere/lab.yaml'")
    try:
        check(nameless, Mistake(errors.ConfigError, "KUBECONFIG=/nowhere/lab.yaml names no file"))
    finally:
        nameless.right("os.environ['KUBECONFIG'] = KUBECONFIG")


@pytest.mark.cluster
def test_a_kubeconfig_that_is_broken_is_an_error(nameless: Desk, tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    nameless.right(f"os.environ['KUBECONFIG'] = {str(broken)!r}")
    try:
        for content in ("clusters: [", "", "apiVersion: v1\nkind: Config\n", "just: text"):
            broken.write_text(content)
            check(nameless, Mistake(errors.ConfigError, "broken.yaml"))
    finally:
        nameless.right("os.environ['KUBECONFIG'] = KUBECONFIG")


def test_a_name_that_is_taken(anywhere: Desk) -> None:
    """By a job that runs: the second is refused, the first goes on; the suggested %kube delete makes room."""
    anywhere.right("import kube_magics, time\ndef nap():\n    print('up', flush=True)\n    time.sleep(120)")
    before = anywhere.left()
    anywhere.right("first = kube_magics.train(nap, name='taken')")
    anywhere.says("taken", "up")
    meanwhile = anywhere.left()
    ran = anywhere.run("%%kubetrain --name taken\nprint('ran')")
    assert_clear(ran, errors.Conflict, "There is a job taken already")
    assert anywhere.left() <= meanwhile
    assert anywhere.kernel.value("first.status") == "'running'"
    command = suggested(ran)
    assert command == "%kube delete taken"
    anywhere.right(command)
    ran = anywhere.right("%%kubetrain --name taken\nprint('ran')")
    assert "ran\n" in ran.stdout
    anywhere.right(command)
    logs = {f"log {path.name}" for path in (anywhere.folder / LOGS).glob("taken*")}
    anywhere.settles(before | logs)


def test_two_jobs_at_the_same_time(anywhere: Desk) -> None:
    """Both succeed, each with its own output and value; a third in a cell too."""
    anywhere.right("import kube_magics\ndef square(n):\n    print('square of', n)\n    return n * n")
    anywhere.right("jobs = [kube_magics.train(square, (n,)) for n in (3, 4)]")
    ran = anywhere.right("%%kubetrain --returns nine\nnine = square(3)\nprint('cell')")
    assert "square of 3\ncell\n" in ran.stdout
    assert anywhere.kernel.value("([job.result() for job in jobs], nine)") == "([9, 16], 9)"
    assert anywhere.kernel.value("[job.logs() for job in jobs]") == "['square of 3\\n', 'square of 4\\n']"
    assert anywhere.kernel.value("len({job.name for job in jobs})") == "2"
    anywhere.right("for job in jobs: job.delete()")


@pytest.mark.cluster
def test_a_pod_is_deleted_under_the_job(there: Desk) -> None:
    before = there.left()
    cell = "%%kubetrain --name doomed\nimport time\nprint('up', flush=True)\ntime.sleep(100)"
    request = there.kernel.send(cell)
    there.says("doomed", "up")
    space = admin_of(there)
    space.admin("delete", "pod", "-l", "job-name=doomed", f"-n{space.name}", "--force", "--grace-period=0")
    ran = there.kernel.finish(request)
    assert_clear(ran, errors.JobDeleted, "doomed lost its pod: someone deleted it")
    assert suggested(ran) == "%kube logs doomed"
    # The pod took its log with it; the one that was followed is still here.
    assert there.right("%kube logs doomed").stdout == "up\n"
    there.right("%kube delete doomed")
    there.right("%%kubetrain --name doomed\nprint('up')")
    there.right("%kube delete doomed")
    there.settles(before | {f"log {path.name}" for path in (there.folder / LOGS).glob("doomed*")})


def test_a_job_is_deleted_while_its_cell_waits(anywhere: Desk) -> None:
    """By another notebook, which is not the same as being stopped."""
    before = anywhere.left()
    request = anywhere.kernel.send("%%kubetrain --name removed\nimport time\nprint('up', flush=True)\ntime.sleep(100)")
    anywhere.says("removed", "up")
    if anywhere.space is None:
        backend = LocalBackend("a test", anywhere.state / "jobs")
        asyncio.run(backend.delete("removed"))
    else:
        anywhere.space.admin("delete", "job", "removed", f"-n{anywhere.space.name}")
    ran = anywhere.kernel.finish(request)
    assert_clear(ran, errors.JobDeleted, "removed was deleted")
    assert anywhere.right("%kube jobs").text.count("removed") == 0
    anywhere.settles(before | {"log removed.log"})


def test_the_runner_is_killed(here: Desk) -> None:
    """kill -9 of the first process: said at once, and the user's own process does not go on unseen."""
    before = here.left()
    body = "import os, time\nprint('up', os.getpid(), flush=True)\ntime.sleep(100)"
    request = here.kernel.send(f"%%kubetrain --name orphan\n{body}")
    here.says("orphan", "up")
    child = psutil.Process(int(here.log("orphan").split()[1]))
    runner = json.loads((here.state / "jobs" / "orphan" / "job.json").read_text())["pid"]
    assert child.ppid() == runner
    os.kill(runner, signal.SIGKILL)
    ran = here.kernel.finish(request)
    assert_clear(ran, errors.JobKilled, "runner was killed")
    eventually(
        lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, "the end of the user's process"
    )
    assert re.search(r"^orphan +failed", here.right("%kube jobs").text, re.MULTILINE)
    here.right("%kube delete orphan")
    here.settles(before | {"log orphan.log"})


@pytest.mark.cluster
def test_a_job_made_by_kubectl_that_pod_security_refuses(there: Desk) -> None:
    """Ours never are (the whole module runs under `restricted`); of others, %kube jobs says why they wait."""
    space = admin_of(there)
    space.kubectl("create", "job", "privileged", "--image=busybox", "--", "true")
    try:
        eventually(lambda: "Pod Security" in there.right("%kube jobs").text, "the reason in %kube jobs")
    finally:
        there.right("%kube delete privileged")


@pytest.mark.cluster
def test_out_of_memory(there: Desk) -> None:
    """The limit is named, and one that is large enough."""
    body = "hoard = bytearray(300 << 20)\nprint(sum(hoard[::4096]))"
    ran = there.run(f"%%kubetrain --memory 128Mi\n{body}")
    assert_clear(ran, errors.JobOutOfMemory, "killed at its memory limit")
    assert "larger --memory" in next_lines(ran) or (suggested(ran) or "").startswith("--memory ")
    there.right(f"%%kubetrain --memory 512Mi\n{body}")
    # So little that the runner may still be starting when its program is killed.
    ran = there.run(f"%%kubetrain --cpus 100m --memory 30Mi\n{body}")
    assert_clear(ran, errors.JobOutOfMemory, "killed at its memory limit")


@pytest.mark.cluster
def test_a_job_that_clears_its_tmp(there: Desk) -> None:
    """With all that is kept there: its end is seen, what it printed, and which value is lost."""
    ran = there.run("%%kubetrain --cpus 100m --returns n\n!rm -rf /tmp/*\nprint('ran')\nn = 1")
    assert_clear(ran, errors.ResultMissing, "n did not come back: the job has removed")
    assert "ran\n" in ran.stdout
