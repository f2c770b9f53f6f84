"""The user's statements: as in a notebook, as in a script, and once."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.runner import bundles
from tests.runner.bundles import CELL, HELPERS, run


def lines(log: bundles.Log) -> list[str]:
    return log.out.decode().splitlines()


def test_definitions_data_and_statements_share_one_main(tmp_path: Path) -> None:
    shared = [1]
    data = (shared, {"same": shared})
    steps = {
        "definitions": [
            {"do": "import", "source": "import os.path as p", "name": "p"},
            *bundles.steps(HELPERS, "def helper():\n    return p.join('a', name)"),
            {"do": "load", "name": "X"},
            {"do": "load", "name": "Y"},
        ]
    }
    source = "name = 'b'\nprint(helper(), X, Y['same'] is X, __name__, helper.__module__, sorted(n for n in globals() if n[0] != '_'))"
    log = run(tmp_path, source, "def helper():\n    return p.join('a', name)", data, steps)
    assert lines(log) == ["a/b [1] True __main__ __main__ ['X', 'Y', 'helper', 'name', 'p']"]


def test_values_of_captured_classes_and_results_of_new_ones(tmp_path: Path) -> None:
    definitions = "class Net:\n    def __init__(self):\n        self.n = 1\n"
    log = run(
        tmp_path,
        "net = Net()\nscore = 0.5\nbig = b'x' * 2000\nbad = lambda: 0",
        definitions,
        returns=["score", "net", "big", "bad", "never"],
        sharing=True,
        result_limit_bytes=1000,
    )
    assert log.end["results"] == ["score", "net"]
    assert list(log.end["too_large"]) == ["big"]
    assert 2000 < log.end["too_large"]["big"] < 2100
    assert log.end["missing"]["never"] == "never set"
    assert log.end["missing"]["bad"].startswith("cannot be pickled: ")
    assert (log.end["reason"], log.code) == ("completed", 0)
    chunks = {event["name"]: event for event in log.all("result")}
    assert set(chunks) == {"score", "net"}


def test_without_a_limit_results_stay_in_their_folder(tmp_path: Path) -> None:
    results = tmp_path / "elsewhere"
    log = run(tmp_path, "x = 3", returns=["x"], result_limit_bytes=None, results_dir=str(results))
    assert log.all("result") == []
    assert log.end["results"] == ["x"]
    assert [path.name for path in results.iterdir()] == ["x.pkl"]


def test_a_function_is_called_and_its_value_returned(tmp_path: Path) -> None:
    steps = {"statements": [{"do": "call"}]}
    log = run(tmp_path, "", "", ((divmod, (7, 3), {}),), steps, returns=["@value"])
    assert log.results() == {"@value": (2, 1)}
    assert log.end["results"] == ["@value"]


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("x = 2\nx + 1", "3"),
        ("'a' * 100", repr("a" * 100)),
        ("None", ""),
        ("x = 1", ""),
        ("{'k%d' % i: 'v' * 29 for i in range(2)}", f"{{'k0': '{'v' * 29}', 'k1': '{'v' * 29}'}}"),
        ("{'k%d' % i: 'v' * 40 for i in range(2)}", "{'k0': '" + "v" * 40 + "',\n 'k1': '" + "v" * 40 + "'}"),
        ("import asyncio\nawait asyncio.sleep(0, 'late')", "'late'"),
        ("display([1], 'two')", "[1]\n'two'"),
    ],
)
def test_the_last_expression_is_shown(tmp_path: Path, source: str, shown: str) -> None:
    awaits = "await" in source
    log = run(tmp_path, source, of_program={"last_expression": True, "awaits": awaits}, awaits=awaits)
    assert log.out.decode().rstrip("\n") == shown
    assert log.code == 0


SILENT = "class Silent:\n    def __repr__(self):\n        raise {}('mute')\n"


@pytest.mark.parametrize("shown", ["display(Silent())", "display([1, Silent()])", "display(Silent(), 2)"])
def test_an_object_that_cannot_show_itself_does_not_end_the_program(tmp_path: Path, shown: str) -> None:
    """As in a notebook: what its __repr__ raised is shown, and the next line runs."""
    log = run(
        tmp_path, f"{shown}\nprint('on')\nSilent()", SILENT.format("ValueError"), of_program={"last_expression": True}
    )
    assert (log.out, log.code) == (b"2\non\n" if "2" in shown else b"on\n", 0)
    text = log.err.decode()
    assert text.count(f'File "{HELPERS}", line 3, in __repr__\n') == 2
    assert text.endswith("ValueError: mute\n")
    assert "kube_magics_runner" not in text, "only what is the user's"
    assert "main.py" not in text


def test_an_object_that_has_no_text_yet_shows_nothing(tmp_path: Path) -> None:
    log = run(tmp_path, "display(Silent())\nprint('on')", SILENT.format("NotImplementedError"))
    assert (log.out, log.err) == (b"on\n", b"")


def test_a_picture_that_cannot_be_made_is_told_and_its_text_shown(tmp_path: Path) -> None:
    source = (
        "class Dot:\n    def _repr_png_(self):\n        raise ValueError('no ink')\n"
        "    def __repr__(self):\n        return 'a dot'\ndisplay(Dot())\nprint('on')"
    )
    log = run(tmp_path, source)
    assert (log.out, log.code) == (b"a dot\non\n", 0)
    assert log.err.endswith(b"ValueError: no ink\n")


def test_an_exception_has_the_cells_lines_and_no_frame_of_ours(tmp_path: Path) -> None:
    log = run(
        tmp_path,
        "\n\ntry:\n    helper(0)\nexcept ZeroDivisionError as e:\n    raise KeyError('k') from e",
        "def helper(x):\n    return 1 / x",
    )
    error = log.error
    assert [(f["file"], f["line"], f["name"], f["text"].strip()) for f in error["frames"]] == [
        (CELL, 6, "<module>", "raise KeyError('k') from e")
    ]
    assert (error["type"], error["module"], error["message"], error["exit"]) == ("KeyError", "builtins", "'k'", None)
    assert "The above exception was the direct cause" in error["text"]
    assert f'File "{HELPERS}", line 2, in helper\n    return 1 / x\n' in error["text"]
    assert "kube_magics" not in error["text"]
    assert "main.py" not in error["text"]
    assert log.err.decode() == error["text"]
    raised, cause = log.results()["@error"]["links"]
    assert (raised["type"], raised["cause"], raised["context"], cause["type"]) == (
        "KeyError",
        1,
        1,
        "ZeroDivisionError",
    )
    assert (log.end["code"], log.end["reason"], log.code) == (1, "failed", 1)


UNPICKLABLE = """
class Odd(Exception):
    def __init__(self, a, b):
        super().__init__(a)
        self.lock = __import__("threading").Lock()
raise Odd("x", "y")
"""


@pytest.mark.parametrize(
    "source",
    [
        UNPICKLABLE,
        "class Mute(Exception):\n    def __str__(self):\n        raise ValueError\nraise Mute()",
        "raise UnicodeError('\\udc80')",
        "def broken(:\n    pass",
        "def f(n):\n    return f(n + 1)\nraise Exception('x' * 50000, f(0))",
        "raise Exception('x' * 2_000_000)",
    ],
)
def test_any_exception_is_told_within_one_line(tmp_path: Path, source: str) -> None:
    log = run(tmp_path, source)
    assert log.error["type"]
    assert log.end["reason"] == "failed"


@pytest.mark.parametrize(
    ("source", "code", "error"),
    [
        ("import sys; sys.exit()", 0, None),
        ("import sys; sys.exit(3)", 3, "SystemExit"),
        ("import sys; sys.exit('words')", 1, "SystemExit"),
        ("import os; os._exit(7)", 7, None),
        ("raise KeyboardInterrupt", 130, "KeyboardInterrupt"),
    ],
)
def test_exit_codes_are_a_scripts(tmp_path: Path, source: str, code: int, error: str | None) -> None:
    log = run(tmp_path, source)
    assert (log.code, log.end["code"]) == (code, code)
    assert [event["type"] for event in log.all("error")] == ([error] if error else [])
    assert log.end["reason"] == ("failed" if code else "completed")


def test_threads_and_atexit_behave_as_in_a_script(tmp_path: Path) -> None:
    source = """
import atexit, sys, threading
atexit.register(print, "atexit")
sys.excepthook = lambda *about: print("hook", about[0].__name__)
def work():
    threading.main_thread().join()
    print("thread")
threading.Thread(target=work).start()
print("main")
1 / 0
"""
    assert lines(run(tmp_path, source)) == ["main", "hook ZeroDivisionError", "thread", "atexit"]


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_worker_processes_run_the_definitions_and_never_the_statements(tmp_path: Path, method: str) -> None:
    definitions = "import multiprocessing\nclass Box:\n    pass\ndef work(x):\n    print('w', x)\n    box = Box()\n    box.x = x + len(DATA)\n    return box"
    source = f"print('once')\nwith multiprocessing.get_context({method!r}).Pool(2) as pool:\n    print(sum(b.x for b in pool.map(work, [1, 2], chunksize=1)), type(pool.apply(work, (3,))) is Box)"
    steps = {"definitions": [*bundles.steps(HELPERS, definitions), {"do": "load", "name": "DATA"}]}
    log = run(tmp_path, source, definitions, ([0] * 10,), steps)
    assert sorted(lines(log)) == ["23 True", "once", "w 1", "w 2", "w 3"]
    assert (log.err, log.end["reason"]) == (b"", "completed")


def test_a_forked_copy_that_reaches_the_end_leaves_the_results_alone(tmp_path: Path) -> None:
    source = "import os\nx = 1\nif os.fork() == 0:\n    x = 2\n    raise SystemExit(9)\nos.wait()"
    log = run(tmp_path, source, returns=["x"])
    assert log.results() == {"x": 1}
    assert log.end["code"] == 0


def test_a_missing_captured_import_is_told_before_data_is_loaded(tmp_path: Path) -> None:
    steps = {"definitions": [{"do": "load", "name": "not_there_and_not_reached"}]}
    imports = {"sklearn_not_here": "scikit-learn==1.9.1", "json": None, "yaml_not_here": "6.0"}
    log = run(tmp_path, "print('never')", "", (), steps, imports=imports)
    assert log.error["reason"] == "import"
    assert log.error["install"] == "scikit-learn yaml_not_here"
    message = (
        "No module named 'sklearn_not_here', 'yaml_not_here': this image lacks scikit-learn (1.9.1 in the notebook)"
    )
    assert log.error["message"].startswith(message)
    assert (log.out, log.end["reason"], log.code) == (b"", "import", 70)


def test_a_missing_import_of_the_cell_names_what_to_install(tmp_path: Path) -> None:
    log = run(tmp_path, "import cv2_is_not_here.sub")
    assert (log.error["type"], log.error["install"]) == ("ModuleNotFoundError", "cv2_is_not_here")
    assert log.end["reason"] == "failed"


@pytest.mark.skipif(sys.executable != bundles.PYTHON, reason="the versions of this environment")
def test_the_start_event_knows_the_versions_of_captured_imports(tmp_path: Path) -> None:
    log = run(tmp_path, "", imports={"pytest": "1.0", "json": None, "hypothesis": None})
    (start,) = log.all("start")
    assert start["python"].count(".") == 2
    assert start["versions"]["pytest"] == pytest.__version__
    assert set(start["versions"]) == {"pytest", "hypothesis"}


def test_source_can_be_inspected_and_futures_hold(tmp_path: Path) -> None:
    definitions = "\ndef f(x: Undefined):\n    return x\n"
    of_program: dict[str, Any] = {
        "cells": {
            HELPERS: {"label": "In [2]", "source": definitions, "future": ["annotations"]},
            CELL: {"label": "In [5]", "source": "import inspect\nprint(inspect.getsource(f), end='')"},
        }
    }
    log = run(tmp_path, "import inspect\nprint(inspect.getsource(f), end='')", definitions, (), of_program)
    assert log.out == b"def f(x: Undefined):\n    return x\n"


def test_report_and_should_stop_come_with_the_job(tmp_path: Path) -> None:
    source = """
import kube_magics
for step in range(3000):
    kube_magics.report(step=step, total=3000, text="train", loss=1 / (step + 1))
print(kube_magics.should_stop(), sorted(kube_magics.__all__))
"""
    log = run(tmp_path, source)
    assert lines(log) == ["False ['report', 'should_stop']"]
    metrics = log.all("metric")
    assert metrics[0] == {"e": "metric", "step": 0, "values": {"loss": 1.0}}
    assert metrics[-1]["step"] == 2999
    assert log.all("progress")[-1] == {"e": "progress", "step": 2999, "total": 3000, "text": "train"}
    assert sum(len(str(event)) for event in log.all("metric") + log.all("progress")) < 200_000


def test_processes_that_the_program_starts_have_them_too(tmp_path: Path) -> None:
    """torchrun's workers, a script's process; and nothing else of ours, whose main.py is no module of theirs."""
    inside = "import importlib.util as u, kube_magics as k; print(k.should_stop(), k.__file__, u.find_spec('main'))"
    source = f"import os, subprocess, sys\nsubprocess.run([sys.executable, '-c', {inside!r}], check=True)"
    (line,) = lines(run(tmp_path, source))
    assert re.fullmatch(r"False \S+/alone/kube_magics/__init__\.py None", line)


def test_a_captured_value_that_cannot_be_loaded_is_named(tmp_path: Path) -> None:
    steps = {"definitions": [{"do": "load", "name": "X"}]}
    pickled = {"data.pkl": b"cnot_a_module_here\nName\n."}
    log = bundles.Runner(tmp_path, "print('never')", of_program=steps, replaced=pickled).wait()
    error = log.error
    assert log.out == b""
    assert error["type"] == "RuntimeError"
    assert error["message"].startswith("X was pickled in the notebook and cannot be loaded here, by Python 3.")
    assert "ModuleNotFoundError: No module named 'not_a_module_here'" in error["message"]


# The runner imports the rest of itself while the program's interpreter starts; who removes its folder before it has
# done so, as can be on a machine that is busy to the full, leaves a job without an end.
SPOIL = (
    "import os, shutil, sys, time\nfolder = os.path.dirname(os.path.abspath(sys.argv[0]))\n"
    "results = folder + '/results'\ntime.sleep(0.5)\n"
)
REMOVE = "shutil.rmtree(folder, True)"
GONE = "the job has removed or replaced the folder that its values are kept in"


@pytest.mark.parametrize(
    ("spoiled", "missing"),
    [
        ("shutil.rmtree(results)", None),
        ("shutil.rmtree(results); open(results, 'w').close()", GONE),
        (REMOVE, GONE),  # as `rm -rf /tmp/*` does in a pod
        ("os.mkdir(results + '/x.pkl')", "cannot be written in the job: Is a directory"),
        ("open(results + '/missing.json', 'w').write('{\"missing\": [1], \"too_large\": 2}')", None),
        ("open(results + '/stored.json', 'w').write('[1]')", None),
        ("open(results + '/error.json', 'w').write('[]')", None),
    ],
)
def test_a_program_that_spoils_its_own_folders_has_run_all_the_same(
    tmp_path: Path, spoiled: str, missing: str | None
) -> None:
    log = run(tmp_path / "job", f"{SPOIL}print('ran')\n{spoiled};\nx = 1", returns=["x"])
    assert (log.out, log.end["reason"], log.code) == (b"ran\n", "completed", 0)
    assert log.end["missing"] == ({} if missing is None else {"x": missing})
    assert log.results() == ({"x": 1} if missing is None else {})


@pytest.mark.parametrize(
    "spoiled", ["shutil.rmtree(results)", "shutil.rmtree(results); open(results, 'w').close()", REMOVE]
)
def test_its_own_exception_is_seen_then_too(tmp_path: Path, spoiled: str) -> None:
    log = run(tmp_path / "job", f"{SPOIL}{spoiled};\n1 / 0")
    assert (log.end["reason"], log.code) == ("failed", 1)
    assert b"ZeroDivisionError: division by zero\n" in log.err
    assert b"program.py" not in log.err
    assert [event["type"] for event in log.all("error")] == (
        [] if "open" in spoiled or "folder" in spoiled else ["ZeroDivisionError"]
    )


@pytest.mark.parametrize(
    "calls", ["def f(n):\n    return f(n + 1)", "def f(n):\n    return g(n)\ndef g(n):\n    return f(n)"]
)
def test_endless_recursion_with_a_raised_limit_is_told(tmp_path: Path, calls: str) -> None:
    log = run(tmp_path, f"import sys\nsys.setrecursionlimit(60_000)\n{calls}\nf(0)")
    assert log.error["type"] == "RecursionError"
    assert len(log.err) < 1_000_000
    assert log.err.endswith(b"RecursionError: maximum recursion depth exceeded\n")


def test_a_value_that_is_nested_too_deep_is_one_that_is_missing(tmp_path: Path) -> None:
    """With a raised limit, too: the stack of pickling would overflow, and the process be killed."""
    source = "import sys\nsys.setrecursionlimit(10**6)\nx = []\nfor _ in range(10**5):\n    x = [x]\ny = 1"
    log = run(tmp_path, source, returns=["x", "y"])
    assert log.results() == {"y": 1}
    assert "cannot be pickled: RecursionError" in log.end["missing"]["x"]


LEAK = "import os\ntry:\n    while True:\n        os.dup(0)\nexcept OSError as error:\n    print(error.strerror)\n"


@pytest.mark.parametrize("end", ["x = 1", "1 / 0"])
def test_a_program_that_uses_up_all_descriptors_has_its_end(tmp_path: Path, end: str) -> None:
    few = "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))\n"
    log = run(tmp_path, few + LEAK + end, returns=["x"])
    assert log.out == b"Too many open files\n"
    assert log.end["reason"] == ("completed" if end == "x = 1" else "failed")
    assert log.results() == {"x": 1} if end == "x = 1" else log.error["type"] == "ZeroDivisionError"


FILL = "import os\ndef fill():\n    with open('large', 'wb', buffering=0) as file:\n        while True:\n            file.write(bytes(4096))\n"


def on_a_small_disk(folder: Path, source: str) -> bundles.Log:
    """A job whose folders are all on a disk of one megabyte."""
    bundles.unpack(folder / "made", bundles.files(source, FILL, returns=["x"]))
    disk = folder / "disk"
    disk.mkdir()
    main = disk / "kube_magics_runner" / "__main__.py"
    script = f"mount -t tmpfs -o size=1m none {disk} && cp -r {folder}/made/. {disk} && exec {sys.executable} -IS {main} {disk}"
    command = ["unshare", "-rm", "sh", "-c", script]
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode:
        pytest.skip("no mount namespaces here")
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    assert done.stderr == b""
    return bundles.Log(done.stdout, done.returncode)


def test_nothing_of_the_runner_takes_room_once_the_program_has_begun(tmp_path: Path) -> None:
    """On a full disk that would be the room that is made for the last words."""
    assert run(tmp_path, "print('ran')", returns=["x"], compiled=False).end["reason"] == "completed"
    compiled = {path.name.partition(".")[0] for path in (tmp_path / "kube_magics_runner").rglob("*.pyc")}
    assert "launch" in compiled
    assert not {"supervisor", "closing", "sampler", "workfiles"} & compiled


def test_a_full_disk_is_the_exception_that_it_raised(tmp_path: Path) -> None:
    log = on_a_small_disk(tmp_path, "fill()")
    assert (log.error["type"], log.end["reason"], log.code) == ("OSError", "failed", 1)
    assert "No space left on device" in log.error["message"]


def test_a_full_disk_is_why_a_value_is_missing(tmp_path: Path) -> None:
    log = on_a_small_disk(tmp_path, "try:\n    fill()\nexcept OSError:\n    x = os.urandom(100_000)\nprint('ran')")
    assert (log.out, log.end["reason"]) == (b"ran\n", "completed")
    assert log.end["missing"] == {"x": "cannot be written in the job: No space left on device"}
