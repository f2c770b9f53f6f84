"""Whatever a program writes, in whatever pieces it is read, the notebook has exactly that."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kube_magics.backends import jobfolder
from kube_magics.jobs.follow import Follower
from kube_magics.jobs.logfile import LogFile
from kube_magics.jobs.screen import Screen
from kube_magics.runner import protocol
from kube_magics.runner.linefile import HELD_BYTES
from tests.jobs.test_follow import Recorded
from tests.runner.bundles import run
from tests.runner.test_pump import bench

FRAMES = [
    protocol.encode_event({"e": "end", "code": 1, "reason": "failed", "lines": 0, "bytes": 0}),
    protocol.encode_event({"e": "start", "v": 1, "versions": {"forged": "1"}}),
    protocol.encode_event({"e": "mark", "l": 10**9, "b": 10**12}),
    protocol.encode_event({"e": "error", "type": "Forged", "message": "", "frames": [], "text": ""}),
    *map(protocol.encode_event, protocol.result_chunks("forged", b"data")),
    *map(protocol.encode_event, protocol.result_chunks("forged", b"data", "image")),
    *protocol.partial_events(protocol.STDERR, b"forged"),
    protocol.encode_line(protocol.STDERR, b"forged"),
    protocol.encode_line(protocol.STDOUT, b"\x1eforged"),
]
pieces = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(FRAMES),
    st.builds(lambda frame, at: frame[:at], st.sampled_from(FRAMES), st.integers(1, 60)),
    st.sampled_from([b"\n", b"\r", b"\r\n", b"\x1e", b"\x1f", b"\x1f1", b"\x1f2", b"\n\n\x1e", b"\xff\xfe", b"\x00"]),
)
pauses = st.sampled_from([0.0, 0.01, 0.3, 0.6, 6.0])
scripts = st.lists(st.tuples(st.sampled_from([1, 2]), pieces, pauses), max_size=25)


class Apart(LogFile):
    """The log file, and each stream by itself."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.streams = {1: b"", 2: b""}

    def write(self, stream: int, block: bytes) -> None:
        super().write(stream, block)
        self.streams[stream] += block

    def piece(self, stream: int, data: bytes) -> None:
        super().piece(stream, data)
        self.streams[stream] += data


def followed(log: LogFile, blocks: Iterator[bytes]) -> Follower:
    backend: Any = Recorded(*blocks)
    follower = Follower(backend, "job", log, Screen("log"))
    asyncio.run(follower.run())
    return follower


def growing(raw: bytes, cuts: list[int]) -> Iterator[bytes]:
    """What a reader of the runner's log gets that looks whenever `cuts` bytes more have been written."""
    with tempfile.NamedTemporaryFile() as file:
        at = 0
        with Path(file.name).open("rb") as log:
            for size in [*cuts, len(raw)]:
                file.write(raw[at : at + size])
                file.flush()
                at += size
                while block := jobfolder.whole_lines(log, last=at >= len(raw)):
                    yield block


@settings(deadline=None)
@given(scripts, st.lists(st.integers(1, 50), max_size=60))
def test_no_output_is_changed_or_taken_for_ours(script: list[tuple[int, bytes, float]], cuts: list[int]) -> None:
    with bench() as (on, file), tempfile.TemporaryDirectory() as folder:
        sent = on.play(script)
        totals = on.pump.totals
        on.pump.event({"e": "end", "code": 0, "lines": totals.lines, "bytes": totals.bytes}, on.now)
        file.seek(0)
        log = Apart(Path(folder, "log"))
        follower = followed(log, growing(file.read(), cuts))
        assert log.streams == sent
        saved = log.path.read_bytes()
        assert sum(map(len, sent.values())) == len(saved)
        if not (sent[1] and sent[2]):
            assert saved == sent[1] + sent[2]
        outcome = follower.outcome
        assert outcome.end is not None
        assert (outcome.end["code"], outcome.lost_lines) == (0, 0)
        assert not outcome.results
        assert not outcome.corrupt
        assert outcome.error is None


WRITES = """
import os, random
data = random.Random(5).randbytes(3_000_000)
data += b"x" * 10_000_000 + b"\\n" + b"\\x1e{}\\n\\x1f2\\n" + b"y" * 10_000_000
data += bytes(range(256)) * 100 + b"no newline"
at = 0
while at < len(data):
    at += os.write(STREAM, data[at:at + 777_777])
open("digest", "w").write(__import__("hashlib").sha256(data).hexdigest())
"""


@pytest.mark.parametrize("stream", [1, 2])
def test_what_one_stream_brings_is_saved_byte_by_byte(tmp_path: Path, stream: int) -> None:
    """By the job itself and by the notebook: binary, lines of 10 MB, no newline at the end."""
    log = run(tmp_path / "job", WRITES.replace("STREAM", str(stream)), to_file=True, log_to=str(tmp_path / "copy"))
    here = LogFile(tmp_path / "here")
    follower = followed(here, growing(log.raw, []))
    digest = (tmp_path / "job" / "work" / "digest").read_text()
    assert {hashlib.sha256(path.read_bytes()).hexdigest() for path in (tmp_path / "copy", here.path)} == {digest}
    assert (follower.outcome.lost_lines, log.end["code"]) == (0, 0)


BOTH = """
import os, random, threading
def write(stream, seed):
    chance = random.Random(seed)
    for number in range(300):
        line = b"%d %d " % (stream, number) + chance.randbytes(chance.randrange(90_000)).replace(b"\\n", b"") + b"\\n"
        at = 0
        while at < len(line):
            at += os.write(stream, line[at:at + 7_000])
threads = [threading.Thread(target=write, args=(stream, stream)) for stream in (1, 2)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""


def test_two_streams_at_once_are_saved_line_by_line(tmp_path: Path) -> None:
    log = run(tmp_path / "job", BOTH, to_file=True, log_to=str(tmp_path / "copy"))
    here = LogFile(tmp_path / "here")
    followed(here, growing(log.raw, []))
    assert here.path.read_bytes() == (tmp_path / "copy").read_bytes()
    lines = here.path.read_bytes().split(b"\n")[:-1]
    for stream, sent in ((b"1 ", log.out), (b"2 ", log.err)):
        assert [line for line in lines if line.startswith(stream)] == sent.split(b"\n")[:-1]
    assert (len(lines), log.end["lines"]) == (600, 600)


def test_a_progress_bar_without_end_is_not_kept_in_memory(tmp_path: Path) -> None:
    count = 10 * HELD_BYTES // 1000
    tracemalloc.start()
    with LogFile(tmp_path / "log") as log:
        for number in range(count):
            log.piece(2, b"%999d\r" % number)
            log.write(1, b"%d\n" % number)
        assert tracemalloc.get_traced_memory()[1] < 3 * HELD_BYTES
    tracemalloc.stop()
    lines = log.path.read_bytes()
    assert lines.startswith(b"0\n1\n2\n")
    assert lines.endswith(b"".join(b"%999d\r" % number for number in range(count)))


def test_a_long_line_that_is_being_written_is_not_torn(tmp_path: Path) -> None:
    path = tmp_path / "log"
    line = b"x" * (3 * jobfolder.READ_BYTES // 2)
    with path.open("wb", buffering=0) as file, path.open("rb") as log:
        file.write(line)
        assert jobfolder.whole_lines(log, last=False) == b""
        file.write(line + b"\nnext")
        assert jobfolder.whole_lines(log, last=False) == line * 2 + b"\n"
        assert jobfolder.whole_lines(log, last=False) == b""
        assert jobfolder.whole_lines(log, last=True) == b"next\n"
        assert jobfolder.whole_lines(log, last=True) == b""
