"""The `batch/v1` Job that a cell becomes."""

from __future__ import annotations

from typing import Any

from kube_magics.manifests import bundle, pod, scheduling, volumes
from kube_magics.runner.protocol import FINAL_CODES
from kube_magics.spec import names
from kube_magics.spec.job import Submission
from kube_magics.telemetry.made import seeds_text

TTL_S = 7 * 24 * 3600
"""A finished Job stays this long: long enough for the record of last week, short enough for the cluster's database."""


def labels(submission: Submission) -> dict[str, str]:
    """On the Job, its pod and its ConfigMaps."""
    return {
        **dict(submission.spec.labels),
        "app.kubernetes.io/managed-by": "kube-magics",
        names.LABEL_JOB: submission.name,
        names.LABEL_NOTEBOOK: names.label_value(submission.notebook or submission.folder),
    }


def job(
    submission: Submission, *, image: str, boot: str, fixed_user: bool, kernel: str | None = None
) -> dict[str, Any]:
    """The Job, in the namespace of the request; `kernel`: value of its label, the others as in `pod.Placement`."""
    spec = submission.spec
    placement = pod.Placement(
        image=image,
        boot=boot,
        bundle_env=_bundle_env(submission),
        bundle_maps=map_names(submission),
        shm=_shm(submission),
        fixed_user=fixed_user,
        arguments=submission.arguments,
    )
    marks = labels(submission) | ({names.LABEL_KERNEL: kernel} if kernel else {})
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": submission.name,
            "labels": {**marks, **scheduling.queue(spec)},
            "annotations": _annotations(submission),
        },
        "spec": {
            "backoffLimit": spec.retries,
            **(_retrying(submission) if spec.retries else {}),
            "ttlSecondsAfterFinished": TTL_S if spec.ttl is None else spec.ttl,
            "template": pod.template(spec, placement, marks, {**dict(spec.annotations), **_notebook(submission)}),
        },
    }


def _retrying(submission: Submission) -> dict[str, Any]:
    """Which ends another attempt follows: all but those that would come again. An image that runs as it is has none of
    our exit codes."""
    final = {"containerName": names.CONTAINER, "operator": "In", "values": list(FINAL_CODES)}
    rules = [{"action": "FailJob", "onExitCodes": final}]
    return {
        **({"podFailurePolicy": {"rules": rules}} if submission.arguments is None else {}),
        # Two attempts at once would write to the same volume.
        "podReplacementPolicy": "Failed",
    }


def map_names(submission: Submission) -> tuple[str, ...]:
    """The ConfigMaps that carry the bundle; empty when it stands in the Job itself, and where there is none."""
    if bundle.literal(submission.bundle) is not None:
        return ()
    pieces = range(len(bundle.slices(submission.bundle)))
    return tuple(bundle.map_name(submission.name, submission.submission_id, i) for i in pieces)


def config_maps(created: dict[str, Any], submission: Submission) -> list[dict[str, Any]]:
    """The ConfigMaps to create right after the Job, owned by it."""
    named = zip(map_names(submission), bundle.slices(submission.bundle), strict=False)
    return [bundle.config_map(created, name, piece, labels(submission)) for name, piece in named]


def _bundle_env(submission: Submission) -> tuple[tuple[str, str], ...]:
    if submission.arguments is not None:
        return ()
    text = bundle.literal(submission.bundle)
    digest = ("KUBE_MAGICS_BUNDLE_SHA256", submission.bundle_sha256)
    if text is not None:
        return (("KUBE_MAGICS_BUNDLE", text), digest)
    parts = len(bundle.slices(submission.bundle))
    return (("KUBE_MAGICS_BUNDLE_DIR", volumes.BUNDLE_MOUNT), ("KUBE_MAGICS_BUNDLE_PARTS", str(parts)), digest)


def _notebook(submission: Submission) -> dict[str, str]:
    return {names.ANNOTATION_NOTEBOOK: submission.notebook} if submission.notebook else {}


def _annotations(submission: Submission) -> dict[str, str]:
    bundled = {
        names.ANNOTATION_CELL: submission.cell_digest,
        # Says that the log is our runner's, too.
        names.ANNOTATION_BUNDLE: submission.bundle_sha256,
    }
    return {
        **dict(submission.spec.annotations),
        **_notebook(submission),
        **({names.ANNOTATION_LABEL: submission.label} if submission.label else {}),
        names.ANNOTATION_SUBMISSION: submission.submission_id,
        **(bundled if submission.arguments is None else {}),
        **({names.ANNOTATION_RETURNS: ",".join(submission.spec.returns)} if submission.spec.returns else {}),
        **({names.ANNOTATION_ARTIFACTS: submission.artifacts} if submission.artifacts else {}),
        **({names.ANNOTATION_SEEDS: seeds_text(submission.seeds)} if submission.seeds else {}),
        names.ANNOTATION_VERSION: submission.version,
    }


def _shm(submission: Submission) -> str | None:
    # The container runtime's own 64 MB kill PyTorch's DataLoader workers with a bus error.
    if submission.spec.shm is not None:
        return submission.spec.shm
    return "" if submission.spec.gpus or "torch" in submission.imports else None
