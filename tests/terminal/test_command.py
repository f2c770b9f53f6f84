"""The command as a process, with jobs on this machine."""

from __future__ import annotations

import configparser
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from kube_magics.spec.verbs import VERBS
from tests.api.servers import kubeconfig
from tests.architecture.sources import CHECKOUT

COMMAND = [sys.executable, "-m", "kube_magics.terminal"]
SLEEPS = "import time\nprint('up', flush=True)\ntime.sleep(60)\n"
PATIENCE_S = 20.0


def environment(folder: Path) -> dict[str, str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("KUBE", "JPY_"))}
    named = {"HOME": str(folder), "KUBE_MAGICS_STATE": str(folder / "state"), "KUBE_MAGICS_BACKEND": "local"}
    return {**clean, "PYTHONPATH": os.pathsep.join([str(CHECKOUT), *sys.path]), **named}


def kube_magics(folder: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run to its end in `folder`."""
    told = {**environment(folder), **more}
    return subprocess.run(
        [*COMMAND, *words], cwd=folder, env=told, input="", capture_output=True, text=True, check=False
    )


def begun(folder: Path, *words: str, **more: str) -> subprocess.Popen[str]:
    """Started, and its job has printed."""
    told = {**environment(folder), **more}
    child = subprocess.Popen(
        [*COMMAND, *words], cwd=folder, env=told, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "up\n"
    return child


def test_the_entry_point_is_there() -> None:
    config = configparser.ConfigParser()
    config.read(CHECKOUT / "setup.cfg", encoding="utf-8")
    name, _, target = config["options.entry_points"]["console_scripts"].strip().partition(" = ")
    module, _, function = target.partition(":")
    assert name == "kube-magics"
    assert callable(getattr(importlib.import_module(module), function))


@pytest.mark.parametrize("words", [["--help"], ["logs", "-h"], ["help", "run"], ["complete", "lo"], ["--version"]])
def test_help_comes_at_once(words: list[str]) -> None:
    """It imports next to nothing: counted, since a clock would say more about the machine."""
    code = (
        f"import sys\nfrom kube_magics.terminal.main import main\nassert main({words!r}) == 0\n"
        "print(sorted(m for m in sys.modules if m.partition('.')[0] in "
        "('IPython', 'aiohttp', 'asyncio', 'kubernetes', 'yaml', 'traitlets', 'cloudpickle', 'fsspec')), len(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=CHECKOUT, env={**os.environ}
    )
    foreign, _, count = done.stdout.splitlines()[-1].rpartition(" ")
    assert foreign == "[]"
    assert int(count) < 300
    assert done.stdout.strip()


def test_help_is_the_tables(tmp_path: Path) -> None:
    told = kube_magics(tmp_path, "--help").stdout
    assert all(f"kube-magics {name}" in told for name in VERBS)
    assert "%kube" not in told
    assert kube_magics(tmp_path).returncode == 2
    assert "%%kubetrain" not in kube_magics(tmp_path, "run", "-h").stdout


def test_a_setting_is_said_to_come_from_what_is_typed_here(tmp_path: Path) -> None:
    shown = kube_magics(tmp_path, "config", "context=lab").stdout
    assert "lab    kube-magics config\n" in shown
    assert "%kube" not in shown


def test_a_doctor_tells_what_it_knows_while_it_asks(tmp_path: Path) -> None:
    """Of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        config = tmp_path / "config"
        config.write_text(json.dumps(kubeconfig(f"http://127.0.0.1:{silent.getsockname()[1]}")))
        told = {**environment(tmp_path), "KUBECONFIG": str(config), "KUBE_MAGICS_BACKEND": "kubernetes"}
        child = subprocess.Popen(
            [*COMMAND, "doctor"], env=told, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        assert child.stdout.readline().startswith("ok        kubeconfig")
        child.send_signal(signal.SIGINT)
        assert "interrupted" in child.communicate(timeout=PATIENCE_S)[1]
        assert child.returncode == 130


@pytest.mark.jobs
def test_a_script_and_its_exit_code(tmp_path: Path) -> None:
    """As a CI types it. Its output is all that goes to stdout."""
    (tmp_path / "train.py").write_text(
        "import sys\nprint(sys.argv[1:])\nprint('err', file=sys.stderr)\nsys.exit(int(sys.argv[1]))\n"
    )
    done = kube_magics(tmp_path, "run", "--name", "first", "--", "python", "train.py", "0")
    assert (done.returncode, done.stdout) == (0, "['0']\n"), done
    assert "err\n" in done.stderr
    assert "job first done in " in done.stderr
    again = kube_magics(tmp_path, "run", "--name", "second", "train.py", "--", "3", "b")
    assert (again.returncode, again.stdout) == (3, "['3', 'b']\n"), again
    assert "next: kube-magics logs second" in again.stderr
    assert "%kube" not in again.stderr
    table = kube_magics(tmp_path, "jobs", "--sort-by", "name")
    assert [line.split()[:2] for line in table.stdout.splitlines()[1:]] == [
        ["first", "succeeded"],
        ["second", "failed"],
    ]
    rows = json.loads(kube_magics(tmp_path, "jobs", "--json", "--status", "failed").stdout)["rows"]
    assert [row["name"] for row in rows] == ["second"]
    assert kube_magics(tmp_path, "logs", "second", "--tail", "1").stdout in ("['3', 'b']\n", "err\n")
    described = kube_magics(tmp_path, "describe", "second").stdout
    assert "with exit code 3" in described
    assert f"from     {tmp_path}/train.py\n" in described
    assert "the job has failed" in kube_magics(tmp_path, "events", "second").stdout
    why = kube_magics(tmp_path, "why", "second").stdout.splitlines()
    assert why[0] == "second (failed): The program ended with exit code 3."
    assert why[-1] == "  next: kube-magics logs second"
    assert (
        "first (succeeded): Nothing is wrong: it has succeeded, after " in kube_magics(tmp_path, "why", "first").stdout
    )
    assert json.loads(kube_magics(tmp_path, "why", "second", "--json").stdout)["cause"] == "exit"
    assert kube_magics(tmp_path, "attach", "second").returncode == 3
    fresh = kube_magics(tmp_path, "rerun", "second").stdout.split()[0]
    once_more = kube_magics(tmp_path, "attach", fresh)
    assert (once_more.returncode, once_more.stdout) == (3, "['3', 'b']\n")
    assert kube_magics(tmp_path, "complete", "logs", "f").stdout == "first\n"
    gone = kube_magics(tmp_path, "delete", "first", "absent", "second")
    assert gone.returncode == 1
    assert "first is deleted" in gone.stdout
    assert "second is deleted" in gone.stdout
    assert "1 of 3 jobs were not deleted: absent" in gone.stderr


@pytest.mark.jobs
def test_an_exception_is_shown_as_python_shows_it(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("def f():\n    return 1 // 0\nf()\n")
    done = kube_magics(tmp_path, "run", "broken.py")
    assert done.returncode == 1
    assert done.stderr.count("ZeroDivisionError") == 1, done.stderr
    assert f'{tmp_path}/broken.py", line 2, in f' in done.stderr
    assert "kube_magics/" not in done.stderr.replace(".kube_magics/", "")


@pytest.mark.jobs
@pytest.mark.parametrize("raised", ["BrokenPipeError('the data server is gone')", "KeyboardInterrupt('its own')"])
def test_what_ends_a_command_is_an_error_like_any_other_where_the_job_raised_it(tmp_path: Path, raised: str) -> None:
    (tmp_path / "broken.py").write_text(f"print('up', flush=True)\nraise {raised}\n")
    done = kube_magics(tmp_path, "run", "broken.py")
    assert (done.returncode, done.stdout) == (1, "up\n"), done
    assert 'broken.py", line 2' in done.stderr
    assert raised.partition("'")[2].rstrip("')") in done.stderr


@pytest.mark.jobs
def test_a_terminal_without_a_letter_shows_its_number(tmp_path: Path) -> None:
    (tmp_path / "done.py").write_text("print('\u2713 done')\n")
    done = kube_magics(tmp_path, "run", "done.py", PYTHONIOENCODING="latin-1")
    assert (done.returncode, done.stdout) == (0, "\\u2713 done\n"), done


@pytest.mark.jobs
def test_all_of_a_large_output_comes(tmp_path: Path) -> None:
    """A notebook shows a megabyte; a file gets everything."""
    (tmp_path / "floods.py").write_text("for i in range(300_000):\n    print(i)\n")
    done = kube_magics(tmp_path, "run", "--name", "floods", "floods.py")
    assert done.returncode == 0
    expected = "".join(f"{i}\n" for i in range(300_000))
    assert done.stdout == expected
    assert kube_magics(tmp_path, "logs", "-f", "floods").stdout == expected


@pytest.mark.jobs
def test_one_interrupt_leaves_the_job_and_two_stop_it(tmp_path: Path) -> None:
    (tmp_path / "sleeps.py").write_text(SLEEPS)
    child = begun(tmp_path, "run", "--name", "sleeps", "sleeps.py")
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=PATIENCE_S)
    assert child.returncode == 130, said
    assert "interrupt again to STOP job sleeps" in said
    assert "Nobody here waits any longer for job sleeps; the job goes on." in said
    assert "kube-magics attach sleeps" in said
    child = begun(tmp_path, "attach", "sleeps")
    child.send_signal(signal.SIGINT)
    time.sleep(1)  # one hand that presses twice at once means one interrupt
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=PATIENCE_S)
    assert child.returncode == 143, said
    assert "stopping job sleeps" in said


@pytest.mark.jobs
def test_a_run_that_is_cancelled_ends_its_job_where_the_site_says_so(tmp_path: Path) -> None:
    (tmp_path / "sleeps.py").write_text(SLEEPS)
    child = begun(tmp_path, "run", "--name", "sleeps", "sleeps.py", KUBE_MAGICS_ON_INTERRUPT="stop")
    child.terminate()
    _, said = child.communicate(timeout=PATIENCE_S)
    assert child.returncode == 143, said
    assert "JobStopped: Job sleeps was stopped." in said


@pytest.mark.jobs
def test_following_a_log_ends_by_an_interrupt_alone(tmp_path: Path) -> None:
    (tmp_path / "sleeps.py").write_text(SLEEPS)
    started = kube_magics(tmp_path, "run", "--detach", "--name", "sleeps", "sleeps.py")
    assert (started.returncode, started.stdout) == (0, "sleeps\n"), started
    child = begun(tmp_path, "logs", "-f", "sleeps")
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=PATIENCE_S)
    assert (child.returncode, said) == (130, "interrupted\n")
    assert "running" in kube_magics(tmp_path, "jobs").stdout
    assert kube_magics(tmp_path, "stop", "sleeps").returncode == 0
    assert kube_magics(tmp_path, "attach", "sleeps").returncode == 143
    assert "sleeps  stopped" in kube_magics(tmp_path, "jobs", "--status", "stopped").stdout
    assert "it was stopped" in kube_magics(tmp_path, "events", "sleeps").stdout
    assert kube_magics(tmp_path, "delete", "sleeps").returncode == 0


@pytest.mark.jobs
def test_a_reader_that_has_enough(tmp_path: Path) -> None:
    (tmp_path / "floods.py").write_text("for i in range(100_000):\n    print(i)\n")
    kube_magics(tmp_path, "run", "--name", "floods", "floods.py")
    child = subprocess.Popen(
        [*COMMAND, "logs", "floods"],
        cwd=tmp_path,
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert child.stdout is not None
    assert child.stderr is not None
    child.stdout.close()
    assert (child.stderr.read(), child.wait()) == (b"", 141)
    child.stderr.close()


@pytest.mark.jobs
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux' /dev/full")
@pytest.mark.parametrize(("words", "code"), [(["jobs"], 1), (["run", "up.py"], 125)])
def test_a_disk_that_is_full(tmp_path: Path, words: list[str], code: int) -> None:
    (tmp_path / "up.py").write_text("print('up')\n")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, *words],
            cwd=tmp_path,
            env=environment(tmp_path),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == code, done
    assert done.stderr.endswith("the output cannot be written: No space left on device\n"), done


@pytest.mark.jobs
@pytest.mark.parametrize(
    ("words", "code", "told", "more"),
    [
        (["job"], 2, "next: kube-magics jobs", {}),
        (["logs"], 2, "next: kube-magics jobs   (shows the names)", {}),
        (["logs", "-x", "a"], 2, "kube-magics logs has no option -x", {}),
        (["logs", "absent"], 1, "next: kube-magics jobs", {}),
        (["jobs", "-o", "json"], 2, "next: --json", {}),
        (["jobs", "--field-selector", "x=y"], 2, "next: --filter", {}),
        (["run", "absent.py"], 2, "There is no script absent.py", {}),
        (["run", "--", "make", "all"], 2, "kube-magics run -- python train.py", {}),
        (["run"], 2, "takes a script or an image", {}),
        (["config", "gpus=2"], 2, "next: export KUBE_MAGICS_GPUS=2", {}),
        (["config", "gpus=x"], 2, "next: export KUBE_MAGICS_GPUS=x", {}),
        (["-n", "team", "jobs", "--json"], 2, "next: kube-magics jobs --json -n team", {}),
        (["--nonsense"], 2, "next: kube-magics help", {}),
        (["create", "-f", "-"], 2, "- holds no object", {}),
        (["config", "gpus="], 2, "next: unset KUBE_MAGICS_GPUS", {}),
        (["config", "imag=a:1"], 2, "next: export KUBE_MAGICS_IMAGE=a:1", {}),
        (["run", "here.py"], 2, "next: export KUBE_MAGICS_GPUS=1", {"KUBE_MAGICS_GPUS": "two"}),
        (["run", "here.py", "--secret", "a:b=NO_SUCH"], 2, "next: read -rs NO_SUCH; export NO_SUCH", {}),
        (["yaml", "absent"], 1, "absent", {}),
        (["jobs", "-l", "a=b"], 2, "have no labels", {}),
        (["attach", "absent", "--trust"], 2, "a terminal loads none", {}),
        (["jobs", "--backend", "kubernetes"], 1, "No cluster is configured", {}),
        (["run", "here.py", "--backend", "kubernetes"], 125, "No cluster is configured", {}),
    ],
)
def test_mistakes(tmp_path: Path, words: list[str], code: int, told: str, more: Mapping[str, str]) -> None:
    (tmp_path / "here.py").write_text("print(1)")
    done = kube_magics(tmp_path, *words, **more)
    assert (done.returncode, told in done.stderr) == (code, True), done
    assert "Traceback" not in done.stderr
    assert not done.stdout


@pytest.mark.jobs
def test_the_doctor_has_an_exit_code(tmp_path: Path) -> None:
    done = kube_magics(tmp_path, "doctor")
    assert (done.returncode, " broken" in done.stdout) == (0, True), done
    done = kube_magics(tmp_path, "doctor", "--backend", "kubernetes")
    assert (done.returncode, "1 broken" in done.stdout) == (1, True), done
    done = kube_magics(tmp_path, "doctor", "--backend", "kubernetes", "--json")
    assert (done.returncode, json.loads(done.stdout)["broken"], done.stderr) == (1, True, ""), done


@pytest.mark.jobs
def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    done = kube_magics(tmp_path, "logs", "absent", "--debug")
    assert done.returncode == 1
    assert "Traceback (most recent call last)" in done.stderr
