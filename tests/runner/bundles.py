"""Bundles made by hand, run by the real runner in real processes."""

from __future__ import annotations

import base64
import compileall
import functools
import hashlib
import io
import json
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from kube_magics.runner import protocol, shipped

PYTHON = os.environ.get("KUBE_MAGICS_TEST_PYTHON", sys.executable)
"""The interpreter of the image: of the runner and of the program."""
CELL = "<In [5]>"
HELPERS = "<In [2]>"


def steps(cell: str, source: str) -> list[dict[str, Any]]:
    return [{"do": "exec", "cell": cell, "first": 1, "last": source.count("\n") + 1}] if source else []


def program(source: str, earlier: str = "", **changes: Any) -> dict[str, Any]:
    """program.json: `source` is the job's own cell, `earlier` the one with its definitions."""
    return {
        "v": 1,
        "cells": {
            CELL: {"label": "In [5]", "source": source},
            HELPERS: {"label": "In [2]", "source": earlier},
        },
        "definitions": steps(HELPERS, earlier),
        "statements": steps(CELL, source),
        "last_expression": False,
        "returns": [],
        **changes,
    }


def spec(**changes: Any) -> dict[str, Any]:
    return {
        "v": 1,
        "argv": ["main.py"],
        "python": None,
        "imports": {},
        "notebook_python": "3.11.7",
        "returns": [],
        "timeout_s": None,
        "grace_s": 30,
        "gpus": 0,
        "result_limit_bytes": protocol.RESULT_LIMIT_BYTES,
        "results_dir": None,
        "cwd": None,
        **changes,
    }


def files(
    source: str = "",
    definitions: str = "",
    data: tuple[Any, ...] = (),
    of_program: dict[str, Any] | None = None,
    **of_spec: Any,
) -> dict[str, bytes]:
    """Every file of a bundle by its path."""
    returns = of_spec.get("returns", [])
    pickles = io.BytesIO()
    pickler = pickle.Pickler(pickles, 5)
    for value in data:
        pickler.dump(value)
    found = {
        "spec.json": json.dumps(spec(**of_spec)).encode(),
        "program.json": json.dumps(program(source, definitions, returns=returns, **(of_program or {}))).encode(),
        "data.pkl": pickles.getvalue(),
    }
    return {**found, **shipped.files(of_spec)}


def told_early(module: str, number: str = "SIGTERM") -> dict[str, bytes]:
    """A module of the runner that tells its own process to end while it is imported."""
    path = f"kube_magics_runner/{module}.py"
    first, future, rest = shipped.files({})[path].partition(b"from __future__ import annotations\n")
    told = f"import os as _os, signal as _signal\n_os.kill(_os.getpid(), _signal.{number})\n"
    return {path: first + future + told.encode() + rest}


def packed(source: str = "", **of_spec: Any) -> bytes:
    """A bundle as it is made for a pod."""
    found = files(source, **of_spec)
    left = {path: content for path, content in found.items() if path not in shipped.files(of_spec)}
    return zipped({**left, **shipped.packed(of_spec)})


def zipped(of: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(of):
            archive.writestr(name, of[name])
    return buffer.getvalue()


def boot_environment(bundle: bytes) -> dict[str, str]:
    return {
        "KUBE_MAGICS_BUNDLE": base64.b64encode(bundle).decode(),
        "KUBE_MAGICS_BUNDLE_SHA256": hashlib.sha256(bundle).hexdigest(),
    }


def unpack(folder: Path, of: dict[str, bytes]) -> None:
    for name, content in of.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


@functools.cache
def _compiled(modules: frozenset[tuple[str, bytes]]) -> tempfile.TemporaryDirectory[str]:
    """A folder with the runner, compiled once instead of by each of a hundred jobs."""
    folder = tempfile.TemporaryDirectory()
    unpack(Path(folder.name), dict(modules))
    compileall.compile_dir(folder.name, quiet=2)
    return folder


class Log:
    """What stood on the runner's standard output, understood."""

    def __init__(self, raw: bytes, code: int | None = None) -> None:
        assert not raw or raw.endswith(b"\n")
        self.raw = raw
        self.code = code
        self.events: list[dict[str, Any]] = []
        self.totals = protocol.Totals()
        self.lines = [protocol.decode(line) for line in raw.split(b"\n")[:-1]]
        parts: dict[str, list[bytes]] = {"out": [], "err": []}
        for line in self.lines:
            self.totals.add(line)
            if line.event is None:
                parts[line.kind].append(line.payload + b"\n")
                continue
            assert len(line.payload) < protocol.MAX_EVENT_BYTES
            self.events.append(line.event)
            if line.event["e"] == "partial":
                parts["out" if line.event["s"] == 1 else "err"].append(protocol.partial_bytes(line.event))
        self.out = b"".join(parts["out"])
        self.err = b"".join(parts["err"])

    def all(self, name: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["e"] == name]

    @property
    def end(self) -> dict[str, Any]:
        assert self.events[-1]["e"] == "end"
        assert self.totals.missing(self.events[-1]) == (0, 0)
        return self.events[-1]

    @property
    def error(self) -> dict[str, Any]:
        (error,) = self.all("error")
        return error

    def results(self) -> dict[str, Any]:
        return {name: pickle.loads(data) for name, data in self.result_bytes().items()}

    def result_bytes(self) -> dict[str, bytes]:
        assembler = protocol.Assembler()
        found = [assembler.add(event) for event in self.all("result")]
        return dict(item for item in found if item)


class Runner:
    """A runner on a bundle in `folder`, as the local backend starts it. Its standard output is a file or a pipe."""

    def __init__(
        self,
        folder: Path,
        *args: Any,
        to_file: bool = False,
        env: dict[str, str] | None = None,
        replaced: dict[str, bytes] | None = None,
        compiled: bool = True,
        **kwargs: Any,
    ) -> None:
        """`compiled`: with a runner that other jobs have too, compiled already; else with one of its own, as a pod has it."""
        found = {**files(*args, **kwargs), **(replaced or {})}
        if compiled:
            runner = {path: found.pop(path) for path in [*found] if path.startswith(f"{shipped.PACKAGE}/")}
            folder.mkdir(parents=True, exist_ok=True)
            (folder / shipped.PACKAGE).symlink_to(Path(_compiled(frozenset(runner.items())).name, shipped.PACKAGE))
        unpack(folder, found)
        self.folder = folder
        self.log = folder / "log" if to_file else None
        command = [PYTHON, "-I", "-S", str(folder / "kube_magics_runner" / "__main__.py"), str(folder)]
        environment = {**os.environ, "KUBE_MAGICS_TERMINATION_LOG": str(folder / "termination"), **(env or {})}
        (folder / "termination").touch()
        stdout: Any = self.log.open("wb") if self.log else subprocess.PIPE
        self.process = subprocess.Popen(
            command,
            stdout=stdout,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
            bufsize=0,  # communicate() would not see what a buffer has taken
        )
        if self.log:
            stdout.close()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self) -> Log:
        try:
            out, err = self.process.communicate(timeout=60)
        finally:
            self.process.kill()
        assert err == b""
        return Log(self.log.read_bytes() if self.log else out, self.process.returncode)

    def until(self, what: bytes) -> bytes:
        """Read (a pipe only) until a line contains `what`; the raw bytes so far."""
        assert self.process.stdout
        seen = b""
        for line in self.process.stdout:
            seen += line
            if what in line:
                return seen
        raise AssertionError(f"{what!r} never came: {seen!r}")


def run(folder: Path, *args: Any, **kwargs: Any) -> Log:
    return Runner(folder, *args, **kwargs).wait()
