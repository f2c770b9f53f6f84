"""Small curves: what is drawn of which points."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kube_magics.widgets.curve import HEIGHT, WIDTH, curve_svg


def path(*values: float) -> str:
    return path_of([(float(at), value) for at, value in enumerate(values)])


def path_of(points: list[tuple[float, float]]) -> str:
    found = re.search(r'<path d="([^"]*)"', curve_svg(points, "", ""))
    assert found is not None
    return found[1]


def test_it_goes_from_the_least_at_the_bottom_to_the_greatest_at_the_top() -> None:
    assert path(1.0, 3.0, 2.0) == "M3 37L120 3 237 20"


def test_x_is_the_jobs_own_step() -> None:
    assert path_of([(0.0, 0.0), (10.0, 1.0), (100.0, 2.0)]) == "M3 37L26 20 237 3"


@pytest.mark.parametrize(
    ("values", "drawn"),
    [
        ([5.0], "M120 20h0"),
        ([5.0, 5.0], "M3 20L237 20"),
        ([0.0, math.nan, 1.0, 2.0], "M3 37h0M159 20L237 3"),
        ([math.nan, math.inf], ""),
        ([-1.7e308, 1.7e308], "M3 37L237 3"),
    ],
)
def test_what_is_no_number_is_a_gap_and_one_point_a_dot(values: list[float], drawn: str) -> None:
    assert path(*values) == drawn


def test_one_spike_among_many_points_is_seen() -> None:
    values = [0.0] * 1000
    values[503] = 9.0
    assert len(re.findall(r" 3\b", path(*values))) == 1


@given(st.lists(st.tuples(st.floats(0, 1e300), st.floats()), min_size=1, max_size=100))
def test_whatever_a_job_reports_stays_within_it(points: list[tuple[float, float]]) -> None:
    drawn = path_of(sorted(points, key=lambda point: point[0]))
    places = re.findall(r"(\d+) (-?\d+)", drawn)
    assert all(0 <= int(across) <= WIDTH and 0 <= int(down) <= HEIGHT for across, down in places)
    assert re.sub(r"M\d+ \d+(h0|L[\d ]+)", "", drawn) == ""
