"""Every way in which a program ends its own job on a real node: the right class, and the sentence a colleague would say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.belongings import deleted
from tests.acceptance.desk import Desk, desk, eventually
from tests.cluster import Cluster
from tests.faults.endings import Ending, another, check, check_later, once, pod, submit
from tests.kernel import Kernel

pytestmark = pytest.mark.cluster

FAULTHANDLER = "faulthandler.enable()"


def by_signal(name: str, then: str) -> Ending:
    body = f"import signal\nprint('up')\nsignal.signal(signal.SIG{name}, signal.SIG_DFL)\nsignal.raise_signal(signal.SIG{name})"
    if name == "KILL":
        body = "import os\nprint('up')\nos.kill(os.getpid(), 9)"
    return Ending(body, "JobKilled", (f"was killed by signal {name}.",), then)


SIGNALS = {
    "SEGV": "endless recursion",
    "BUS": "--shm",
    "ABRT": FAULTHANDLER,
    "FPE": FAULTHANDLER,
    "ILL": "newer processors",
    "TRAP": FAULTHANDLER,
    "KILL": "--memory",
    "TERM": "%kube logs term",
    "INT": "%kube logs int",
    "HUP": "%kube logs hup",
    "QUIT": "%kube logs quit",
    "PIPE": "whose reader had ended",
    "ALRM": "signal.alarm",
    "SYS": "system call",
    "USR1": "%kube logs usr1",
}
TIME = "import resource\nprint('up')\nresource.setrlimit(resource.RLIMIT_CPU, (1, 30))\nwhile True:\n    pass"
SIZE = (
    "import resource, signal\nprint('up')\nsignal.signal(signal.SIGXFSZ, signal.SIG_DFL)\n"
    "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\nopen('x', 'wb').write(bytes(5000))"
)
HOARD = "x = bytearray(300 << 20); print(sum(x[::4096]))"
MEMORY_NOTE = "1 process was killed for want of memory while it ran: a larger --memory, or fewer workers"
CROWD_NOTE = "its pod may have no more processes and threads: fewer workers"
THREADS = (
    "import threading, time\nprint('up', flush=True)\nwhile True:\n"
    "    threading.Thread(target=time.sleep, args=(100,), daemon=True).start()\n    time.sleep(0.1)"
)
PROCESSES = (
    "import subprocess, time\nprint('up', flush=True)\nwhile True:\n    subprocess.run(['true'])\n    time.sleep(0.1)"
)
CROWDED = ("threads", "processes")

ENDINGS: dict[str, Ending] = {
    **{name.lower(): by_signal(name, then) for name, then in SIGNALS.items()},
    "xcpu": Ending(TIME, "JobKilled", ("signal XCPU",), "CPU time"),
    "xfsz": Ending(SIZE, "JobKilled", ("signal XFSZ",), "a file grew"),
    "memory-of-a-child": Ending(
        f"import subprocess, sys\nprint('up', flush=True)\nsubprocess.run([sys.executable, '-c', {HOARD!r}], check=True)",
        "CalledProcessError",
        ("died with <Signals.SIGKILL: 9>", MEMORY_NOTE),
        log=None,
    ),
    "memory-of-a-worker": Ending(
        "from concurrent.futures import ProcessPoolExecutor\ndef work(n):\n    x = bytearray(300 << 20)\n"
        "    return sum(x[::4096])\nprint('up', flush=True)\nwith ProcessPoolExecutor(1) as pool:\n    list(pool.map(work, [1]))",
        "BrokenProcessPool",
        (MEMORY_NOTE,),
        log=None,
    ),
    "memory-kept-first": Ending(
        "import atexit\nprint('up')\nn = 3\n@atexit.register\ndef hoard():\n    x = bytearray(300 << 20)\n    print(sum(x[::4096]))",
        "JobOutOfMemory",
        ("killed at its memory limit",),
        "--memory",
        options="--returns n",
        back={"n": 3},
    ),
    "threads": Ending(THREADS, "RuntimeError", ("can't start new thread", CROWD_NOTE), log=None),
    "processes": Ending(PROCESSES, "BlockingIOError", (CROWD_NOTE,), log=None),
    "shm-full": Ending(
        "print('up')\nopen('/dev/shm/x', 'wb').write(bytes(8 << 20))",
        "OSError",
        ("[Errno 28] No space left on device",),
        log=None,
        options="--shm 4Mi",
    ),
    "stdout-closed": Ending("import os\nprint('up')\nos.close(1)", None, status="succeeded"),
    "stdout-closed-by-python": Ending("import sys\nprint('up')\nsys.stdout.close()", None, status="succeeded"),
    "both-closed": Ending(
        "import os\nprint('up')\nos.close(1)\nos.close(2)\nn = 3",
        None,
        options="--returns n",
        back={"n": 3},
        status="succeeded",
    ),
    "stdout-closed-then-used": Ending(
        "import os\nprint('up')\nos.close(1)\nprint('more')", "OSError", ("Bad file descriptor",), log=None
    ),
    "stderr-closed-then-used": Ending(
        "import os, sys\nprint('up')\nos.close(2)\nprint('more', file=sys.stderr)", "OSError", ("Bad file descriptor",)
    ),
    "all-closed-then-an-error": Ending(
        "import os\nprint('up')\nos.closerange(0, 256)\n1 / 0", "ZeroDivisionError", ("division by zero",)
    ),
    "what-was-printed-is-lost": Ending(
        "import os, sys\nprint('up')\nsys.stdout.write('half')\nos.close(1)\nn = 3",
        "JobFailed",
        ("exit code 120",),
        "leave stdout and stderr open",
        log=None,
        options="--returns n",
        back={"n": 3},
    ),
}


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Iterator[Desk]:
    """A user all of whose jobs run at the same time."""
    with desk(tmp_path_factory.mktemp("ended"), cluster) as found:
        endings = ENDINGS if not cluster.is_given else {name: ENDINGS[name] for name in ENDINGS if name not in CROWDED}
        submit(found, endings)
        for name in set(CROWDED) & endings.keys():
            found.says(name, "up\n")
            crowd(pod(found, name)["metadata"]["uid"])
        yield found
        once(found, endings)
        deleted(found)


def crowd(uid: str) -> None:
    """The pod of `uid` may have no more processes, as where a node limits them (the kubelet's podPidsLimit)."""
    root = Path("/sys/fs/cgroup")
    root = root / "pids" if (root / "pids").is_dir() else root
    (group,) = eventually(lambda: list(root.glob(f"kubepods/*/pod{uid}")), "the pod's control group")
    (group / "pids.max").write_text("1")


@pytest.fixture(scope="module")
def elsewhere(ended: Desk) -> Iterator[Kernel]:
    with another(ended, ended.folder / "elsewhere") as kernel:
        yield kernel


@pytest.mark.parametrize("name", ENDINGS)
def test_how_a_program_ends(ended: Desk, elsewhere: Kernel, cluster: Cluster, name: str) -> None:
    if cluster.is_given and name in CROWDED:
        pytest.skip("a given cluster does not let its pods be limited")
    check(ended, name, ENDINGS[name])
    check_later(elsewhere, ended, name, ENDINGS[name])
