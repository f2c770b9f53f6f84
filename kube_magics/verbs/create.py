"""`create -f FILE`: the objects of a YAML file, created as kubectl does it."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Sequence
from pathlib import Path

from kube_magics import errors
from kube_magics.backends.contract import Backend
from kube_magics.jobs import defaults, loop
from kube_magics.jobs.choose import backend_for, confirm_context
from kube_magics.jobs.show import warn
from kube_magics.manifests.documents import Document, documents
from kube_magics.spec.options import PLACE
from kube_magics.spec.parse import split_known
from kube_magics.verbs.door import Call, Door

MAGIC = "%kube create"


def run(call: Call) -> None:
    """Nothing is created before all files are understood, and allowed here; then one object that fails does not stop
    the next."""
    files, rest = _files(call.names)
    place, stray = split_known(rest, PLACE, MAGIC)
    if stray or not files:
        fix = f"{MAGIC} -f {stray[0] if stray else 'job.yaml'}"
        raise errors.OptionError(f"{MAGIC} takes files behind -f.", hint=fix)
    found = [document for file in files for document in documents(_read(file, call.door), file)]
    spec = defaults.spec(place, PLACE)
    backend = backend_for(spec)
    if backend.kind == "kubernetes":
        for document in found:
            defaults.allow_object(document.body, str(document))
    confirm_context(backend, spec)
    failed = [(each, error) for each in found if (error := _create(call.door, backend, each)) is not None]
    if failed:
        raise _error(failed, len(found))


def _files(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The files, and the other words."""
    files: list[str] = []
    rest: list[str] = []
    left = list(words)
    while left:
        flag, equals, value = left.pop(0).partition("=")
        if flag not in ("-f", "--filename"):
            rest.append(flag + equals + value)
        elif equals or left:
            files.append(value if equals else left.pop(0))
    return files, rest


def _read(file: str, door: Door) -> str:
    """`-` is what a pipe brings; a notebook has none."""
    if file == "-" and not door.lasting:
        return sys.stdin.read()
    path = Path(file).expanduser()
    try:
        return path.read_text("utf-8")
    except OSError as error:
        there = sorted(each.name for each in path.parent.glob("*.y*ml")) if path.parent.is_dir() else []
        close = difflib.get_close_matches(path.name, there, 1) or there[:1]
        hint = f"{MAGIC} -f {path.with_name(close[0]) if close else 'FILE'}"
        raise errors.OptionError(f"{file} cannot be read: {error.strerror}.", hint=hint) from error
    except UnicodeDecodeError as error:
        raise errors.OptionError(f"{file} is no UTF-8 text.", hint="YAML and JSON are text") from error


def _create(door: Door, backend: Backend, document: Document) -> errors.KubeMagicsError | None:
    try:
        made = loop.wait(backend.create(document.body))
    except errors.ClusterError as error:
        return error
    finally:
        warn(backend.warnings())
    door.say(f"{made} created" + (f"   (%kube logs {made.partition('/')[2]})" if document.kind == "Job" else ""))
    return None


def _error(failed: Sequence[tuple[Document, errors.KubeMagicsError]], count: int) -> errors.KubeMagicsError:
    document, first = failed[0]
    if len(failed) == 1:
        error = type(first)(f"{document}: {first.message}", said=first.said, hint=first.hint)
        error.__cause__ = first
        return error
    said = "\n".join(f"{each}: {error.said or error.message}" for each, error in failed)
    return errors.ClusterError(f"{len(failed)} of {count} objects were not created.", said=said, hint=first.hint)
