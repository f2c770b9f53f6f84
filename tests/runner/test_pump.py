"""Bytes in, bytes out: nothing lost, doubled, torn or mixed, whatever they are and however they come."""

from __future__ import annotations

import os
import re
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kube_magics.runner import protocol, pump
from kube_magics.runner.output import HIGH_WATER_BYTES, Output
from kube_magics.runner.pump import Pump
from tests.runner.bundles import Log

pieces = st.one_of(
    st.binary(max_size=30),
    st.sampled_from(
        [b"\n", b"\r", b"\x1e", b"\x1f", b"\x1f2\n", b'\x1e{"e":"end"}\n', b"\n\x1f1", b"a line\n", b"\n\n\x1e"]
    ),
)
writes = st.lists(st.tuples(st.sampled_from([1, 2]), pieces, st.sampled_from([0.0, 0.01, 0.3, 0.6, 6.0])), max_size=30)


class Bench:
    """A pump between real pipes and a file, its clock in the test's hand."""

    def __init__(self, output: int) -> None:
        self.now = 100.0
        (out, self.out), (err, self.err) = os.pipe(), os.pipe()
        self.pump = Pump(Output(output), out, err, self.now)
        self.ends = {1: out, 2: err}

    def write(self, stream: int, data: bytes) -> None:
        os.write(self.out if stream == 1 else self.err, data)
        self.pump.read(self.ends[stream], self.now)

    def play(self, script: list[tuple[int, bytes, float]]) -> dict[int, bytes]:
        """Write each (stream, bytes) and let so many seconds go by, to the end; what was written to each stream."""
        sent = {1: b"", 2: b""}
        for stream, data, pause_s in script:
            if data:
                self.write(stream, data)
                sent[stream] += data
            self.now += pause_s
            self.pump.tick(self.now)
        self.finish()
        return sent

    def finish(self) -> None:
        os.close(self.out)
        os.close(self.err)
        assert self.pump.finish(lambda: self.now) == []
        self.pump.close()


@contextmanager
def bench() -> Iterator[tuple[Bench, tempfile._TemporaryFileWrapper[bytes]]]:
    with tempfile.NamedTemporaryFile() as file:
        yield Bench(file.fileno()), file


def read(file: tempfile._TemporaryFileWrapper[bytes], on: Bench) -> Log:
    file.seek(0)
    log = Log(file.read())
    totals = on.pump.totals
    assert (totals.lines, totals.bytes) == (log.totals.lines, log.totals.bytes)
    return log


@settings(deadline=None)
@given(writes)
def test_every_byte_of_each_stream_comes_back_in_order(script: list[tuple[int, bytes, float]]) -> None:
    with bench() as (on, file):
        sent = on.play(script)
        log = read(file, on)
        assert (log.out, log.err) == (sent[1], sent[2])
        for mark in log.all("mark"):
            at = log.lines.index(next(line for line in log.lines if line.event is mark))
            before = protocol.Totals()
            for line in log.lines[:at]:
                before.add(line)
            assert (before.lines, before.bytes) == (mark["l"], mark["b"])


def test_ordinary_lines_pass_untouched() -> None:
    with bench() as (on, file):
        on.write(1, b"one\ntw\ro\n\xff\n")
        on.finish()
        file.seek(0)
        assert file.read() == b"one\ntw\ro\n\xff\n"


def test_a_progress_bar_is_told_four_times_a_second() -> None:
    with bench() as (on, file):
        for number in range(1000):  # ten seconds of it
            on.write(2, b"\r%d%%" % number)
            on.now += 0.01
            on.pump.tick(on.now)
        on.write(2, b"\ndone\n")
        on.finish()
        log = read(file, on)
        assert 36 <= len(log.all("partial")) <= 40
        assert log.err == b"".join(b"\r%d%%" % number for number in range(1000)) + b"\ndone\n"


def test_a_progress_bar_is_told_before_the_lines_that_follow_it() -> None:
    with bench() as (on, file):
        on.write(2, b"\r 40%")
        on.write(1, b"epoch 1\n")
        on.write(2, b"\r100%")
        assert on.pump.readable(on.now) == [on.ends[2], on.ends[1]]
        on.write(2, b"\n")
        on.write(1, b"done\n")
        assert on.pump.readable(on.now) == [on.ends[1], on.ends[2]]
        on.finish()
        assert [event["e"] for event in read(file, on).events].count("partial") == 1
        file.seek(0)
        assert re.sub(rb'\x1e.*"d":"(.*?)".*\n', rb"<\1>", file.read()) == b"<\\r 40%>epoch 1\n\x1f2\r100%\ndone\n"


def test_half_a_line_is_not_told_because_the_other_stream_has_one() -> None:
    with bench() as (on, file):
        on.write(1, b"half a ")
        on.write(2, b"warning\n")
        on.write(1, b"line\n? ")
        on.now += 0.1
        on.write(2, b"a prompt waits\n")
        on.finish()
        file.seek(0)
        kinds = [line[:2] for line in file.read().splitlines()]
        assert kinds == [b"\x1f2", b"ha", b"\x1e{", b"\x1f2"]


def test_a_line_without_end_travels_in_bounded_memory() -> None:
    with bench() as (on, file):
        data = os.urandom(100_000).replace(b"\n", b"\r")
        for _ in range(30):
            os.set_blocking(on.out, False)
            on.write(1, data[:60_000])
            assert sum(stream.tail_bytes for stream in on.pump.streams.values()) <= pump.TAIL_BYTES
        on.write(1, b"\n")
        on.finish()
        assert read(file, on).out == data[:60_000] * 30 + b"\n"


def test_marks_come_by_lines_and_by_time_and_beats_in_silence() -> None:
    with bench() as (on, file):
        for _ in range(25):
            on.write(1, b"x\n" * 1000)
        assert on.pump.due(on.now + 1) == on.now + protocol.HEARTBEAT_S
        for _ in range(6):
            on.now += 2
            on.pump.tick(on.now)
        on.finish()
        log = read(file, on)
        assert [mark["l"] for mark in log.all("mark")] == [10_000, 20_000, 25_000]
        assert len(log.all("beat")) == 2


def test_a_burst_is_read_at_once_and_a_flood_is_paced() -> None:
    with bench() as (on, _):
        for _ in range(pump.BURST_READS):
            on.write(1, b"x\n")
            assert on.pump.readable(on.now)
        on.write(1, b"x\n")
        assert on.pump.readable(on.now) == []
        assert on.pump.due(on.now) == on.now + pump.PACE_S
        assert on.pump.readable(on.now + pump.PACE_S)
        on.finish()


def test_a_stalled_reader_stops_the_program_and_nothing_is_lost() -> None:
    reader, writer = os.pipe()
    on = Bench(writer)
    sent = b""
    line = b"y" * 999 + b"\n"
    while on.pump.readable(on.now):
        on.write(1, line * 60)
        sent += line * 60
        on.now += 1
    assert len(sent) > HIGH_WATER_BYTES
    got: list[bytes] = []
    slow = threading.Thread(target=lambda: got.extend(iter(lambda: os.read(reader, 5000), b"")))
    slow.start()
    assert on.pump.output.drain(60, time.monotonic)
    on.finish()
    os.close(writer)
    slow.join()
    os.close(reader)
    assert Log(b"".join(got)).out == sent


def test_a_reader_that_is_gone_does_not_stop_the_program() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    on = Bench(writer)
    for _ in range(100):
        on.write(1, b"z" * 60_000)
        on.now += 1
    assert on.pump.output.broken
    assert on.pump.readable(on.now)
    on.finish()
    os.close(writer)


@pytest.mark.parametrize("size", [0, 1, 65536, 300_000])
def test_what_the_pipes_still_hold_at_the_end_is_sent(size: int) -> None:
    with bench() as (on, file):
        data = (b"0123456789abcde\n" * (size // 16 + 1))[:size]
        os.write(on.out, data)
        on.finish()
        assert read(file, on).out == data
