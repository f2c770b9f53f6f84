"""From a job's outcome to the error that the user sees: what happened, what the cluster said, what to type."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from typing import Any

from kube_magics import errors
from kube_magics.jobs.follow import Outcome
from kube_magics.spec.quantities import human_bytes, human_seconds
from kube_magics.telemetry.causes.cause import PROGRAMS, Cause
from kube_magics.telemetry.causes.program import SIGKILL, WANT_OF_MEMORY, of_exception
from kube_magics.telemetry.snapshot import GONE, PENDING, SUCCEEDED, SUSPENDED

_IN_ORDER = (
    "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT "
    "CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS"
)
_SIGNALS = dict(enumerate(_IN_ORDER.split(), 1))
"""Linux', whatever this machine is."""
_CRASHES = ("ILL", "TRAP", "ABRT", "BUS", "FPE", "SEGV")
_WHAT_SENDS_IT = {
    "SEGV": "(endless recursion ends so too, where sys.setrecursionlimit allows it)",
    "ILL": "(a package built for newer processors than the node's ends so: another build of it, or another --image)",
    "PIPE": "(it wrote into a pipe whose reader had ended)",
    "XCPU": "(the CPU time that resource.setrlimit or the image allows was used up)",
    "XFSZ": "(a file grew beyond what resource.setrlimit or the image allows)",
    "ALRM": "(its own signal.alarm, without a handler)",
    "SYS": "(it made a system call that containers here may not make)",
    "KILL": WANT_OF_MEMORY.strip(),
}
_UNFLUSHED = 120
"""Python's exit code."""


def error_of(name: str, outcome: Outcome, timeout_s: int | None) -> BaseException | None:
    """The error of a job that did not succeed, other than the user's own exception; None: it succeeded.

    The user's own exception is `outcome.error`; see `remote`.
    """
    if outcome.failure is not None:
        return _unfollowed(name, outcome.failure)
    end = outcome.end or (outcome.snapshot.end if outcome.snapshot else None)
    if end is not None:
        return _by_end(name, dict(end), outcome, timeout_s)
    state = outcome.snapshot
    if state is None:
        return errors.PodLost(f"Nothing is known of job {name}.", hint=f"%kube logs {name}")
    if state.phase == SUCCEEDED and (not state.ours or outcome.pod_gone):
        return None
    return _by_state(name, outcome)


def _unfollowed(name: str, failure: BaseException) -> BaseException:
    if isinstance(failure, errors.KubeMagicsError):
        goes_on = f"%kube attach {name}   (the job goes on, unseen from here)"
        failure.hint = f"{failure.hint}\n{goes_on}" if failure.hint else goes_on
    return failure


def _by_end(name: str, end: dict[str, Any], outcome: Outcome, timeout_s: int | None) -> BaseException | None:
    reason, code = end.get("reason"), end.get("code")
    if reason == "completed" and code in (0, None):
        return None
    if reason == "timeout":
        limit = f" of {human_seconds(timeout_s)}" if timeout_s else ""
        what = f"Job {name} ran longer than its --timeout{limit} and was stopped."
        return errors.JobTimeout(what, hint="--timeout 1d, or none at all")
    if reason == "stopped":
        return _stopped(name, outcome)
    if reason == "oom" or (end.get("signal") == SIGKILL and _cause(outcome) == "oom"):
        return _out_of_memory(name, end)
    if reason in _BEFORE_THE_CELL:
        return _BEFORE_THE_CELL[reason](name, dict(outcome.error or {}))
    if reason == "signal" or end.get("signal"):
        return _killed(name, int(end.get("signal") or 0))
    if reason in ("bundle", "start", "runner"):
        return _own_failure(name, reason, outcome)
    failed = _ended(name, code, dict(outcome.error or {}))
    note = memory_note(end)
    if note:
        failed.said = "\n".join(filter(None, (failed.said, note)))
    return failed


def _own_failure(name: str, reason: str, outcome: Outcome) -> errors.JobError:
    said = str((outcome.error or {}).get("message") or "") or None
    if reason == "runner":
        what = f"Job {name} is over, and how it ended is not known: its runner failed."
        return errors.PodLost(what, said=said, hint=f"%kube logs {name}, then run the cell again")
    what = f"Job {name} could not start its program."
    return errors.JobNotStarted(what, said=said, hint="correct --python, --workdir or --image")


def _cause(outcome: Outcome) -> str | None:
    cause = outcome.snapshot.cause if outcome.snapshot else None
    return cause.kind if cause else None


def _out_of_memory(name: str, end: dict[str, Any]) -> errors.JobOutOfMemory:
    peak = end.get("peak_memory_bytes")
    peak = peak if isinstance(peak, (int, float)) and peak > 0 else None
    said = f"peak memory {human_bytes(int(peak))}" if peak else None
    more = f"--memory {_twice(peak)}   (twice its peak)" if peak else "a larger --memory"
    return errors.JobOutOfMemory(f"Job {name} was killed at its memory limit.", said=said, hint=more)


def memory_note(end: Mapping[str, Any] | None) -> str | None:
    """Of a job that went on, or failed, after the kernel had killed some of its processes: workers, as a rule."""
    kills = (end or {}).get("oom_kills")
    if not isinstance(kills, int) or kills < 1:
        return None
    were = "1 process was" if kills == 1 else f"{kills} processes were"
    return f"{were} killed for want of memory while it ran: a larger --memory, or fewer workers"


def crowd_note(event: Mapping[str, Any] | None) -> str | None:
    """Of an exception that says, in words of its own, that no more threads or processes may be started."""
    kind, said = (event or {}).get("type"), str((event or {}).get("message"))
    last: Mapping[str, Any] = ([{}, *((event or {}).get("frames") or ())])[-1]
    forking = kind == "BlockingIOError" and any("fork" in str(last.get(key)) for key in ("name", "text"))
    if not forking and not (kind == "RuntimeError" and "can't start new thread" in said):
        return None
    return "its pod may have no more processes and threads: fewer workers, or ask your administrator for a higher limit"


def cause_note(event: Mapping[str, Any] | None) -> str | None:
    """Of an exception whose words have a cause that is known, as `%kube why` names it: what it is, and what to type."""
    meant = of_exception(str((event or {}).get("type")), str((event or {}).get("message")))
    if meant is None:
        return None
    named = meant.sentence[1].isupper()  # NCCL
    return f"{meant.sentence[0] if named else meant.sentence[0].lower()}{meant.sentence[1:-1]}: {meant.fix}"


def _ended(name: str, code: Any, event: dict[str, Any]) -> errors.JobFailed:
    if event.get("exit") is None:
        what = f"Job {name} ended with exit code {code}."
        failed = errors.JobFailed(what, hint=f"%kube logs {name} shows its last lines")
        if code == _UNFLUSHED:
            failed.hint = (
                "leave stdout and stderr open: Python ends so when it cannot write out the last that was printed"
            )
        failed.exit_code = code
        return failed
    text = str(event.get("message"))
    number = text.lstrip("-").isdecimal()
    said = None if number or text in ("True", "False") else text
    what = f"Job {name} called sys.exit{f'({text})' if number else ''}: it ended with exit code {code}."
    exited = errors.JobExited(what, said=said, hint=f"%kube logs {name} shows its last lines")
    exited.exit_code, exited.code = code, int(text) if number else text
    return exited


def _killed(name: str, number: int) -> errors.JobKilled:
    signal = _SIGNALS.get(number, str(number))
    fix = f"%kube logs {name} shows its last lines"
    if signal in _CRASHES:
        fix = f"import faulthandler; faulthandler.enable()   (as the cell's first line: %kube logs {name} shows where)"
    if signal in _WHAT_SENDS_IT:
        fix += f"   {_WHAT_SENDS_IT[signal]}"
    if signal == "BUS":
        fix = f"--shm 1Gi, if it shares memory between processes; else:\n{fix}"
    killed = errors.JobKilled(f"Job {name} was killed by signal {signal}.", hint=fix)
    killed.signal = number
    return killed


def _stopped(name: str, outcome: Outcome) -> errors.JobError:
    """By whom the runner, which only heard a signal, cannot know; the cluster may."""
    state = outcome.snapshot
    cause = state.cause if state else None
    log = f"%kube logs {name} shows what it had done"
    # A job that ran and is pending again: its pod is gone, and the Job's own end comes in a moment.
    lost = (PENDING, GONE)
    if state is not None and state.phase != SUSPENDED and (state.phase in lost or (cause and cause.kind == "deleted")):
        whole = state.phase == GONE or (state.phase != PENDING and not state.pod)  # a job on this machine has no pod
        what = "was deleted" if whole else "lost its pod: someone deleted it"
        return errors.JobDeleted(f"Job {name} {what}, which stopped it.", hint=f"run the cell again   ({log})")
    if cause is not None and cause.kind == "evicted":
        return errors.PodLost(f"Job {name}: {cause.sentence}", said=cause.said, hint=f"{cause.fix}   ({log})")
    return errors.JobStopped(f"Job {name} was stopped.", hint=log)


def _twice(peak_bytes: float) -> str:
    """Twice as much as a quantity."""
    mebibytes = math.ceil(2 * peak_bytes / 2**20)
    return f"{mebibytes}Mi" if mebibytes < 2048 else f"{math.ceil(mebibytes / 1024)}Gi"


def import_missing(name: str, event: dict[str, Any]) -> errors.ImportMissing:
    """The image lacks a package that the cell imports."""
    packages = event.get("install") or []
    listed = ", ".join(map(str, packages)) if isinstance(packages, list) else str(packages)
    if "neither pip nor uv" in str(event.get("message")):
        fix = f"--image with pip or uv in it, or with {listed}"
    else:
        fix = f'--pip "{listed}"   (or an --image that has it; on this machine: %pip install {listed})'
    return errors.ImportMissing(f"Job {name}: {event.get('message')}.", hint=fix)


def python_mismatch(name: str, event: dict[str, Any]) -> errors.PythonMismatch:
    """What travels as bytecode met another minor of Python."""
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    fix = f"write each as def or class at the top level of a cell, or take an --image with Python {here}"
    return errors.PythonMismatch(f"Job {name}: {event.get('message')}.", hint=f"{fix}   (on this machine: --python)")


def store_unusable(name: str, event: dict[str, Any]) -> errors.JobNotStarted:
    """The job cannot read or write at its --artifacts."""
    said = str(event.get("message") or "") or None
    fix = "the job must be able to read and write there: --secret for its credentials, --volume for a folder"
    if said and "not installed" in said:
        fix = "leave --pip none out (it is installed then), or take an --image with it in it"
    return errors.JobNotStarted(f"Job {name} cannot use its --artifacts.", said=said, hint=fix)


def _install_failed(name: str, event: dict[str, Any]) -> errors.InstallFailed:
    said, fix = str(event.get("text") or ""), event.get("fix")
    if not fix:  # the step itself broke off
        return errors.InstallFailed(f"Job {name}: its packages could not be installed.", said=said, hint=_NO_PACKAGES)
    return errors.InstallFailed(f"Job {name}: {event.get('message')}.", said=said or None, hint=str(fix))


_BEFORE_THE_CELL: dict[Any, Callable[[str, dict[str, Any]], errors.JobError]] = {
    "import": import_missing,
    "bytecode": python_mismatch,
    "install": _install_failed,
    "fetch": store_unusable,
    "collect": store_unusable,
}


def _by_state(name: str, outcome: Outcome) -> errors.KubeMagicsError:
    state = outcome.snapshot
    assert state is not None
    cause: Cause | None = state.cause
    if state.phase == SUSPENDED or (cause and cause.kind == "stopped"):
        by_others = cause is None or cause.kind != "stopped"
        how = "suspended" if by_others else "stopped" if state.started else "stopped before it started"
        return errors.JobStopped(f"Job {name} was {how}.", hint="run the cell again")
    if state.phase == SUCCEEDED:
        what = f"Job {name} has succeeded; its pod is gone, and with it its output and what it sent back."
        return errors.PodLost(what, hint="run the cell again   (--log-to and --artifacts keep both)")
    if state.phase == GONE or (cause and cause.kind == "deleted"):
        what = "was deleted" if state.phase == GONE else "lost its pod: someone deleted it"
        return errors.JobDeleted(f"Job {name} {what}.", hint="run the cell again")
    if cause is None:
        return errors.PodLost(
            f"Job {name} ended without a last word from its runner.", hint=f"%kube logs {name}, then run the cell again"
        )
    fix = cause.fix_of(name)
    kind = _KINDS.get(cause.kind, errors.PodLost)
    if not state.started and kind is errors.PodLost and cause.kind != "failed":
        kind = errors.JobNotStarted
    if state.started and kind is errors.JobNotStarted:
        kind = errors.PodLost  # it ran, and is not started again
    error = kind(f"Job {name}: {cause.sentence}", said=cause.said, hint=fix)
    if isinstance(error, errors.JobFailed):
        error.exit_code = cause.exit_code
    elif isinstance(error, errors.JobKilled) and cause.exit_code:
        error.signal = cause.exit_code - 128
    return error


_NO_PACKAGES = "--pip none (nothing is installed), or --image with what the cell imports in it"
_KINDS: dict[str, type[errors.JobError]] = {
    **dict.fromkeys(PROGRAMS, errors.JobFailed),
    "image": errors.JobNotStarted,
    "start": errors.JobNotStarted,
    "quota": errors.JobNotStarted,
    "policy": errors.JobNotStarted,
    "refused": errors.JobNotStarted,
    "unschedulable": errors.JobNotStarted,
    "oom": errors.JobOutOfMemory,
    "deadline": errors.JobTimeout,
    "signal": errors.JobKilled,
}
