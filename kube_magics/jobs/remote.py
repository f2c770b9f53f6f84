"""The job's own exception, raised here: with its causes, notes and groups, of the classes that exist here."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any

from kube_magics.errors import RemoteError, ResultError
from kube_magics.jobs.frames import traceback_of

Loads = Callable[[bytes], object]
Link = Mapping[str, Any]

_CLASSLESS = "the class does not exist in this notebook: import or define it here to catch it by name"
MOST_NOTED = 2000
"""Characters of a message that a note repeats."""


class Frames:
    """Where the job's exception was raised: what raising it here adds to its `__traceback__` is not the job's."""

    def __init__(self, tb: TracebackType | None) -> None:
        self.tb = tb

    def __reduce__(self) -> tuple[object, ...]:
        # The exception may be pickled later; a traceback cannot be.
        return (Frames, (None,))


def rebuild(event: Link, pickled: bytes | None, loads: Loads, files: Mapping[str, str]) -> BaseException:
    """The exception of an error event, with its traceback and all that hangs together with it.

    `pickled` is what the runner's `chain.encode` made; without it, the event's one exception is rebuilt. `files` maps
    the file names in the frames to those of this notebook's cells.
    """
    links = _links(pickled, loads) or [event]
    built = [_Built(links, number, loads) for number in range(len(links))]
    for each in built:
        each.fill(built, files)
    error = built[0].error
    error.__kube_magics_traceback__ = Frames(error.__traceback__)  # type: ignore[attr-defined]
    return error


def is_of_job(error: BaseException) -> bool:
    """Whether a job raised it."""
    return isinstance(getattr(error, "__kube_magics_traceback__", None), Frames)


def frames_of(error: BaseException) -> TracebackType | None:
    """The frames of a job's exception that is raised here; None: it is no job's, or has none."""
    found = getattr(error, "__kube_magics_traceback__", None)
    return found.tb if isinstance(found, Frames) else None


def _links(pickled: bytes | None, loads: Loads) -> list[Link]:
    if not pickled:
        return []
    try:
        found: Any = loads(pickled)
        links = found["links"]
        return [*links] if all(isinstance(link, dict) for link in links) else []
    except Exception:  # noqa: BLE001 - a damaged one is as good as none: the event has the exception's text
        return []


class _Built:
    """One exception, made of its link; a group after those that it holds."""

    def __init__(self, links: Sequence[Link], number: int, loads: Loads) -> None:
        self._link = links[number]
        self._loads = loads
        self._notes: list[str] = []
        self._inner = [at for at in self._link.get("group") or () if isinstance(at, int) and number < at < len(links)]
        self._classless: str | None = None
        """Why the class that is called so here is not the one."""
        self._made: BaseException | None = None

    @property
    def error(self) -> BaseException:
        assert self._made is not None
        return self._made

    def make(self, all_: Sequence[_Built]) -> BaseException:
        """Links of a group come after it, so this ends."""
        if self._made is None:
            inner = [all_[at].make(all_) for at in self._inner]
            self._made = self._whole() or self._by_parts(inner) or self._stand_in(inner)
        return self._made

    def fill(self, all_: Sequence[_Built], files: Mapping[str, str]) -> None:
        """Its frames, notes, and the exceptions that it came from."""
        error, link = self.make(all_), self._link
        frames = [frame for frame in link.get("frames") or () if isinstance(frame, dict)]
        error.__traceback__ = traceback_of(frames, files)
        for key in ("cause", "context"):
            at = link.get(key)
            if isinstance(at, int) and 0 <= at < len(all_):
                setattr(error, f"__{key}__", all_[at].make(all_))
        error.__suppress_context__ = bool(link.get("suppress"))
        lost = link.get("lost") or {}
        self._notes += [f"{name} did not travel from the job: {why}" for name, why in lost.items()]
        if link.get("absent"):
            self._notes.append(f"{link['absent']} more exceptions of this group did not travel from the job")
        for note in self._notes:
            error.add_note(f"[kube_magics: {note}]")

    def _whole(self) -> BaseException | None:
        if not self._link.get("whole"):
            return None
        try:
            error = self._loads(self._link["whole"])
        except Exception as problem:  # noqa: BLE001 - what is known of it otherwise is used instead
            self._notes.append(f"its attributes cannot be loaded here: {type(problem).__name__}: {problem}")
            return None
        return error if isinstance(error, BaseException) else None

    def _class(self) -> type[BaseException] | None:
        """The notebook's own class of that name, or the one that the job's cell brings."""
        try:
            found = self._loads(_reference(str(self._link["module"]), str(self._link["type"])))
        except ResultError as error:
            if error.__cause__ is None:  # found out before anything was tried
                self._classless = f"{error.message}\n{error.hint}"
            return None
        except Exception:  # noqa: BLE001 - there is none here: the stand-in says so
            return None
        return found if isinstance(found, type) and issubclass(found, BaseException) else None

    def _by_parts(self, inner: list[BaseException]) -> BaseException | None:
        kind = self._class()
        if kind is None:
            return None
        message = str(self._link.get("message"))
        args = [self._value(f"args[{at}]", data) for at, data in enumerate(self._link.get("args") or ())]
        if issubclass(kind, BaseExceptionGroup):
            if not inner:
                return None
            args = [args[0] if args and isinstance(args[0], str) else message, inner]
        elif not args and "args" not in self._link:
            args = [message]
        try:
            error = without_init(kind, args)
        except Exception:  # noqa: BLE001 - its own __new__ wants something else
            return None
        for name, data in (self._link.get("state") or {}).items():
            try:
                object.__setattr__(error, name, self._value(name, data))
            except (AttributeError, TypeError):  # computed, or one that the class forbids to set
                continue
        if not isinstance(error, BaseExceptionGroup) and _text(error) != message:
            self._notes.append(f"its text in the job: {message[:MOST_NOTED]}")
        return error

    def _value(self, name: str, data: bytes) -> object:
        if not data:
            return f"<{name} did not travel>"
        try:
            return self._loads(data)
        except Exception as problem:  # noqa: BLE001 - the others are as good without it
            self._notes.append(f"{name} cannot be loaded here: {type(problem).__name__}: {problem}")
            return f"<{name} did not travel>"

    def _stand_in(self, inner: list[BaseException]) -> BaseException:
        module, name = str(self._link.get("module") or "builtins"), str(self._link.get("type") or "Exception")
        text = f"{module}.{name}: {self._link.get('message')}"
        hint = self._classless or _CLASSLESS
        if inner:
            group = BaseExceptionGroup(text, inner)
            group.add_note(hint)
            return group
        error = RemoteError.named(module, name, text)
        error.hint = hint
        return error


def without_init(kind: type[BaseException], args: Sequence[object]) -> BaseException:
    """An exception as its class's own __init__ would leave it, without calling that: only the built-in base's runs."""
    base: Any = next(each for each in kind.__mro__ if each.__module__ == "builtins")
    error: BaseException = base.__new__(kind, *args)
    with suppress(Exception):  # its arguments need not be the base's own: a UnicodeError with a text
        base.__init__(error, *args)
    if not isinstance(error, BaseExceptionGroup):
        error.args = tuple(args)
    return error


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as problem:  # noqa: BLE001 - as the runner has it
        return f"<no text: {type(problem).__name__}>"


def _reference(module: str, name: str) -> bytes:
    """A pickle of the class that is called so."""
    strings = [b"\x8c" + bytes([len(text)]) + text for text in (module.encode(), name.encode())]
    return b"\x80\x04" + strings[0] + strings[1] + pickle.STACK_GLOBAL + pickle.STOP
