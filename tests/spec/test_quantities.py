"""Quantities and durations: what the cluster would read, and how people read them."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kube_magics.errors import OptionError
from kube_magics.spec.quantities import amount, cpus, human_bytes, human_seconds, memory, seconds


@pytest.mark.parametrize(
    ("text", "value"),
    [("2", 2), ("500m", Decimal("0.5")), ("1k", 1000), ("1Ki", 1024), ("1.5Gi", 3 * 2**29), ("3M", 3_000_000)],
)
def test_amounts(text: str, value: Decimal) -> None:
    assert amount(text) == value


@pytest.mark.parametrize("text", ["", "Gi", "1GB", "1 Gi", "-1", "+1", "1e3", ".5", "1.", "1K", "１", "1\n2", "0x1"])
def test_what_is_no_amount(text: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        amount(text)


@given(st.text(max_size=12) | st.from_regex(r"[0-9]{0,3}[.,]?[0-9]{0,2} ?[kKmMgGtT]?[iI]?[bB]?", fullmatch=True))
def test_memory_and_cpus_are_taken_or_refused_with_something_that_is_taken(text: str) -> None:
    for read in (memory, cpus):
        try:
            assert read("--x", text) == text
        except OptionError as error:
            corrected = str(error.hint).removeprefix("--x ")
        else:
            continue
        assert read("--x", corrected) == corrected


@given(st.integers(0, 9), st.integers(0, 50), st.integers(0, 100), st.integers(0, 100))
def test_durations_add_up(days: int, hours: int, minutes: int, rest: int) -> None:
    total = ((days * 24 + hours) * 60 + minutes) * 60 + rest
    if total:
        assert seconds("--timeout", f"{days}d{hours}h{minutes}m{rest}s") == total == seconds("--timeout", str(total))


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (312, "312 B"), (1_400_000, "1.4 MB"), (2e9, "2.0 GB"), (5e12, "5.0 TB")]
)
def test_bytes_for_people(size: float, text: str) -> None:
    assert human_bytes(size) == text


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (0.84, "0.8 s"),
        (42, "42 s"),
        (59.7, "1 min 0 s"),
        (200, "3 min 20 s"),
        (7500, "2 h 5 min"),
        (273_600, "3 d 4 h"),
    ],
)
def test_durations_for_people(duration: float, text: str) -> None:
    assert human_seconds(duration) == text
