"""From a capture to a submitted, followed job."""

from __future__ import annotations

import asyncio
import re
import sys
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kube_magics import errors
from kube_magics.backends.contract import Backend
from kube_magics.cells.bundle import STORED_ABOVE_BYTES, Bundle, build
from kube_magics.cells.capture import Capture
from kube_magics.cells.files.chosen import gather
from kube_magics.cells.values.data import Data
from kube_magics.cells.weight import too_large
from kube_magics.jobs import defaults, followed, here, known, loop, orphans, packages, records
from kube_magics.jobs.attempt import Attempt
from kube_magics.jobs.choose import backend_for, confirm_context
from kube_magics.jobs.follow import Follower
from kube_magics.jobs.homecoming import Home
from kube_magics.jobs.interrupt import chosen
from kube_magics.jobs.job import Job
from kube_magics.jobs.logfile import FOLDER, LogFile, free
from kube_magics.jobs.origin import Origin
from kube_magics.jobs.records import Record
from kube_magics.jobs.screen import Screen
from kube_magics.jobs.show import warn
from kube_magics.jobs.store import AFTER, BEFORE, Store
from kube_magics.manifests.bundle import TOTAL_LIMIT_BYTES
from kube_magics.manifests.pod import grace
from kube_magics.manifests.volumes import CACHE_MOUNT
from kube_magics.runner.protocol import RESULT_LIMIT_BYTES
from kube_magics.spec import names
from kube_magics.spec.credentials import check_environment
from kube_magics.spec.job import JobSpec, Parcel, Submission
from kube_magics.spec.quantities import human_bytes
from kube_magics.version import VERSION

KNOWN_IN_S = 2.0


@dataclass(frozen=True)
class Prepared:
    """Everything that a submit needs; nothing has been created yet."""

    backend: Backend
    submission: Submission
    store: Store | None = None
    """Of --artifacts."""
    parcel: Parcel | None = None
    """What goes through the store."""

    def remarks(self) -> list[str]:
        """What the user should know before it takes its time."""
        return [f"data: {human_bytes(self.parcel.size_bytes)} through {self.store}"] if self.parcel else []

    def manifests(self) -> list[dict[str, Any]]:
        """Exactly what a submit would create; where the cluster does not say in a moment what it is like, for a usual
        one."""
        with suppress(errors.KubeMagicsError, TimeoutError):
            loop.wait(asyncio.wait_for(self.backend.connect(), KNOWN_IN_S))
        return self.backend.manifests(self.submission)

    def unsent(self) -> list[str]:
        """What a job made from the manifests alone would lack."""
        if self.parcel is None:
            return []
        size = human_bytes(self.parcel.size_bytes)
        return [
            f"This Job reads {size} of captured values at {self.store}, where --dry-run has put nothing:",
            "created from this text it ends with an error; the same line without --dry-run uploads them first.",
        ]


def place(spec: JobSpec) -> Backend:
    """The backend that `spec` will run on. Raises OptionError for a credential in --env, and for what a job cannot have
    there, or may not."""
    check_environment(spec.env, spec.capture)
    chosen()
    backend = backend_for(spec)
    if backend.kind == "kubernetes":
        defaults.allow(spec)
    backend.check(spec)
    if not spec.dry_run:
        confirm_context(backend, spec)
        loop.wait(backend.preflight(spec))
    return backend


def with_files(spec: JobSpec, capture: Capture) -> Capture:
    """`capture` with the files that `--files` names, read now, from this process's folder: the notebook's."""
    return capture.with_files(gather(spec.files, Path.cwd()))


def left_here(spec: JobSpec, kind: str, captured: Capture) -> list[str]:
    """What a process elsewhere does not inherit, though the job reads it; `kind` of backend."""
    given = {name for name, _ in spec.env} | {secret.variable or "" for secret in spec.secret}
    found = {name: cell for name, cell in captured.variables.items() if name not in given}
    if kind == "local" or not found:
        return []
    listed = ", ".join(f"{name} ({cell})" for name, cell in found.items())
    asked = " ".join(f"--env {name}=…" for name in found)
    return [f"environment variables set here, not in the job: {listed}; to set them there: {asked}"]


def prepare(spec: JobSpec, backend: Backend, capture: Capture, *, stem: str, notebook: str | None) -> Prepared:
    """Pack `capture` for `backend`; `stem` is what a generated name starts with."""
    name = spec.name or names.fresh_name(stem)
    options = {
        "argv": ["main.py"],
        "python": None,
        "imports": dict(capture.imports),
        "notebook_python": ".".join(map(str, sys.version_info[:3])),
        "returns": list(spec.returns),
        "returns_files": list(spec.returns_files),
        "timeout_s": spec.timeout,
        "grace_s": grace(spec),
        "gpus": spec.gpus,
        **backend.runner_options(name),
    }
    if spec.log_to:
        options["log_to"] = spec.log_to + (f"{name}.log" if spec.log_to.endswith("/") else "")
    if spec.workdir:
        options |= {"workdir": spec.workdir, "placed": bool(spec.files)}
    elif spec.files:
        # A folder of its own, with these files and no others, on this machine too: what works there works anywhere.
        options["cwd"] = None
    submission_id = str(uuid.uuid4())
    store = Store.of(spec.artifacts, name, submission_id) if spec.artifacts else None
    if store is not None:
        # With a store this machine has the cluster's limits too: what works here works there.
        options |= {"result_limit_bytes": RESULT_LIMIT_BYTES, "after": [AFTER]}
        options["before"] = [*options.get("before", ()), BEFORE]
    cache = CACHE_MOUNT if backend.kind == "kubernetes" else None
    install = packages.plan(spec, capture, cache=cache, more=store.requirements if store else ())
    if install is not None:
        options["install"] = install
        options["before"] = [*packages.steps(install), *options.get("before", ())]
    packed, beside = _pack(capture, options, backend, store, keeps=spec.retries > 0)
    submission = Submission(
        spec=spec,
        name=name,
        submission_id=submission_id,
        bundle=packed.data,
        bundle_sha256=packed.sha256,
        data=None if store else beside,
        artifacts=str(store) if store else None,
        cell_digest=capture.cell_digest,
        imports=tuple(capture.imports),
        seeds=tuple(capture.seeds.items()),
        notebook=notebook,
        label=here.notebook().label,
        folder=str(Path.cwd()),
        version=VERSION,
    )
    return Prepared(backend, submission, store, beside if store else None)


def prepare_image(
    spec: JobSpec, backend: Backend, image: str, arguments: Sequence[str], *, notebook: str | None
) -> Prepared:
    """An image that runs as it is, with its own entry point and without the runner."""
    submission = Submission(
        spec=replace(spec, image=image),
        name=spec.name or names.fresh_name(re.split("[:@]", image.rpartition("/")[2])[0]),
        submission_id=str(uuid.uuid4()),
        bundle=b"",
        bundle_sha256="",
        cell_digest="",
        notebook=notebook,
        label=here.notebook().label,
        folder=str(Path.cwd()),
        version=VERSION,
        arguments=tuple(arguments),
    )
    return Prepared(backend, submission)


def _pack(
    capture: Capture, options: dict[str, Any], backend: Backend, store: Store | None, *, keeps: bool
) -> tuple[Bundle, Data | None]:
    """The bundle, and the data if they have to go beside it."""
    data = capture.data
    # Files have the cluster's limit everywhere, for the same reason; values on this machine have none.
    limited = backend.bundle_limit_bytes is not None or store is not None
    limit_bytes = backend.bundle_limit_bytes or TOTAL_LIMIT_BYTES
    with_data = data.size_bytes <= STORED_ABOVE_BYTES
    if with_data:
        packed = build(capture, {**options, **_told(options, store, None, keeps=keeps)})
        with_data = store is None or packed.size_bytes <= limit_bytes
    if not with_data:
        packed = build(capture, {**options, **_told(options, store, data, keeps=keeps)}, with_data=False)
    size_bytes = packed.size_bytes if limited else packed.files_bytes
    if limited and not with_data and store is None:
        size_bytes += data.size_bytes
    if size_bytes > limit_bytes:
        raise too_large(capture, size_bytes, limit_bytes)
    return packed, None if with_data else data


def _told(options: dict[str, Any], store: Store | None, data: Data | None, *, keeps: bool) -> dict[str, Any]:
    writes = bool(options["returns"] or options["returns_files"])
    return {"artifacts": store.fields(data, writes=writes, keeps=keeps)} if store else {}


def submit(prepared: Prepared, origin: Origin | None, begun: Record | None = None) -> Job:
    """Create the job and follow it on the background loop; without an origin nothing comes back but its output.

    `begun` is what a later run of the same cell knows it by; without one it is a new job each time.
    """
    submission, backend = prepared.submission, prepared.backend
    record = begun or records.begin(submission, backend)
    path = free(FOLDER / f"{submission.name}.log")
    try:
        log = LogFile(path)
    except OSError as error:
        records.drop(record)
        raise errors.SubmitError(
            f"The log cannot be written to {path}: {error.strerror}.", hint="change into a folder that you may write to"
        ) from error
    screen = Screen(str(path), limited=here.limited())
    follower = Follower(backend, submission.name, log, screen, ours=submission.arguments is None)
    if origin is not None:
        home = Home(Path.cwd(), submission.spec.returns_files)
        origin = replace(origin, store=prepared.store, home=home, submission_id=submission.submission_id)
    attempt = Attempt(
        backend, submission.name, submission.submission_id, prepared.store, record, again="run the cell again"
    )
    try:
        with attempt.whole():
            _make(attempt, prepared)
            followed.begin(backend, follower)
            orphans.clear_once(backend)
            known.note("jobs", [submission.name], all_of_them=False)
            return Job(backend, submission.name, follower, origin, screen=screen)
    except BaseException:
        _remove(log)
        raise


def _make(attempt: Attempt, prepared: Prepared) -> None:
    """With a word where that takes long."""
    name = prepared.submission.name
    late = f"the cluster has not taken job {name} yet; it goes on being asked, an interrupt takes it back"
    try:
        attempt.make(
            lambda: prepared.store.send(prepared.parcel) if prepared.store else None,
            lambda: prepared.backend.submit(prepared.submission),
            lambda: warn([late]),
        )
    finally:
        warn(prepared.backend.warnings())


def _remove(log: LogFile) -> None:
    log.close()
    log.path.unlink(missing_ok=True)


def tidy(job: Job) -> None:
    """A job that never ran leaves nothing behind: no Job, no empty log file."""
    if job.never_ran:
        try:
            job.delete()
        except errors.ClusterError:
            # Why it never ran is the better error, and it comes next.
            return
        if job.log_path is not None:
            job.log_path.unlink(missing_ok=True)
