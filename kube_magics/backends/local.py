"""Jobs as processes of this machine: the same bundle, runner, protocol, errors and results, with no cluster.

A job is a folder below the state folder (facts, unpacked bundle, log, results) and one runner process in a session of
its own, so it outlives the kernel and is found again by any other. POSIX only: sessions and process groups.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import sys
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from kube_magics import errors
from kube_magics.backends import elsewhere, jobfolder, localkept, localrunner, localwatch, machine
from kube_magics.backends.contract import (
    Findings,
    GpuNode,
    GpuReport,
    NodeReport,
    Objects,
    Outage,
    Piece,
    Source,
    Sources,
)
from kube_magics.backends.jobfolder import DELETED, END, FACTS, FETCHED, LOG, RESULTS, TOLD
from kube_magics.cells.files.cargo import WORK
from kube_magics.manifests.pod import GRACE_S, grace
from kube_magics.runner.unpack import unpack
from kube_magics.runner.workfiles import FILE
from kube_magics.spec.job import JobSpec, Submission
from kube_magics.spec.names import CONTAINER
from kube_magics.telemetry.happenings import when
from kube_magics.telemetry.made import seeds, seeds_text
from kube_magics.telemetry.snapshot import GONE, INCOMPLETE, Snapshot, incomplete

DEVICES = ".devices"
"""The lock of whoever gives devices to a job."""
POLL_S = 0.02
LONGEST_POLL_S = 0.2
STOP_MARGIN_S = 5.0
"""After the runner's own grace: then it is killed, with all below it."""


class LocalBackend:
    """Jobs of this user on this machine."""

    kind = "local"
    namespace = "local"
    place: str | None = None
    bundle_limit_bytes: int | None = None

    def __init__(self, why: str, folder: Path | None = None, stop_margin_s: float = STOP_MARGIN_S) -> None:
        self._why = why
        self._stop_margin_s = stop_margin_s
        self._folder = folder or jobfolder.jobs_folder()
        self._swept: set[int] = set()

    @property
    def address(self) -> str:
        return f"local {self._folder}"

    def where(self) -> str:
        return f"local (processes on this machine; {self._why})"

    async def connect(self) -> None:
        """Nothing to connect to."""

    def warnings(self) -> list[str]:
        return []

    def runner_options(self, submission_name: str) -> Mapping[str, Any]:
        results = str(self._folder / submission_name / RESULTS)
        return {"result_limit_bytes": None, "results_dir": results, "cwd": str(Path.cwd()), "guarded": True}

    def manifests(self, submission: Submission) -> list[dict[str, Any]]:
        raise errors.OptionError(
            "--dry-run shows Kubernetes manifests, and this job would run on this machine.",
            hint="--backend kubernetes --dry-run",
        )

    def check(self, spec: JobSpec) -> None:
        elsewhere.check(spec)

    def remarks(self, spec: JobSpec) -> list[str]:
        return elsewhere.remarks(spec)

    async def preflight(self, spec: JobSpec) -> None:
        """All is known without asking."""

    async def create(self, manifest: Mapping[str, Any]) -> str:
        raise errors.OptionError(
            f"A {manifest['kind']} is an object of a cluster, and jobs run on this machine.",
            hint="%kube config context=NAME   (a cluster of your kubeconfig)",
        )

    async def resubmit(self, objects: Sequence[Mapping[str, Any]]) -> str | None:
        return await self.create(objects[0])

    async def submit(self, submission: Submission) -> str | None:
        self.check(submission.spec)
        try:
            await asyncio.to_thread(self._submit, submission)
        except OSError as error:
            raise errors.SubmitError(
                f"Jobs of this machine are kept in {self._folder}, where this one cannot be: {error.strerror}.",
                hint='import os; os.environ["KUBE_MAGICS_STATE"] = "/a/folder"   (with room, and yours to write to)',
            ) from error
        return None

    def _submit(self, submission: Submission) -> None:
        home = self._folder / submission.name
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            home.mkdir(mode=0o700)
        except FileExistsError:
            if jobfolder.facts(home).get("submission_id") == submission.submission_id:
                return
            raise errors.Conflict(
                f"There is a job {submission.name} already on this machine.",
                hint=f"%kube delete {submission.name}   (or another --name)",
            ) from None
        facts = {
            "submission_id": submission.submission_id,
            "created_at": time.time(),
            "notebook": submission.notebook,
            "label": submission.label,
            "cell": submission.cell_digest,
            "returns": list(submission.spec.returns),
            "gpus": submission.spec.gpus,
            "grace_s": grace(submission.spec),
            "artifacts": submission.artifacts,
            "version": submission.version,
            "seeds": seeds_text([*seeds(submission.spec.env), *submission.seeds]),
            localkept.SUBMITTED: localkept.noted(submission),
        }
        try:
            jobfolder.write_atomically(home / FACTS, json.dumps(facts))
            self._start(home, submission, facts)
        except BaseException:
            shutil.rmtree(home, ignore_errors=True)
            raise

    def _start(self, home: Path, submission: Submission, facts: dict[str, Any]) -> None:
        spec = submission.spec
        (home / localkept.BUNDLE).write_bytes(submission.bundle)
        unpack(submission.bundle, str(home / "bundle"))
        if submission.data is not None:
            with localkept.values(home).open("wb") as file:
                file.writelines(submission.data.chunks())
        (home / RESULTS).mkdir()
        # The runner writes its last word into a file that is there, as in a pod; it makes none on a stranger's machine.
        (home / END).touch()
        environment = {**elsewhere.environment(spec), "KUBE_MAGICS_TERMINATION_LOG": str(home / END)}
        # Two submissions at once must not be given the same device: the lock is held until the facts are written.
        with localrunner.locked(self._folder / DEVICES):
            chosen = machine.free(spec.gpus, cpu_ok=spec.cpu_ok, taken=self._devices_in_use())
            if spec.gpus or "CUDA_VISIBLE_DEVICES" not in dict(spec.env):
                # Also of a job that asks for none: on a cluster it would see none.
                environment["CUDA_VISIBLE_DEVICES"] = ",".join(chosen)
            if spec.gpus:
                # Before the process: should this one be killed now, what that one holds is known all the same.
                facts["devices"] = chosen
                jobfolder.write_atomically(home / FACTS, json.dumps(facts))
            child = localrunner.start(home, spec.python or sys.executable, environment)
            facts |= {"pid": child.pid, "pid_started": machine.process_started(child.pid)}
            try:
                jobfolder.write_atomically(home / FACTS, json.dumps(facts))
            except BaseException:
                machine.kill_tree(child.pid, facts["pid_started"])
                child.wait()
                raise
        # Also one that nobody looks at any more must not stay a zombie.
        threading.Thread(target=child.wait, name=f"kube_magics {submission.name}", daemon=True).start()

    def _devices_in_use(self) -> set[str]:
        used: set[str] = set()
        for home in self._homes():
            facts = jobfolder.facts(home)
            # Once its runner has said its last word nothing of the job runs: the next cell does not wait for its exit.
            over = jobfolder.read_json(home / END) is not None
            if facts.get("devices") and not over and _alive(self._with_process(home)):
                used |= set(facts["devices"])
        return used

    def _homes(self) -> list[Path]:
        every = self._folder.iterdir() if self._folder.is_dir() else ()
        return [path for path in every if not path.name.startswith(".") and (path / FACTS).is_file()]

    async def poll(self, name: str) -> Snapshot:
        home = self._folder / name
        if not (home / FACTS).is_file():
            raise errors.NotFound(f"There is no job {name} on this machine.", hint="%kube jobs")
        return self._snapshot(home)

    def _snapshot(self, home: Path) -> Snapshot:
        facts = self._with_process(home)
        state = jobfolder.snapshot(home, facts, self.namespace, alive=_alive(facts))
        if "pid" not in facts:
            return incomplete(state)
        if state.terminated and state.end is None and facts["pid"] not in self._swept:
            # Without its runner the user's own process would go on unseen.
            self._swept.add(facts["pid"])
            machine.kill_session(facts["pid"])
        return state

    def _with_process(self, home: Path) -> dict[str, Any]:
        """The facts; whoever started the runner may have been killed before it could note which process that is."""
        facts = jobfolder.facts(home)
        if not facts or "pid" in facts or (pid := machine.running(str(home / "bundle"))) is None:
            return facts
        found = {"pid": pid, "pid_started": machine.process_started(pid)}
        with localrunner.locked(self._folder / DEVICES, wait=False) as locked:
            # Whoever starts it holds the lock, and notes the same and more.
            if locked and (facts := jobfolder.facts(home)) and "pid" not in facts:
                jobfolder.write_atomically(home / FACTS, json.dumps({**facts, **found}))
        return {**found, **facts} if facts else facts

    async def follow(self, name: str) -> AsyncIterator[Snapshot | Piece]:
        first = await self.poll(name)
        if first.phase == INCOMPLETE:
            # Whoever submits it has not come to its log yet, or never will.
            yield first
            return
        home = self._folder / name
        seen: Snapshot | None = None
        pause_s = POLL_S
        with (home / LOG).open("rb") as log:
            while True:
                # Looked at before reading: what was written by then is read below.
                state = self._snapshot(home) if home.is_dir() else Snapshot(name, self.namespace, GONE, terminated=True)
                block = jobfolder.whole_lines(log, last=state.terminated)
                if state != seen:
                    seen = state
                    yield state
                if block:
                    pause_s = POLL_S
                    yield block
                    # A flood never ends, and everything else runs on this loop: also the stop.
                    await asyncio.sleep(0)
                if state.terminated and not block:
                    return
                if not block:
                    await asyncio.sleep(pause_s)
                    pause_s = min(pause_s * 1.2, LONGEST_POLL_S)

    async def stored(self, name: str, result: str) -> Path | None:
        home = self._folder / name
        file = result.removeprefix(FILE)
        path = home / "bundle" / WORK / file if file != result else home / RESULTS / f"{result}.pkl"
        return path if path.is_file() else None

    async def bundled(self, name: str) -> Mapping[str, bytes]:
        folder = self._folder / name / "bundle"
        try:
            return {file: (folder / file).read_bytes() for file in ("spec.json", "program.json")}
        except OSError as error:
            raise errors.NotFound(f"What job {name} was told is no longer there: {error.strerror}.") from error

    async def fetched(self, name: str, uid: str | None) -> None:
        with suppress(OSError):  # deleted meanwhile
            (self._folder / name / FETCHED).touch()

    async def sources(self, name: str, *, previous: bool = False) -> Sources:
        await self.poll(name)
        return Sources(() if previous else (Source("", CONTAINER),))

    async def read(self, name: str, source: Source, *, follow: bool = False) -> AsyncIterator[Piece]:
        async for piece in self.follow(name) if follow else self.log(name):
            if not isinstance(piece, Snapshot):
                yield piece

    async def objects(self, name: str) -> Objects:
        await self.poll(name)
        return Objects(facts=jobfolder.described(self._folder / name))

    async def recipe(self, name: str) -> list[dict[str, Any]]:
        await self.poll(name)
        raise errors.OptionError(
            f"{name} is a process of this machine: there is no YAML of it.",
            hint="--backend kubernetes --dry-run, behind %%kubetrain   (what it would be on a cluster)",
        )

    async def kept(self, name: str) -> Submission | None:
        await self.poll(name)
        return await asyncio.to_thread(localkept.read, self._folder / name)

    async def events(self, name: str | None) -> tuple[list[Mapping[str, Any]], tuple[str, ...]]:
        states = await self.jobs() if name is None else [await self.poll(name)]
        return sorted((event for each in states for event in jobfolder.events(each)), key=when), ()

    async def findings(self, name: str) -> Findings:
        state = await self.poll(name)
        return Findings(state, tuple(jobfolder.events(state)))

    async def log(self, name: str) -> AsyncIterator[Piece]:
        if (await self.poll(name)).phase == INCOMPLETE:
            return  # without a log
        with (self._folder / name / LOG).open("rb") as log:
            while block := jobfolder.whole_lines(log, last=True):
                yield block
                await asyncio.sleep(0)

    async def stop(self, name: str) -> str:
        state = await self.poll(name)
        if state.over or state.phase == INCOMPLETE:
            return f"{name} is over already ({state.phase})."
        facts = self._with_process(self._folder / name)
        pid, grace_s = int(facts["pid"]), facts.get("grace_s") or GRACE_S
        (self._folder / name / TOLD).touch()
        # The runner passes INT on (TERM to who has a handler for it), TERM after a third of the grace, KILL at its end.
        localrunner.send(pid, signal.SIGINT)
        late_s = grace_s + self._stop_margin_s
        asyncio.get_running_loop().call_later(late_s, machine.kill_tree, pid, facts.get("pid_started"))
        return f"{name} is being stopped: it was told to end (INT or TERM, KILL after {grace_s} s); its log stays."

    async def delete(self, name: str) -> None:
        state = await self.poll(name)
        home = self._folder / name
        if not state.over and state.phase != INCOMPLETE:
            (home / DELETED).touch()  # so that whoever follows it knows that it was more than stopped
            await self.stop(name)
            async for _ in self.follow(name):
                pass
        # At once for all eyes: a notebook that notes something in it meanwhile would keep it from being removed.
        gone = home.rename(self._folder / f".{name}.{time.time_ns()}")
        await asyncio.to_thread(shutil.rmtree, gone)

    async def jobs(self, selector: str | None = None) -> list[Snapshot]:
        if selector:
            raise errors.OptionError(
                f"--selector {selector}: jobs on this machine have no labels.", hint="%kube jobs --filter name=PATTERN"
            )
        found = [self._snapshot(home) for home in self._homes()]
        return sorted(found, key=lambda s: s.created_at or 0, reverse=True)

    def watch(self) -> AsyncGenerator[Mapping[str, Snapshot | None] | Outage | str, None]:
        return localwatch.changes(self._homes, self._snapshot)

    async def names(self, kind: str) -> list[str]:
        return sorted(home.name for home in self._homes()) if kind == "jobs" else []

    async def gpus(self) -> GpuReport:
        found = await asyncio.to_thread(machine.visible)
        if not found:
            return GpuReport(hidden=("No NVIDIA GPU is found on this machine (NVML).",))
        used = len(self._devices_in_use() | machine.busy())
        return GpuReport((GpuNode("this machine", found[0].name, len(found), used),))

    async def nodes(self) -> NodeReport:
        return NodeReport((await asyncio.to_thread(machine.node, self._users(), self._devices_in_use()),))

    def _users(self) -> dict[str, int]:
        """GPUs by job, of those that run."""
        running = ((home, self._with_process(home)) for home in self._homes())
        return {
            home.name: len(facts.get("devices") or ())
            for home, facts in running
            if facts.get("devices") and _alive(facts)
        }

    async def close(self) -> None:
        """Nothing is held: the jobs go on."""


def _alive(facts: Mapping[str, Any]) -> bool:
    started = machine.process_started(facts.get("pid", -1))
    return started is not None and started == facts.get("pid_started")
