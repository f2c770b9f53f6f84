"""Images and clusters that are not like a laptop: strange users, read-only roots, small stacks, clocks that jump."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from kube_magics.runner import protocol, shipped
from tests.runner import bundles

as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can be someone else")
NOBODY = 123456
HARDENED = """
mount --make-rprivate / && mount -o remount,bind,ro / && mount -t tmpfs tmpfs /tmp && mkdir /tmp/dev || exit 9
for name in null zero urandom; do touch /tmp/dev/$name && mount --bind /dev/$name /tmp/dev/$name || exit 9; done
mount --rbind /tmp/dev /dev || exit 9
chmod 1777 /tmp
exec "$@"
"""
"""A read-only root with /tmp as its only writable place, and no /dev/shm."""
BECOME = f"""
import os, resource, sys
resource.setrlimit(resource.RLIMIT_STACK, (1 << 20, 1 << 20))
os.setgroups([])
os.setuid({NOBODY})
os.execv(sys.argv[1], sys.argv[1:])
"""
LOOKS = """
import getpass, os, pathlib, resource, tempfile
assert os.getuid() == 123456 and getpass.getuser() and os.environ["LOGNAME"]
for home in (os.path.expanduser("~"), str(pathlib.Path.home()), os.environ["HOME"]):
    assert home != "/" and os.access(home, os.W_OK)
# The caches of matplotlib, of torch.compile, and of torch.hub and most others.
cache = os.environ.get("XDG_CACHE_HOME", os.path.join(os.path.expanduser("~"), ".cache"))
for folder in (os.environ["MPLCONFIGDIR"], os.path.join(tempfile.gettempdir(), "inductor_" + getpass.getuser()), cache):
    os.makedirs(os.path.join(folder, "torch"))
assert not os.path.exists("/dev/shm") and not os.access("/", os.W_OK)
assert resource.getrlimit(resource.RLIMIT_STACK)[0] == 1 << 20
open("in the working folder", "w").close()
print("all well", os.getppid())
"""


DEEP = """
# As far as the stack goes, whatever the limit that the program has set.
import sys
sys.setrecursionlimit(1_000_000)
from types import SimpleNamespace
deep = None
for _ in range(20_000):
    deep = SimpleNamespace(x=deep)
"""


def image_python() -> str:
    """One that anybody may start: the tests' own may lie in root's home."""
    path = Path(bundles.PYTHON).resolve()
    return str(path) if all(parent.stat().st_mode & 0o001 for parent in path.parents) else "/usr/bin/python3"


@as_root
@pytest.mark.parametrize("home", [None, "/", "/root"])
def test_a_hardened_container_will_do(home: str | None) -> None:
    """A random uid without passwd entry, a read-only root, a stack of one megabyte, no /dev/shm."""
    unshared = ["unshare", "-mpf", "--mount-proc"]
    if subprocess.run([*unshared, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no PID and mount namespaces here")
    command = [
        *unshared,
        "sh",
        "-c",
        HARDENED,
        "sh",
        image_python(),
        "-c",
        BECOME,
        image_python(),
        "-c",
        shipped.boot(),
    ]
    env = {"PATH": os.environ["PATH"], **bundles.boot_environment(bundles.packed(LOOKS + DEEP, returns=["deep"]))}
    env.update({"HOME": home} if home else {})
    done = subprocess.run(command, env=env, cwd="/", capture_output=True, check=False, timeout=60)
    log = bundles.Log(done.stdout, done.returncode)
    assert (log.out, log.err, done.stderr) == (b"all well 1\n", b"", b"")
    assert (log.end["reason"], log.code) == ("completed", 0)
    assert "recursion" in log.end["missing"]["deep"]


def test_the_program_finds_a_usable_environment(tmp_path: Path) -> None:
    source = """
import getpass, os, tempfile
assert os.access(os.path.expanduser("~"), os.W_OK) and os.path.expanduser("~") != "/"
assert getpass.getuser() and os.environ["LOGNAME"]
for name in ("XDG_CACHE_HOME", "MPLCONFIGDIR"):
    os.makedirs(os.environ[name], exist_ok=True)
tempfile.TemporaryFile().close()
print(os.environ["MPLBACKEND"])
"""
    env = {
        "HOME": "/",
        "TMPDIR": "/no/such",
        "XDG_CACHE_HOME": "/dev/null/cache",
        "USER": "",
        "LOGNAME": "",
        "MPLBACKEND": "x",
    }
    log = bundles.run(tmp_path, source, env=env)
    assert (log.out, log.err) == (b"Agg\n", b"")


JUMPING = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/time.h>
#include <time.h>
static int (*real)(clockid_t, struct timespec *);
int clock_gettime(clockid_t id, struct timespec *at) {
  if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
  int failed = real(id, at);
  if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE) {
    struct timespec now;
    real(CLOCK_MONOTONIC, &now);
    at->tv_sec += 864000 * ((now.tv_sec * 1000 + now.tv_nsec / 1000000) / 70 % 3 - 1);
  }
  return failed;
}
int gettimeofday(struct timeval *at, void *zone) {
  struct timespec now;
  int failed = clock_gettime(CLOCK_REALTIME, &now);
  at->tv_sec = now.tv_sec, at->tv_usec = now.tv_nsec / 1000;
  return failed;
}
time_t time(time_t *at) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return at ? (*at = now.tv_sec) : now.tv_sec;
}
"""
"""A clock that is set ten days forth, and back, every 70 ms. The monotonic one goes on as it does."""
LONG_S = 600
WATCHED = """
import os, subprocess, sys, time
from kube_magics import report
began, seen = time.monotonic(), []
subprocess.Popen(["sleep", "600"])
while time.monotonic() < began + 1.5:
    seen.append(time.time())
    sys.stderr.write("\\r%d" % len(seen))
    sys.stderr.flush()
    report(step=len(seen), loss=0.5)
    time.sleep(0.01)
assert max(seen) - min(seen) > 864000
print("the clock did jump")
"""


@pytest.fixture(scope="module")
def jumping(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    if not shutil.which("cc"):
        pytest.skip("no C compiler")
    folder = tmp_path_factory.mktemp("jumping")
    (folder / "clock.c").write_text(JUMPING)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", folder / "clock.so", folder / "clock.c", "-ldl"], check=True)
    return {"LD_PRELOAD": str(folder / "clock.so")}


def test_a_clock_that_jumps_changes_nothing(tmp_path: Path, jumping: dict[str, str]) -> None:
    """Neither limits nor graces nor durations nor how often something is told."""
    log = bundles.run(tmp_path, WATCHED, env=jumping, timeout_s=LONG_S)
    assert (log.out, log.end["reason"]) == (b"the clock did jump\n", "completed")
    assert 1 < log.end["duration_s"] < LONG_S
    assert 1 <= len(log.all("partial")) <= 4 * (log.end["duration_s"] + 1)
    assert len(log.all("beat")) <= log.end["duration_s"] / protocol.HEARTBEAT_S
    assert all(0 < event["dt"] < LONG_S for event in log.all("sample"))
    assert b"holds its output: sleep" in log.err


def test_limits_hold_under_a_clock_that_jumps(tmp_path: Path, jumping: dict[str, str]) -> None:
    source = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(600)"
    log = bundles.run(tmp_path, source, env=jumping, timeout_s=2, grace_s=0.5)  # by then it ignores TERM
    assert (log.end["reason"], log.end["signal"]) == ("timeout", 9)
    assert 1 <= log.end["duration_s"] < LONG_S


HEAVY = """
import os, time
noise = os.urandom(1000)
for _ in range(3000):
    os.write(1, noise)
os.write(1, b"x" * 10_000_000 + b"\\n")
os.write(2, b"y" * 5_000_000)
value = b"1" * 900_000
"""
MOST_BYTES = 15_000_000
COUNTED_BYTES = 32 * 4096 * (os.cpu_count() or 1)
"""Linux counts a process's pages in batches of 32 for each CPU: its peak is known no better than that."""


def test_the_runner_stays_small(tmp_path: Path) -> None:
    """Whatever is written, copied and returned: so much memory is taken from what the job has asked for."""
    copy = str(tmp_path / "copy")
    runner = bundles.Runner(tmp_path, HEAVY, to_file=True, compiled=False, log_to=copy, returns=["value"])
    status, peaks = Path(f"/proc/{runner.process.pid}/status"), [0]
    while runner.process.poll() is None:
        peaks += [int(line.split()[1]) * 1024 for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        time.sleep(0.005)
    assert runner.wait().results() == {"value": b"1" * 900_000}
    assert 0 < max(peaks) <= MOST_BYTES + COUNTED_BYTES
