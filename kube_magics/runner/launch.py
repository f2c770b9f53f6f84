"""From a folder with a bundle to the user's process: what must happen before the user's first line, and nothing else.

Everything that can wait (the pump, the sampler, devices) is imported once the user's interpreter is starting.
"""

from __future__ import annotations

import os
import sys
import time

from .signals import IGNORED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PR_SET_CHILD_SUBREAPER = 36
MAIN = ("main.py",)


class Child:
    """A started process and the ends of its pipes that the supervisor reads. pid 0: it could not be started."""

    def __init__(self, pid: int, out: int, err: int) -> None:
        self.pid = pid
        self.out = out
        self.err = err
        self.problem = ""
        self.began = time.monotonic()


def results_dir(folder: str, spec: dict[str, Any]) -> str:
    return spec.get("results_dir") or os.path.join(folder, "results")


def stop_file(folder: str) -> str:
    return os.path.join(folder, "should_stop")


PACKAGES, PACKAGES_AUTO = "packages", "packages-auto"
"""In the bundle's folder: what was asked for, and what the program turned out to lack, each like a virtual environment.
Not there while nothing is installed."""
WISH = "wish.json"
"""In the bundle's folder: the step that the program wants done before it begins; see `imports.introduce`."""
STEP = "import sys; sys.path[0] = sys.argv.pop(1); sys.exit(__import__(sys.argv.pop(1), fromlist=['main']).main())"
"""How a step is run: the bundle's folder and the step's module come first, then its own arguments."""


class Launcher:
    """Starts the processes of one job, one after the other: the program, and the steps before and after it."""

    def __init__(self, folder: str, spec: dict[str, Any]) -> None:
        for number in (0, 1, 2):  # a pipe must not become one of these
            if not _is_open(number):
                os.open(os.devnull, os.O_RDWR)
        results = results_dir(folder, spec)
        os.makedirs(results, exist_ok=True)
        self._problem = ""
        """Why nothing can be started."""
        if spec.get("placed"):  # before what is younger counts as the job's own
            from .placing import place

            self._problem = place(os.path.join(folder, "work"), spec["workdir"])
        fifo = os.path.join(folder, "events")
        os.mkfifo(fifo, 0o600)
        self.began_ns = os.stat(fifo).st_ctime_ns
        """When all files of the bundle were there, by the clock of the file system: what is younger is the job's."""
        self.events = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
        """Opened for writing too: never at its end while writers come and go."""
        self._folder = folder
        self._python = spec.get("python") or sys.executable or "python3"
        self._program = [os.path.join(folder, arg) if arg == "main.py" else arg for arg in spec.get("argv") or MAIN]
        self._env = environment(dict(os.environ), folder)
        self.mark = f"KUBE_MAGICS_EVENTS={fifo}"
        """Stands in the environment of every process of the job that has not cleared it."""
        self.guard = 0
        """A process below this one that is none of the job's; see guard.py."""
        self._env.update(KUBE_MAGICS_EVENTS=fifo, KUBE_MAGICS_STOP=stop_file(folder), KUBE_MAGICS_RESULTS=results)
        self._workdir = spec.get("workdir")
        self._cwd = self._workdir or spec.get("cwd") or _made(folder, "work")

    def program(self) -> Child:
        """The user's interpreter on main.py."""
        return self._start([self._python, *self._program])

    def step(self, step: dict[str, Any]) -> Child:
        """One of spec.json's `before` or `after`: a module of the bundle, its `main()` giving the exit code."""
        return self._start([self._python, "-c", STEP, self._folder, step["module"], *(step.get("args") or ())])

    def _start(self, argv: list[str]) -> Child:
        """Start a process in a group of its own, its output in pipes."""
        out, out_child = os.pipe()
        err, err_child = os.pipe()
        child = Child(0, out, err)
        try:
            if self._problem:
                raise OSError(self._problem)
            if self._workdir:
                os.makedirs(self._workdir, exist_ok=True)
            os.chdir(self._cwd)  # posix_spawn cannot, and the supervisor does not mind
            child.pid = os.posix_spawnp(
                argv[0],
                argv,
                with_packages(self._env, self._folder),
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_DUP2, out_child, 1),
                    (os.POSIX_SPAWN_DUP2, err_child, 2),
                ],
                setpgroup=0,
                setsigmask=(),  # ours holds signals back, see signals.hold
                setsigdef=IGNORED,
            )
        except (OSError, ValueError) as error:
            child.problem = f"cannot start {argv[0]} in {self._cwd}: {error}"
        os.close(out_child)
        os.close(err_child)
        return child


def with_packages(env: dict[str, str], folder: str) -> dict[str, str]:
    """`env` as a process needs it to find what the install steps have installed, before what the image has."""
    places = [os.path.join(folder, name) for name in (PACKAGES, PACKAGES_AUTO)]
    places = [place for place in places if os.path.isdir(place)]
    if not places:
        return env
    library = os.path.join("lib", "python{}.{}".format(*sys.version_info), "site-packages")
    sites = os.pathsep.join(os.path.join(place, library) for place in places)
    programs = [os.path.join(place, "bin") for place in places]
    return {
        **env,
        "PATH": os.pathsep.join([*programs, env.get("PATH") or os.defpath]),
        "PYTHONPATH": os.pathsep.join(filter(None, [sites, env.get("PYTHONPATH")])),
        "KUBE_MAGICS_PACKAGES": sites,
    }


def adopt_orphans() -> None:
    """Be to our descendants what the first process of a container is: the one that orphans are handed to."""
    import ctypes

    try:
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    except (OSError, AttributeError):
        return


def environment(env: dict[str, str], folder: str) -> dict[str, str]:
    """The environment of the user's program: what is missing or cannot be written to is replaced.

    A random uid has no passwd entry, so that `~` is `/`, and no USER, so that getpass.getuser() (and with it
    torch.compile) fails.
    """
    if not _writable(env.get("TMPDIR") or "/tmp"):
        env["TMPDIR"] = _made(folder, "tmp")
    home = env.get("HOME") or _passwd(5)
    if home in ("", "/") or not _writable(home):
        home = _made(folder, "home")
        env.setdefault("XDG_CACHE_HOME", os.path.join(home, ".cache"))
        env.setdefault("MPLCONFIGDIR", os.path.join(home, ".config", "matplotlib"))
    env["HOME"] = home
    for name in ("XDG_CACHE_HOME", "MPLCONFIGDIR"):
        if name in env and not _can_make(env[name]):
            env[name] = os.path.join(_made(folder, "cache"), name.lower())
    user = env.get("USER") or env.get("LOGNAME") or _passwd(0) or "user"
    env["USER"] = env.get("USER") or user
    env["LOGNAME"] = env.get("LOGNAME") or user
    env["MPLBACKEND"] = "Agg"
    # Unbuffered, Python writes each part of a line by itself and may lose the rest of a large write to a signal.
    # program.py makes the streams line-buffered instead, and sets this for the processes that the user starts.
    env.pop("PYTHONUNBUFFERED", None)
    env.pop("PYTHONSAFEPATH", None)  # main.py finds its package beside itself
    return env


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def _writable(path: str) -> bool:
    return os.access(path, os.W_OK | os.X_OK) and os.path.isdir(path)


def _can_make(path: str) -> bool:
    """Whether `path` is a writable folder, or could be made to be one."""
    while not os.path.exists(path):
        parent = os.path.dirname(path)
        if parent == path:
            return False
        path = parent
    return _writable(path)


def _made(folder: str, name: str) -> str:
    path = os.path.join(folder, name)
    os.makedirs(path, exist_ok=True)
    return path


def _passwd(field: int) -> str:
    """A field of this user's passwd entry; "" where the uid has none."""
    import pwd

    try:
        return str(pwd.getpwuid(os.getuid())[field])
    except KeyError:
        return ""
