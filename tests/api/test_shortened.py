"""A list without its Jobs' bundles: the same JSON, whatever stands in it and however it comes."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kube_magics.backends.bundles import BEFORE
from kube_magics.cluster.shortened import shortened
from kube_magics.manifests.job import job
from kube_magics.spec.job import JobSpec, Submission

AFTER = re.compile(re.escape(BEFORE) + rb'[^"\\]*')
TEXTS = st.text(st.sampled_from('ab"\\\nä\U0001f600:,{'), max_size=6) | st.sampled_from(
    ["KUBE_MAGICS_BUNDLE", "name", "value", BEFORE.decode(), '"name":"KUBE_MAGICS_BUNDLE","value":"']
)
ENTRIES = st.fixed_dictionaries({"name": st.just("KUBE_MAGICS_BUNDLE"), "value": TEXTS})
VALUES = st.recursive(
    TEXTS | ENTRIES | st.none() | st.integers(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


def short(text: bytes, sizes: list[int]) -> bytes:
    """As it comes in pieces of these sizes, over and over."""

    async def pieces() -> AsyncIterator[bytes]:
        at, turn = 0, 0
        while at < len(text):
            yield text[at : at + sizes[turn % len(sizes)]]
            at, turn = at + sizes[turn % len(sizes)], turn + 1

    return asyncio.run(shortened(pieces(), BEFORE))


def shape(found: Any) -> Any:
    """Without the strings that are values."""
    if isinstance(found, dict):
        return [(key, shape(value)) for key, value in found.items()]
    return [shape(each) for each in found] if isinstance(found, list) else type(found)


@given(VALUES, st.lists(st.integers(1, 60), min_size=1, max_size=5), st.booleans())
def test_only_texts_behind_it_are_left_out(value: Any, sizes: list[int], ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, separators=(",", ":")).encode()
    left = short(text, sizes)
    assert left == AFTER.sub(BEFORE, text)
    assert shape(json.loads(left)) == shape(value)


@given(
    st.lists(st.sampled_from([BEFORE, BEFORE[:9], BEFORE[9:], b'"', b"\\", b"AAAA", b"\xff"]), max_size=8),
    st.integers(1, 50),
)
def test_what_is_no_json_is_left_as_it_is_too(parts: list[bytes], size: int) -> None:
    text = b"".join(parts)
    assert short(text, [size]) == AFTER.sub(BEFORE, text)


@pytest.mark.parametrize("size", [1, 1000, 1_000_000])
def test_a_bundle_goes_and_all_else_stays(size: int) -> None:
    def entries(bundle: str) -> list[dict[str, str]]:
        return [
            {"name": "A", "value": "1"},
            {"name": "KUBE_MAGICS_BUNDLE", "value": bundle},
            {"name": "B", "value": "2"},
        ]

    text = json.dumps([entries("QUJD" * 5_000), entries("")], separators=(",", ":")).encode()
    assert json.loads(short(text, [size])) == [entries(""), entries("")]


def test_a_job_of_ours_is_small_in_a_list() -> None:
    submission = Submission(JobSpec(), "one", "one", b"A" * 30_000, "0" * 64, cell_digest="")
    text = json.dumps(
        job(submission, image="i", boot="boot", fixed_user=True), separators=(",", ":")
    )  # as Go writes it
    assert len(short(text.encode(), [len(text)])) == len(text) - 40_000  # its base64
