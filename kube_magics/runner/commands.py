"""What `!commands` and `%magics` do in a job: the methods that `syntax` calls, printing what IPython prints.

A command's output goes straight into the job's log; its working folder and environment are those of the cell. A file of
the job's image that is not there raises as it does in Python.
"""

from __future__ import annotations

import builtins
import gc
import itertools
import math
import os
import resource
import subprocess
import sys
import time
import timeit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Made = Callable[[], str] | None

SHELL = "/bin/sh"
HIDDEN = ("key", "token", "secret")
ENOUGH_S = 0.2
"""%timeit takes the first power of ten of loops that needs as long."""


class Lines(list):  # type: ignore[type-arg]
    """What `x = !command` gives: the lines, with `.s` .n .l .p as IPython's SList has them; travels as a plain list."""

    @property
    def l(self) -> list[str]:  # noqa: E743 - IPython's name
        return self

    list = l

    @property
    def s(self) -> str:
        return " ".join(self)

    spstr = s

    @property
    def n(self) -> str:
        return "\n".join(self)

    nlstr = n

    @property
    def p(self) -> Any:
        from pathlib import Path

        return [Path(line) for line in self if os.path.exists(line)]

    paths = p

    def grep(self, pattern: Any, prune: bool = False, field: int | None = None) -> Lines:
        """The lines in which `pattern` (a regular expression, or a function) is found; `prune`: the others."""
        import re

        def part(line: str) -> str:
            words = line.split()
            return line if field is None else words[field] if -len(words) <= field < len(words) else ""

        wanted = pattern if callable(pattern) else lambda text: re.search(pattern, text, re.IGNORECASE)
        return Lines(line for line in self if bool(wanted(part(line))) != prune)

    def fields(self, *numbers: int) -> Any:
        """The words of each line, or the numbered ones of them as one text."""
        rows = [line.split() for line in self]
        if not numbers:
            return rows
        picked = [[row[number] for number in numbers if -len(row) <= number < len(row)] for row in rows]
        return Lines(" ".join(words) for words in picked if words)

    def __reduce__(self) -> Any:
        return builtins.list, (builtins.list(self),)


class Commands:
    """`__kube_magics__` in the job's `__main__`. A text comes with the function that replaces its `{expr}`, if any."""

    def __init__(self, names: dict[str, Any]) -> None:
        self._names = names
        self._began: list[tuple[float, float, float]] = []
        self._before = os.getcwd()

    # !command

    def system(self, text: str, made: Made = None) -> None:
        self._names["_exit_code"] = subprocess.call([SHELL, "-c", _made(text, made)])

    def getoutput(self, text: str, made: Made = None) -> Lines:
        done = subprocess.run(
            [SHELL, "-c", _made(text, made)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
        self._names["_exit_code"] = done.returncode
        return Lines(done.stdout.decode("utf-8", "replace").splitlines())

    sx = getoutput

    def pip(self, text: str, made: Made = None) -> None:
        _flush()
        command = f'"{sys.executable}" -m pip {_made(text, made)}'
        self._names["_exit_code"] = subprocess.call([SHELL, "-c", command])

    # %env, %cd

    def env(self, text: str, made: Made = None) -> Any:
        text = _made(text, made).strip()
        if not text:
            return {name: _shown(name, value) for name, value in os.environ.items()}
        if "=" in text or " " in text:
            return self.set_env(text)
        if text not in os.environ:
            raise KeyError(f"Environment does not have key: {text}")
        return os.environ[text]

    def set_env(self, text: str, made: Made = None) -> None:
        text = _made(text, made).strip()
        name, _, value = text.partition("=" if "=" in text else " ")
        name, value = name.strip(), value.strip()
        if not name or " " in name or name == text:
            raise ValueError(f"usage is %env NAME=VALUE, and not: {text}")
        os.environ[name] = value
        if self._names.get("__name__") == "__main__":  # worker processes do it again, and say nothing
            print(f"env: {name}={_shown(name, value)}")  # noqa: T201

    def cd(self, text: str, made: Made = None) -> None:
        text = _made(text, made).strip().rstrip(";").strip()
        quiet = text.startswith("-q")
        folder = text[2:].strip() if quiet else text
        if len(folder) > 1 and folder[0] == folder[-1] and folder[0] in "\"'":
            folder = folder[1:-1]
        before = os.getcwd()
        os.chdir(self._before if folder == "-" else os.path.expanduser(folder or "~"))
        self._before = before
        if not quiet:
            print(os.getcwd())  # noqa: T201

    def pwd(self, _text: str = "", _made: Made = None) -> str:
        return os.getcwd()

    # %time

    def begin(self) -> tuple[float, float, float]:
        began = _clocks()
        self._began.append(began)
        return began

    def end(self, value: Any = None) -> Any:
        return self.timed(self._began[-1], value)

    def timed(self, began: tuple[float, float, float], value: Any = None) -> Any:
        """Says how long it took since; gives `value`, which has been computed meanwhile."""
        now = _clocks()
        del self._began[self._began.index(began) :]
        user, system, wall = (there - here for there, here in zip(now, began))
        total = duration(user + system)
        print(f"CPU times: user {duration(user)}, sys: {duration(system)}, total: {total}")  # noqa: T201
        print(f"Wall time: {duration(wall)}")  # noqa: T201
        return value

    # %timeit

    def timeit(
        self,
        inner: Callable[[Any, Callable[[], float]], float],
        *,
        number: int = 0,
        repeat: int = 7,
        precision: int = 3,
        wall: bool = False,
        cpu: bool = False,
        quiet: bool = False,
        gives: bool = False,
    ) -> Any:
        """Prints the mean over `repeat` runs of `number` loops each; 0: as many as take 0.2 s."""
        clock = time.process_time if cpu and not wall else timeit.default_timer

        def run(loops: int) -> float:
            collects = gc.isenabled()
            gc.disable()
            try:
                return inner(itertools.repeat(None, loops), clock)
            finally:
                if collects:
                    gc.enable()

        number = number or next((loops for loops in (10**power for power in range(9)) if run(loops) >= ENOUGH_S), 10**9)
        runs = [run(number) for _ in range(repeat)]
        best, worst = min(runs) / number, max(runs) / number
        timings = [taken / number for taken in runs]
        mean = math.fsum(timings) / len(timings)
        spread = (math.fsum((each - mean) ** 2 for each in timings) / len(timings)) ** 0.5
        if not quiet:
            if worst > 4 * best and best > 0 and worst > 1e-6:
                print(  # noqa: T201
                    f"The slowest run took {worst / best:0.2f} times longer than the fastest. This could mean that an "
                    "intermediate result is being cached."
                )
            many = f"{repeat} run{'s'[: repeat != 1]}, {number:,} loop{'s'[: number != 1]} each"
            shown = f"{duration(mean, precision)} ± {duration(spread, precision)}"
            print(f"{shown} per loop (mean ± std. dev. of {many})")  # noqa: T201
        if not gives:
            return None
        from types import SimpleNamespace

        return SimpleNamespace(
            loops=number,
            repeat=repeat,
            best=best,
            worst=worst,
            all_runs=runs,
            timings=timings,
            average=mean,
            stdev=spread,
        )


def duration(span_s: float, precision: int = 3) -> str:
    """As IPython's %time writes it: `1.23 ms`, `2min 3s`."""
    if span_s >= 60.0:
        parts = []
        for unit, length in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
            count, span_s = divmod(span_s, length)
            if count:
                parts.append(f"{int(count)}{unit}")
            if span_s < 1:
                break
        return " ".join(parts)
    order = min(-int(math.floor(math.log10(span_s)) // 3), 3) if span_s > 0.0 else 3
    return "%.*g %s" % (precision, span_s * 1000**order, ("s", "ms", "μs", "ns")[order])  # noqa: UP031 - as it does


def _clocks() -> tuple[float, float, float]:
    used = resource.getrusage(resource.RUSAGE_SELF)  # os.times() counts in hundredths
    return used.ru_utime, used.ru_stime, time.monotonic()


def _shown(name: str, value: str) -> str:
    """A variable's value, as far as a log may have it; IPython hides in its list what we hide everywhere."""
    return "<hidden>" if any(word in name.lower() for word in HIDDEN) else value


def _made(text: str, made: Made) -> str:
    """As IPython does it: a name that is not there leaves the whole text as it is."""
    _flush()
    if made is None:
        return text
    try:
        return made()
    except Exception:  # noqa: BLE001  (as above)
        return text


def _flush() -> None:
    """What was printed before a command stands before its output."""
    sys.stdout.flush()
    sys.stderr.flush()
