"""`%kube VERB …`: one small function per verb; works on any Job, also one made by kubectl."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from kube_magics.backends.contract import Backend
from kube_magics.errors import OptionError
from kube_magics.jobs import defaults, known, loop, orphans, records
from kube_magics.jobs.attach import attach
from kube_magics.jobs.choose import backend_for
from kube_magics.jobs.debugging import Debugging
from kube_magics.jobs.job import VALUE, Job
from kube_magics.jobs.listing import read_log
from kube_magics.jobs.logfile import FOLDER
from kube_magics.jobs.show import show
from kube_magics.magics import config, doctor, table
from kube_magics.magics import create as creating
from kube_magics.magics import line as lines
from kube_magics.magics import run as running
from kube_magics.magics.kubetrain import finish
from kube_magics.spec.job import JobSpec
from kube_magics.spec.names import checked_object
from kube_magics.spec.options import ATTACH, PLACE
from kube_magics.spec.parse import split_known, unknown_word
from kube_magics.spec.verbs import VERBS, VERBS_HELP

MAGIC = "%kube"


def run(shell: Any, line: str, debugging: Debugging) -> object:
    """Run one verb; what it returns is shown as the line's value."""
    verb, *rest = lines.tokens(line, shell.user_ns, MAGIC) or ["help"]
    if verb in ("help", "-h", "--help"):
        print(VERBS_HELP)
        return None
    if verb not in VERBS:
        raise unknown_word(verb, VERBS, MAGIC, "verb")
    if verb in _OWN_LINE:
        debugging.on(_asks(rest))
        return _OWN_LINE[verb](shell, rest)
    place, names = split_known(rest, PLACE, f"{MAGIC} {verb}")
    spec = defaults.spec(place, PLACE)
    debugging.on(spec.debug)
    return _RUN[verb](spec, names)


def _asks(words: Sequence[str]) -> bool:
    """Whether --debug is on for a verb that reads its own line."""
    ours = words[: words.index("--")] if "--" in words else words
    typed = [word for word in ours if word.partition("=")[0] == "--debug"]
    given = split_known(typed, ("debug",), MAGIC)[0]
    return defaults.spec(given, ("debug",)).debug


def _backend(spec: JobSpec) -> Backend:
    return backend_for(spec)


def _one(verb: str, names: Sequence[str]) -> str:
    if len(names) != 1:
        raise OptionError(f"{MAGIC} {verb} takes the name of one job.", hint="%kube jobs shows the names")
    return checked_object(names[0])


def _none(verb: str, names: Sequence[str]) -> None:
    if names:
        raise OptionError(f"{MAGIC} {verb} takes no name, and {names[0]!r} was given.", hint=f"%kube {verb}")


def _jobs(spec: JobSpec, names: Sequence[str]) -> None:
    _none("jobs", names)
    backend = _backend(spec)
    found = loop.wait(backend.jobs())
    known.note("jobs", [each.name for each in found])
    kernels = [records.kernel_of(each.submission_id) for each in found]
    print(table.jobs(found, kernels, time.time(), backend.where(), folder=str(Path.cwd())))
    for name in loop.wait(orphans.clear(backend)):
        print(f"{name} is deleted: its submit was cut off, its files never arrived, and it never ran.")


def _logs(spec: JobSpec, names: Sequence[str]) -> None:
    name = _one("logs", names)
    text = loop.wait(read_log(_backend(spec), name))
    kept = FOLDER / f"{name}.log"
    if not text and kept.is_file() and (text := kept.read_text("utf-8", "replace")):
        print(f"[kube_magics: the cluster keeps no log of {name} any more; this is {kept}]", file=sys.stderr)
    if not text:
        print(f"[kube_magics: there is no output of {name}, or none is kept any more]", file=sys.stderr)
    sys.stdout.write(text)


def _attach(shell: Any, words: Sequence[str]) -> object:
    given, names = split_known(words, PLACE, f"{MAGIC} attach", ATTACH)
    name = _one("attach", names)
    backend = _backend(defaults.spec({field: value for field, value in given.items() if field in PLACE}, PLACE))
    job = attach(backend, name, shell.user_ns, trust=given.get("trust", False), tail=given.get("tail"))
    print(f"job {name} on {backend.where()}")
    show(job)
    finish(shell, job)
    return job.values().get(VALUE)


def _stop(spec: JobSpec, names: Sequence[str]) -> None:
    print(Job(_backend(spec), _one("stop", names)).stop())


def _delete(spec: JobSpec, names: Sequence[str]) -> None:
    name = _one("delete", names)
    Job(_backend(spec), name).delete()
    print(f"{name} is deleted, with its pod and its log on the cluster.")


def _gpus(spec: JobSpec, names: Sequence[str]) -> None:
    _none("gpus", names)
    print(table.gpus(loop.wait(_backend(spec).gpus())))


_RUN = {"jobs": _jobs, "logs": _logs, "stop": _stop, "delete": _delete, "gpus": _gpus}
_OWN_LINE: Mapping[str, Callable[[Any, Sequence[str]], object]] = {
    "run": running.run,
    "attach": _attach,
    "create": lambda _shell, words: creating.run(words),
    "config": lambda _shell, words: config.run(words),
    "doctor": lambda _shell, words: doctor.run(words),
}
"""Verbs that take more than names."""
