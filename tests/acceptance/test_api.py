"""The same through Python, and the promises about a job's surroundings, output, size, and life without its notebook."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from kube_magics import errors
from tests.acceptance.desk import LOGS, Desk, admin_of, desk, environment, eventually, suggested
from tests.cluster import Cluster
from tests.kernel import Kernel

pytestmark = pytest.mark.jobs


def test_train_gives_a_job(anywhere: Desk) -> None:
    anywhere.right(
        "import kube_magics\nfactor = 3\ndef fit(n, *, plus=0):\n    print('fitting')\n"
        "    kube_magics.report(step=1, total=n, loss=0.5)\n    kube_magics.report(step=n, total=n, loss=0.25)\n"
        "    return n * factor + plus"
    )
    anywhere.right("job = kube_magics.train(fit, (4,), {'plus': 1}, cpus='100m')")
    assert anywhere.kernel.value("type(job) is kube_magics.Job") == "True"
    assert anywhere.kernel.value("job.result()") == "13"
    assert anywhere.kernel.value("(job.status, job.wait(), job.logs())") == "('succeeded', 'succeeded', 'fitting\\n')"
    assert anywhere.kernel.value("job.progress().sentence") == "'100 % (4 of 4); loss 0.25'"
    anywhere.right("job.delete()")
    assert anywhere.run("job.delete()").error == "NotFound"


def test_the_original_exception(anywhere: Desk) -> None:
    ran = anywhere.right(
        "import kube_magics\ndef parse(text):\n    return int(text)\n"
        "job = kube_magics.train(parse, ('x',))\n"
        "try:\n    job.result()\nexcept ValueError as error:\n    print('caught', error)"
    )
    assert ran.stdout.endswith("caught invalid literal for int() with base 10: 'x'\n")
    assert anywhere.kernel.value("job.status") == "'failed'"


def test_remote(anywhere: Desk) -> None:
    anywhere.right(
        "import kube_magics\n@kube_magics.remote(cpus='100m')\ndef double(n):\n    'Twice.'\n    return 2 * n\n"
        "@kube_magics.remote\ndef triple(n):\n    return 3 * n"
    )
    ran = anywhere.right("print(double(4), triple(n=2), double.submit(5).result())")
    assert ran.stdout.endswith("8 6 10\n")
    assert "job double-" in ran.stdout, "who blocks says for what"
    assert anywhere.kernel.value("(double.__name__, double.__doc__)") == "('double', 'Twice.')"


def test_a_foreign_exception_keeps_its_name(anywhere: Desk) -> None:
    """Its class exists in the job alone, in a module that is written there."""
    body = (
        "import importlib, pathlib, sys, tempfile\nfolder = pathlib.Path(tempfile.mkdtemp())\n"
        "(folder / 'only_there.py').write_text('class Diverged(Exception):\\n    pass\\n')\n"
        "sys.path.insert(0, str(folder))\nimportlib.invalidate_caches()\n"
        "raise importlib.import_module('only_there').Diverged('loss is nan')"
    )
    ran = anywhere.run(f"%%kubetrain\n{body}")
    assert ran.error == "Diverged", ran
    assert "only_there.Diverged: loss is nan" in ran.traceback
    ran = anywhere.right(
        "import kube_magics.errors, sys\nerror = sys.last_value\n"
        "isinstance(error, kube_magics.errors.RemoteError), type(error).__name__, error.remote_type"
    )
    assert ran.values == ["(True, 'Diverged', 'only_there.Diverged')"]


@pytest.mark.parametrize("place", ["here", pytest.param("there", marks=pytest.mark.cluster)])
def test_without_the_extension(place: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """A kernel that loads nothing."""
    used: Desk = request.getfixturevalue(place)
    with Kernel(tmp_path, environment(used)) as kernel:
        ran = kernel.run("import kube_magics\ndef f(n):\n    return n + 1\nprint(kube_magics.train(f, (1,)).result())")
        assert ran.error is None, ran
        assert ran.stdout.endswith("2\n")


def test_from_a_script(anywhere: Desk, tmp_path: Path) -> None:
    """Functions and data of a plain file, run by python; a class of the file comes back as that class."""
    script = tmp_path / "fit.py"
    script.write_text(
        "from dataclasses import dataclass\n\nimport kube_magics\n\nFACTOR = 3\n\n\n@dataclass\nclass Fit:\n    slope: int\n\n\n"
        "def fit(n):\n    return Fit(n * FACTOR)\n\n\n"
        "if __name__ == '__main__':\n    got = kube_magics.train(fit, (7,)).result()\n"
        "    print(type(got) is Fit, got.slope)\n"
    )
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("KUBE", "JPY_"))}
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        cwd=tmp_path,
        env=inherited | {"PYTHONPATH": os.pathsep.join(sys.path)} | environment(anywhere),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("True 21\n"), done


def test_pictures_of_a_script_are_kept_beside_its_log(here: Desk, tmp_path: Path) -> None:
    """Where nobody can show them; a line says where."""
    script = tmp_path / "draw.py"
    script.write_text(
        "import kube_magics\n\n\n@kube_magics.remote(name='drawn')\ndef draw():\n    import matplotlib.pyplot as plt\n"
        "    print('one')\n    for _ in range(2):\n        plt.plot([1, 2])\n        plt.show()\n    print('two')\n\n\n"
        "if __name__ == '__main__':\n    draw()\n"
    )
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("KUBE", "JPY_"))}
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        cwd=tmp_path,
        env=inherited | {"PYTHONPATH": os.pathsep.join(sys.path)} | environment(here),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = done.stdout.splitlines()[-4:]
    figure = r"\[kube_magics: <Figure size 640x480 with 1 Axes>, \d+ KiB: \.kube_magics/logs/{}\]"
    assert (found[0], found[3]) == ("one", "two"), done.stdout
    for line, name in zip(found[1:3], ("drawn.png", "drawn.2.png"), strict=True):
        assert re.fullmatch(figure.format(re.escape(name)), line), line
        assert (tmp_path / LOGS / name).read_bytes().startswith(b"\x89PNG")


def test_help_is_shown(here: Desk) -> None:
    request = here.kernel.send("%%kubetrain?")
    reply = here.kernel.client.get_shell_msg(timeout=30)
    while reply["parent_header"].get("msg_id") != request:
        reply = here.kernel.client.get_shell_msg(timeout=30)
    here.kernel.finish(request)
    text = reply["content"]["payload"][0]["data"]["text/plain"]
    for option in ("--gpus N", "--returns A,B", "--timeout TIME", "--dry-run"):
        assert option in text, text


@pytest.mark.cluster
@pytest.mark.parametrize("packed_mb", [0, 1])
def test_what_dry_run_prints_runs(there: Desk, packed_mb: int, tmp_path: Path) -> None:
    """Exactly as it is, made by kubectl; also with a bundle that is too large for the Job itself."""
    before = there.left()
    there.right(f"import os\nballast = os.urandom({packed_mb} * 1_000_000)")
    cell = "print('from kubectl', len(ballast))"
    printed = there.right(f"%%kubetrain --dry-run --name dry-{packed_mb} --timeout 60s\n{cell}").stdout
    assert there.left() <= before
    space = admin_of(there)
    made = space.kubectl("create", "--filename=-", input=printed)
    assert "Warning" not in made.stderr
    eventually(
        lambda: re.search(rf"^dry-{packed_mb} +succeeded", there.right("%kube jobs").text, re.MULTILINE),
        "its completion",
    )
    assert there.right(f"%kube logs dry-{packed_mb}").stdout == f"from kubectl {packed_mb * 1_000_000}\n"
    space.kubectl("delete", "--filename=-", "--wait=false", input=printed)
    there.settles(before)


def test_a_result_that_is_too_large(anywhere: Desk) -> None:
    """Named with its size and the limit, and the other names arrive; on this machine there is no limit."""
    ran = anywhere.run(
        "%%kubetrain --returns small,large,last\nsmall = 1\nlarge = bytes(range(256)) * 10_000\nlast = 3"
    )
    assert anywhere.kernel.value("(small, last)") == "(1, 3)"
    if anywhere.space is None:
        assert ran.error is None, ran
        assert anywhere.kernel.value("len(large)") == "2560000"
        return
    assert ran.error == "ResultTooLarge", ran
    assert "large is 2.6 MB; a result of up to 1.0 MB" in ran.traceback
    assert "next: --artifacts URL" in ran.traceback


FLOOD_LINES = 400_000
"""Four times as much as a notebook is shown of a job."""
_LOST = r"\[kube_magics: (?:(-?\d+) lines|part of a line) \((-?\d+) bytes\) w(?:ere|as) lost"


def test_a_flood_of_output(anywhere: Desk) -> None:
    """The notebook gets what it can hold, and the tail; the file gets everything."""
    ran = anywhere.right(
        f"%%kubetrain --name flood\nimport sys\nfor n in range(0, {FLOOD_LINES}, 20_000):\n"
        "    sys.stdout.write(''.join(f'line {i}\\n' for i in range(n, n + 20_000)))\nprint('the last line')"
    )
    received = len((ran.stdout + ran.stderr).encode())
    assert received < 1_100_000
    assert len(ran.arrivals) < 20 * (ran.arrivals[-1][0] + 2), "twenty a second"
    assert f"line {FLOOD_LINES - 1}\nthe last line\n" in ran.stdout
    assert "lines are not shown here" in ran.stderr
    log = (anywhere.folder / LOGS / "flood.log").read_text()
    numbers = [int(number) for number in re.findall(r"^line (\d+)$", log, re.MULTILINE)]
    assert numbers == sorted(set(numbers)), "in order, none twice"
    assert log.endswith(f"line {FLOOD_LINES - 1}\nthe last line\n")
    # A node may rotate a log away under whoever reads it, also in the middle of a line: then what is missing is said, to
    # the byte.
    said = [(int(count or 0), int(size)) for count, size in re.findall(_LOST, log.replace(",", ""))]
    came = [line for line in log.splitlines()[:-1] if not line.startswith("[kube_magics: ")]
    size = sum(len(f"line {number}") for number in range(FLOOD_LINES))
    missing = FLOOD_LINES - len(came), size - sum(map(len, came))
    assert missing == (sum(count for count, _ in said), sum(size for _, size in said)), ran.stderr[-2000:]
    assert not said or anywhere.space is not None


def test_a_progress_bar(anywhere: Desk) -> None:
    """Many updates of one line arrive as one line, while it grows and at its end."""
    ran = anywhere.right(
        "%%kubetrain --name bar\nimport sys, time\nfor i in range(151):\n"
        "    sys.stderr.write(f'\\r{i}/150')\n    sys.stderr.flush()\n    time.sleep(0.01)\nsys.stderr.write('\\n');"
    )
    assert ran.stderr == "".join(f"\r{i}/150" for i in range(151)) + "\n"
    assert (anywhere.folder / LOGS / "bar.log").read_bytes().decode() == ran.stderr


@pytest.mark.cluster
def test_a_gpu_pod_sees_its_devices(there: Desk) -> None:
    ran = there.right(
        "%%kubetrain --gpus 2 --name two-gpus\nimport os\n"
        "shown = os.environ.get('NVIDIA_VISIBLE_DEVICES') or os.environ['CUDA_VISIBLE_DEVICES']\n"
        "print(len(set(shown.split(','))), os.path.ismount('/dev/shm'))"
    )
    assert "2 True\n" in ran.stdout
    spec = admin_of(there).kubectl.get("job", "two-gpus")["spec"]["template"]["spec"]
    assert [volume["name"] for volume in spec["volumes"]] == ["shm"]


SURROUNDINGS = """
import getpass, os, pathlib, tempfile
found = {
    'token': os.path.exists('/var/run/secrets/kubernetes.io/serviceaccount/token'),
    'home': os.environ['HOME'], 'tmp': tempfile.gettempdir(), 'user': getpass.getuser(), 'logname': os.environ['LOGNAME'],
    'uid': os.getuid(), 'shares': 100 in os.getgroups(),
    'services': [name for name in os.environ if name.endswith('_SERVICE_HOST') and name != 'KUBERNETES_SERVICE_HOST'],
    'mpl': os.environ['MPLBACKEND'], 'own': 'KUBE_MAGICS_BUNDLE' in os.environ,
}
(pathlib.Path.home() / 'written').write_text('here')
open('beside', 'w').close()
"""


@pytest.mark.cluster
@pytest.mark.parametrize("options", ["", "--read-only-root"])
def test_the_surroundings_of_a_job(there: Desk, options: str) -> None:
    there.right(f"%%kubetrain {options} --returns found{SURROUNDINGS}")
    found = there.kernel.value("found")
    assert eval(found) == {
        "token": False,
        "home": "/tmp",
        "tmp": "/tmp",
        "user": "user",
        "logname": "user",
        "uid": 1000,
        "shares": True,
        "services": [],
        "mpl": "Agg",
        "own": False,
    }


@pytest.mark.cluster
def test_no_volume_that_is_not_needed(there: Desk) -> None:
    there.right("%%kubetrain --name bare\n1")
    spec = admin_of(there).kubectl.get("job", "bare")["spec"]["template"]["spec"]
    assert "volumes" not in spec
    pod = admin_of(there).kubectl.get("pods", "-l", "job-name=bare")["items"][0]
    assert not pod["spec"].get("volumes")


@pytest.fixture
def second(here: Desk, tmp_path: Path) -> Iterator[Kernel]:
    """Another kernel of the same user, in another folder."""
    with Kernel(tmp_path, environment(here)) as kernel:
        assert kernel.run("%load_ext kube_magics").error is None
        yield kernel


def test_a_local_job_survives_its_kernel(tmp_path: Path, second: Kernel, here: Desk) -> None:
    """kill -9 of the kernel: the job goes on, and another kernel finds it, reads it, stops it."""
    folder = tmp_path / "first"
    with desk(folder) as first:
        first.right(f"import os\nos.environ['KUBE_MAGICS_STATE'] = {str(here.state)!r}")
        first.kernel.send(
            "%%kubetrain --name survivor\nimport os, time\nprint('up', os.getpid(), flush=True)\ntime.sleep(100)"
        )
        first.says("survivor", "up")
        user = psutil.Process(int(first.log("survivor").split()[1]))
        os.kill(first.kernel.pid, signal.SIGKILL)
    eventually(lambda: re.search(r"survivor +running", second.run("%kube jobs").text), "the job in another kernel")
    assert second.run("%kube logs survivor").stdout.startswith("up ")
    assert user.is_running()
    assert "told to end" in second.run("%kube stop survivor").stdout
    eventually(lambda: re.search(r"survivor +stopped", second.run("%kube jobs").text), "its end")
    assert not user.is_running() or user.status() == psutil.STATUS_ZOMBIE
    assert second.run("%kube delete survivor").error is None
    assert "survivor" not in second.run("%kube jobs").text


@pytest.mark.long  # it waits for a third of the grace
def test_a_local_job_that_ignores_int_hears_term(here: Desk) -> None:
    here.right(
        "import kube_magics\ndef stubborn():\n    import signal, time\n"
        "    signal.signal(signal.SIGINT, lambda *_: print('no', flush=True))\n    print('up', flush=True)\n"
        "    while True:\n        time.sleep(0.1)\njob = kube_magics.train(stubborn, name='stubborn')"
    )
    here.says("stubborn", "up\n")
    here.right("job.stop()")
    ran = here.run("job.result()")
    assert ran.error == errors.JobStopped.__name__
    assert "no\n" in here.log("stubborn")


def test_a_timeout(anywhere: Desk) -> None:
    """Said as one, with a longer one as the next line; the job had its grace."""
    ran = anywhere.run(
        "%%kubetrain --timeout 1s --name short\nimport time\ntry:\n    time.sleep(60)\n"
        "except BaseException as error:\n    print('ends by', type(error).__name__)\n    raise"
    )
    assert ran.error == "JobTimeout", ran
    assert suggested(ran) == "--timeout 1d"


@pytest.mark.cluster
def test_jobs_of_a_user_are_marked(there: Desk, cluster: Cluster) -> None:
    """Notebook, submission and versions stand on the Job: the cluster is the database."""
    there.right("%%kubetrain --name marked --returns n\nn = 1")
    meta = admin_of(there).kubectl.get("job", "marked")["metadata"]
    assert "acceptance.ipynb" in meta["annotations"].values()
    assert meta["labels"]["app.kubernetes.io/managed-by"] == "kube-magics"
    assert "acceptance.ipynb" in there.right("%kube jobs").text


STRIKE = """
import os, signal, threading
def strike(info):
    get_ipython().events.unregister('pre_run_cell', strike)
    threading.Timer({delay_s}, os.kill, (os.getpid(), signal.SIGINT)).start()
get_ipython().events.register('pre_run_cell', strike)
"""


def test_an_interrupt_at_any_moment_leaves_no_job_that_nobody_knows_of(anywhere: Desk) -> None:
    """Before it is submitted: nothing is left. After: Detached, which names the job."""
    for number, delay_s in enumerate((0.005, 0.01, 0.015, 0.02, 0.04, 0.08)):
        name = f"early-{number}"
        # From inside, so that it comes while the cell runs: an idle kernel ignores interrupts.
        anywhere.right(STRIKE.format(delay_s=delay_s))
        ran = anywhere.run(f"%%kubetrain --name {name} --cpus 10m\nimport time\ntime.sleep(5)")
        if "Error in callback" in ran.stdout + ran.stderr:
            continue  # it struck IPython's own preparations, which go on
        if ran.error == "Detached":
            assert f"%kube stop {name}" in ran.traceback
            anywhere.right(f"%kube delete {name}")
        else:
            # An interrupt may strike where a frame has no line number; IPython then shows it by its plain fallback.
            shown = ran.error is None and "\nKeyboardInterrupt\n" in ran.stderr
            assert shown or ran.error in ("SubmitError", "KeyboardInterrupt"), ran
            brief = len(ran.traceback.splitlines()) < 4
            # It may also strike what IPython does before and after a cell, and is shown there.
            assert brief or "kube_magics" not in ran.traceback, "no word of where in kube_magics that was"
            assert not re.search(rf"^{name} ", anywhere.right("%kube jobs").text, re.MULTILINE), ran
