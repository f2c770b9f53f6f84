"""Who looks into a job that nobody follows here: what is heard of it, from the log that is there and from what comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

from kube_magics import errors
from kube_magics.cluster.pieces import Attempt, Gap, Piece
from kube_magics.jobs.cards import listened
from kube_magics.jobs.listening import Listener
from kube_magics.runner import protocol
from kube_magics.telemetry.board import doing
from kube_magics.telemetry.snapshot import Snapshot

STATE = Snapshot("job", "team", "running", ours=True, started=True, scheduled=True, uid="u", pod_uid="p")
GPU = {"e": "sample", "t": 1000.0, "dt": 1.0, "cpu": [1.0, 1.0], "mem": [1, 1], "gpu": [[[20, 1, 4], [60, 1, 4]]]}
PULLED = {
    "involvedObject": {"kind": "Pod", "uid": "p"},
    "reason": "Pulled",
    "message": 'Successfully pulled image "i" in 2s (2s including waiting). Image size: 41000000 bytes.',
}


class Recorded:
    """A backend that has one job, of which is told what is given; then its log cannot be read any more, if `fails`."""

    address = "https://lab team"

    def __init__(self, *pieces: Snapshot | Piece, fails: bool = False) -> None:
        self._pieces = pieces
        self._fails = fails

    async def events(self, name: str) -> tuple[list[Mapping[str, Any]], tuple[str, ...]]:
        return [PULLED], ()

    async def log(self, name: str) -> AsyncIterator[Snapshot | Piece]:
        for piece in self._pieces:
            yield piece
        if self._fails:
            raise errors.Forbidden("You may not read logs.")

    follow = log


def heard(*pieces: Snapshot | Piece, state: Snapshot = STATE, fails: bool = False) -> tuple[Any, Listener]:
    backend: Any = Recorded(*pieces, fails=fails)
    listener = Listener(backend, state)
    asyncio.run(listener.follow())
    return backend, listener


def said(*found: dict[str, Any]) -> bytes:
    return b"".join(map(protocol.encode_event, found))


def test_progress_and_gpus_of_a_log_stand_in_its_row() -> None:
    step = {"e": "progress", "step": 3, "total": 4, "text": "training"}
    backend, listener = heard(b"epoch\n" + said({"e": "start", "v": 1, "devices": [{"index": 0}]}, GPU, step))
    found = doing(listened(backend, listener))
    assert found.progress.startswith("75 % (3 of 4)")
    assert (found.gpu_percent, found.gpu_curve) == (40.0, "▄")
    pull = listener.state.pull
    assert pull is not None, "what only events tell"
    assert pull.size_bytes == 41_000_000


def test_a_bar_of_any_program_also_in_pieces_and_on_stderr() -> None:
    bar = b"\r 50%|#####     | 2/4 [00:01<00:01, 2.00it/s]"
    for piece in (
        b"".join(protocol.partial_events(protocol.STDERR, bar)),
        protocol.encode_line(protocol.STDERR, bar),
    ):
        _, listener = heard(piece)
        progress = listener.progress()
        assert progress is not None
        assert progress.fraction == 0.5
    _, theirs = heard(
        said({"e": "progress", "step": 1, "total": 2}) + bar[1:] + b"\n", state=replace(STATE, ours=False)
    )
    progress = theirs.progress()
    assert progress is not None
    assert (progress.fraction, theirs.heard.marks) == (0.5, ()), "its lines are its own, whatever they look like"


def test_nothing_of_an_older_attempt_is_this_ones() -> None:
    step = said({"e": "stage", "name": "running", "t": 1.0}, {"e": "progress", "step": 3, "total": 4})
    _, listener = heard(step, Attempt(2, 3), Gap("rotated"), b"again\n")
    assert listener.progress() is None
    assert listener.heard.marks == ()


def test_its_state_is_what_it_hears_and_at_the_end_of_that_what_it_is_told() -> None:
    over = replace(STATE, phase="succeeded")
    _, listener = heard(replace(STATE, node="n2"), said({"e": "progress", "step": 4, "total": 4}), over)
    assert listener.state.phase == "succeeded"
    progress = listener.progress()
    assert progress is not None
    assert progress.eta_s is None
    _, deaf = heard(b"one\n", fails=True)
    deaf.see(replace(STATE, phase="failed"))
    assert deaf.state.phase == "failed", "who may not read its log still sees how it is"
    backend: Any = Recorded()
    fresh = Listener(backend, STATE)
    fresh.see(over)
    assert fresh.state.phase == "running", "its own watch knows more"
