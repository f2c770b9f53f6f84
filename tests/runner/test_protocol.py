"""The line protocol: what is encoded is decoded, whatever the bytes."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kube_magics.runner import protocol
from kube_magics.runner.protocol import Assembler, CorruptResult, Line, Totals

marks = st.sampled_from([b"", b"\x1e", b"\x1f", b"\x1f1", b"\x1f2", b"\x1f3", b"\x1f4", b'\x1e{"e":"end"}'])
ends = st.sampled_from([b"", b"\r", b"\r\r", b"\r\x1f"])
payloads = st.builds(lambda mark, rest, end: (mark + rest + end).replace(b"\n", b""), marks, st.binary(), ends)
streams = st.sampled_from([protocol.STDOUT, protocol.STDERR])
texts = st.text(st.characters(), max_size=50)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=10,
)


def only_line(encoded: bytes) -> Line:
    assert encoded.endswith(b"\n")
    assert encoded.count(b"\n") == 1
    return protocol.decode(encoded[:-1])


@given(streams, payloads)
def test_a_line_comes_back_and_is_never_an_event(stream: int, payload: bytes) -> None:
    line = only_line(protocol.encode_line(stream, payload))
    assert line == Line("err" if stream == protocol.STDERR else "out", payload)
    assert not protocol.encode_line(stream, payload).endswith(b"\r\n"), "container runtimes make \\n of it"


@given(streams, st.lists(payloads, min_size=1, max_size=5))
def test_many_lines_are_encoded_as_each_is(stream: int, lines: list[bytes]) -> None:
    each = b"".join(protocol.encode_line(stream, line) for line in lines)
    assert protocol.encode_lines(stream, b"\n".join(lines) + b"\n") == each


@given(payloads)
def test_ordinary_output_is_untouched(payload: bytes) -> None:
    if payload[:1] not in (b"\x1e", b"\x1f") and payload[-1:] != b"\r":
        assert protocol.encode_line(protocol.STDOUT, payload) == payload + b"\n"


@given(texts, st.dictionaries(texts.filter(lambda key: key != "e"), values))
def test_an_event_comes_back(name: str, rest: dict[str, object]) -> None:
    event = {"e": name, **rest}
    line = only_line(protocol.encode_event(event))
    assert (line.kind, line.event) == ("event", event)


def test_numbers_that_json_does_not_have_come_by_their_names() -> None:
    line = only_line(protocol.encode_event({"e": "metric", "values": [math.nan, math.inf, -math.inf]}))
    assert line.event == {"e": "metric", "values": ["NaN", "Infinity", "-Infinity"]}


@given(st.binary())
def test_decode_never_fails_and_loses_nothing(line: bytes) -> None:
    decoded = protocol.decode(line)
    if decoded.kind == "event":
        assert decoded.payload == line
        assert decoded.event is not None
    else:
        assert decoded.payload in line
        assert len(line) - len(decoded.payload) in (0, 2, 3)


@pytest.mark.parametrize(
    "line", [b"\x1e", b"\x1e{", b"\x1e[]", b"\x1e{}", b'\x1e{"e":1}', b"\x1f", b"\x1f3x", b"\x1e" + b"[" * 99999]
)
def test_what_is_no_event_is_shown(line: bytes) -> None:
    assert protocol.decode(line) == Line("out", line)


@given(streams, st.binary().map(lambda data: data.replace(b"\n", b"")), st.sampled_from([1, 700, 9000]))
def test_partial_events_carry_every_byte_within_the_limit(stream: int, data: bytes, times: int) -> None:
    data = data[:40] * times
    back = b""
    for encoded in protocol.partial_events(stream, data):
        assert len(encoded) <= protocol.MAX_EVENT_BYTES
        event = only_line(encoded).event
        assert event is not None
        assert event["s"] == stream
        back += protocol.partial_bytes(event)
    assert back == data


@pytest.mark.parametrize("d", [None, 3, "\ud800"])
def test_a_malformed_partial_event_is_empty(d: object) -> None:
    assert protocol.partial_bytes({"e": "partial", "d": d}) == b""


@given(st.text(min_size=1, max_size=200), st.binary(), st.sampled_from([1, 1000]))
def test_a_result_comes_back_in_lines_that_fit(name: str, data: bytes, times: int) -> None:
    data *= times
    chunks = list(protocol.result_chunks(name, data))
    assembler = Assembler()
    for chunk in chunks[:-1]:
        assert len(protocol.encode_event(chunk)) <= protocol.MAX_EVENT_BYTES
        assert assembler.add(chunk) is None
    assert len(protocol.encode_event(chunks[-1])) <= protocol.MAX_EVENT_BYTES
    assert assembler.add(json.loads(json.dumps(chunks[-1]))) == (name, data)


def test_results_interleave_and_start_over() -> None:
    a = list(protocol.result_chunks("a", b"a" * 20000))
    b = list(protocol.result_chunks("b", b"b" * 20000))
    assembler = Assembler()
    got = [assembler.add(chunk) for chunk in (a[0], b[0], a[0], a[1], b[1], b[2], a[2])]
    assert got == [None, None, None, None, None, ("b", b"b" * 20000), ("a", b"a" * 20000)]


def test_a_damaged_result_is_refused() -> None:
    chunks = list(protocol.result_chunks("a", b"a" * 30000))
    with pytest.raises(CorruptResult, match="chunk 1 of 4 is missing"):
        Assembler().add(chunks[1])
    assembler = Assembler()
    assembler.add(chunks[0])
    with pytest.raises(CorruptResult, match="chunk 2 of 4 is missing"):
        assembler.add(chunks[2])
    with pytest.raises(CorruptResult, match="not readable"):
        Assembler().add({**chunks[0], "d": "a"})
    with pytest.raises(CorruptResult, match="without name"):
        Assembler().add({"e": "result"})
    one = next(protocol.result_chunks("a", b"a"))
    with pytest.raises(CorruptResult, match="digest"):
        Assembler().add({**one, "sha256": "0"})
    with pytest.raises(ValueError, match="too long"):
        next(protocol.result_chunks("x" * 20000, b""))


def test_totals_count_the_user_and_name_the_loss() -> None:
    totals = Totals()
    for encoded in (
        protocol.encode_line(1, b"one"),
        protocol.encode_line(2, b"four"),
        protocol.encode_line(1, b"\x1f"),
        protocol.encode_event({"e": "beat"}),
        *protocol.partial_events(1, b"\xffpart"),
    ):
        totals.add(only_line(encoded))
    assert (totals.lines, totals.bytes) == (3, 13)
    assert totals.missing({"e": "mark", "l": 3, "b": 13}) == (0, 0)
    assert totals.missing({"e": "end", "lines": 5, "bytes": 20}) == (2, 7)
    assert totals.missing({"e": "end", "lines": None}) == (0, 0)
