"""Snapshots and GPUs as text tables. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from kube_magics.backends.contract import GpuReport
from kube_magics.spec.quantities import human_seconds
from kube_magics.telemetry.snapshot import INCOMPLETE, PENDING, Snapshot

UNKNOWN = "?"


def jobs(
    snapshots: Sequence[Snapshot], kernels: Sequence[str | None], now: float, where: str, *, folder: str = ""
) -> str:
    """A line a job; a job that does not run says why below. `kernels`: what is known of each one's; notebooks in
    `folder` are named short."""
    if not snapshots:
        return f"no jobs on {where}"
    rows: list[tuple[str, ...]] = [("NAME", "STATUS", "GPUS", "AGE", "TOOK", "NODE", "NOTEBOOK", "CELL", "KERNEL")]
    rows += [_row(each, kernel, now, folder) for each, kernel in zip(snapshots, kernels, strict=True)]
    lines = aligned(rows)
    for at, each in reversed(list(enumerate(snapshots, 1))):
        if each.cause is not None and each.phase in (PENDING, INCOMPLETE, "failed"):
            lines.insert(at + 1, f"    {each.cause.sentence}" + (f" {each.cause.said}" if each.cause.said else ""))
    return "\n".join(lines)


def _row(each: Snapshot, kernel: str | None, now: float, folder: str) -> tuple[str, ...]:
    unknown = UNKNOWN if each.ours else "-"
    return (
        each.name,
        each.phase,
        UNKNOWN if each.gpus is None else str(each.gpus),
        UNKNOWN if each.created_at is None else human_seconds(max(0.0, now - each.created_at)),
        _took(each, now),
        each.node or "-",
        (each.notebook or unknown).removeprefix(f"{folder}/"),
        each.label or unknown,
        kernel or unknown,
    )


def _took(each: Snapshot, now: float) -> str:
    if each.started_at is None:
        return "-"
    return human_seconds(max(0.0, (each.finished_at or now) - each.started_at))


def gpus(report: GpuReport) -> str:
    """A line a node, and what the user's rights hide."""
    rows = [("NODE", "PRODUCT", "TOTAL", "IN USE", "FREE")]
    for node in report.nodes:
        free = UNKNOWN if node.used is None or not node.total else str(max(0, node.total - node.used))
        rows.append(
            (
                node.name if node.ready else f"{node.name} (takes no new jobs)",
                node.product or UNKNOWN,
                str(node.total) if node.total else UNKNOWN,
                UNKNOWN if node.used is None else str(node.used),
                free,
            )
        )
    lines = aligned(rows) if report.nodes else [] if report.hidden else ["no GPUs on any node"]
    return "\n".join([*lines, *report.hidden])


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """A line a row, each column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
