"""What is pickled by hand is what pickle would have made of it."""

from __future__ import annotations

import math
import pickle
from enum import IntEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kube_magics.runner.scalars import pickled


class Level(IntEnum):
    LOW = 1


@given(st.none() | st.booleans() | st.floats() | st.integers(-(2**31), 2**31 - 1) | st.text())
def test_it_comes_back_as_it_was(value: object) -> None:
    data = pickled(value)
    assert data is not None
    back = pickle.loads(data)
    assert type(back) is type(value)
    assert back == value or (isinstance(value, float) and math.isnan(value) and math.isnan(back))
    assert math.copysign(1, back) == math.copysign(1, value) if isinstance(value, float) else True


@pytest.mark.parametrize("value", [2**31, -(2**31) - 1, "\ud800", Level.LOW, b"x", [], 1j, type("S", (str,), {})("x")])
def test_all_else_is_left_to_pickle(value: object) -> None:
    assert pickled(value) is None
