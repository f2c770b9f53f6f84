"""`logs`: of any job, all its pods and containers, once or as it comes."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from pathlib import Path

from kube_magics import errors
from kube_magics.backends.contract import Backend, Source, Sources
from kube_magics.jobs import here, loop
from kube_magics.jobs.listing import follow, follow_all, read_all, read_log
from kube_magics.jobs.logfile import FOLDER
from kube_magics.jobs.screen import BATCH_S, TOTAL_BYTES, Screen
from kube_magics.jobs.show import LONGEST_WAIT_S, write
from kube_magics.verbs.door import Call


def logs(call: Call) -> None:
    """Lines to stdout; what there is to say of them to stderr."""
    backend, given, (name,) = call.backend, call.given, call.names
    previous, tail = bool(given.get("previous")), given.get("tail")
    if given.get("follow") and previous:
        raise errors.OptionError("A run that is over has nothing to follow.", hint=f"%kube logs {name} --previous")
    sources = _sources(backend, name, previous=previous)
    chosen = [source for source in sources.every if _wanted(call, source)]
    if sources.every and not chosen:
        raise _no_such_log(name, sources)
    one = sources.in_turn and not (previous or given.get("pod") or given.get("container"))
    if given.get("follow"):
        _follow(call, backend, name, tail, one=one)
        return
    log = loop.wait(read_log(backend, name) if one else read_all(backend, name, chosen, tail=tail))
    text = _tail(log.text, tail) if one else log.text
    if not log.kept and not previous and (kept := _kept(backend, name)) is not None:
        text = _tail(kept.read_text("utf-8", "replace"), tail)
        _remark(f"its log is not kept there any more; this is {kept}")
    if not text:
        _remark(f"there is no {'earlier run' if previous else 'output'} of {name}, or none is kept any more")
    sys.stdout.write(_shown(text, name) if here.limited() else text)


def _kept(backend: Backend, name: str) -> Path | None:
    """What was kept here of this job's log; a file that is older than the job is of another one that was called so."""
    created_at: float | None = None
    with suppress(errors.Forbidden):
        created_at = loop.wait(backend.poll(name)).created_at
    found = {
        path: path.stat() for path in (FOLDER / f"{name}.log", *FOLDER.glob(f"{name}.[0-9]*.log")) if path.is_file()
    }
    own = [path for path, stat in found.items() if stat.st_size and stat.st_mtime >= (created_at or 0)]
    return max(own, key=lambda path: found[path].st_size, default=None)


def _shown(text: str, name: str) -> str:
    """What a page holds: Jupyter's server throws away what comes faster, or freezes with what is more."""
    if len(text) <= TOTAL_BYTES:
        return text
    at = len(text) - TOTAL_BYTES
    cut = text.find("\n", at, -1) + 1 or at
    lines = text.count("\n", 0, cut)
    _remark(f"{lines:,} lines are not shown here: a page holds no more. In a terminal: kube-magics logs {name} > FILE")
    return text[cut:]


def _sources(backend: Backend, name: str, *, previous: bool) -> Sources:
    try:
        return loop.wait(backend.sources(name, previous=previous))
    except errors.Forbidden:
        if previous:
            raise
        return Sources(())  # who may see neither the job nor its pods may perhaps read its log


def _wanted(call: Call, source: Source) -> bool:
    named = {"pod": source.pod, "container": source.container}
    return all(call.given.get(field) in (None, value) for field, value in named.items())


def _no_such_log(name: str, sources: Sources) -> errors.OptionError:
    there = ", ".join(f"{source.pod} {source.container}".strip() for source in sources.every)
    fix = f"%kube logs {name} --container {sources.every[0].container}"
    return errors.OptionError(f"Job {name} has no such log; it has those of {there}.", hint=fix)


def _tail(text: str, lines: int | None) -> str:
    found = text.split("\n")[:-1]  # not splitlines(): a progress bar's \r ends no line of a log
    return text if lines is None else "".join(f"{line}\n" for line in found[max(0, len(found) - lines) :])


def _remark(text: str) -> None:
    sys.stderr.write(f"[kube_magics: {text}]\n")


def _follow(call: Call, backend: Backend, name: str, tail: int | None, *, one: bool) -> None:
    """An interrupt ends it, as of `tail -f`: the job is not asked."""
    screen = Screen(call.door.typed(f"%kube logs {name} shows them"), tail=tail, limited=here.limited())
    if one:
        work = loop.start(follow(backend, name, screen))
    else:
        work = loop.start(follow_all(backend, name, lambda source: _wanted(call, source), screen))
    work.add_done_callback(lambda _: screen.wake())
    try:
        while not work.done():
            screen.wait(LONGEST_WAIT_S)
            write(screen.take(), lambda _: None)
            time.sleep(BATCH_S)
        write(screen.take(last=True), lambda _: None)
        work.result()
    finally:
        work.cancel()
