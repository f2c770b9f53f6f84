"""A value's text is the one that IPython shows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.lib import pretty as printing

from kube_magics.runner import pretty


def ipython(value: object) -> str:
    text: str = printing.pretty(value)  # type: ignore[no-untyped-call]
    return text


plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=60) | st.binary(max_size=60)
nested = st.recursive(
    plain,
    lambda inner: (
        st.lists(inner, max_size=6)
        | st.tuples(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=20) | st.integers(), inner, max_size=5)
        | st.sets(st.integers(), max_size=40)
        | st.frozensets(st.text(max_size=10), max_size=10)
    ),
    max_leaves=30,
)


@given(nested)
def test_containers_break_as_in_ipython(value: object) -> None:
    assert pretty._text(value) == ipython(value)


class Shown:
    def __repr__(self) -> str:
        return "Shown(\n  1)"


looped: list[object] = [1]
looped.append(looped)


@pytest.mark.parametrize(
    "value", [range(3), Shown(), [Shown(), 2], int, list(range(1500)), looped, "a" * 200, {}, set()]
)
def test_other_values(value: object) -> None:
    assert pretty._text(value) == ipython(value)
    assert pretty.pretty(value) == ipython(value)
