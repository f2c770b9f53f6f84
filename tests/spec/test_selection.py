"""Which rows, in which order."""

from __future__ import annotations

from typing import Any

import pytest

from kube_magics.errors import OptionError
from kube_magics.spec.columns import JOBS, NODES
from kube_magics.spec.selection import STATES, chosen, condition, order, states
from kube_magics.telemetry import snapshot

ROWS: list[dict[str, Any]] = [
    {"name": "b", "status": "running", "gpus": 2, "created_at": 30.0, "notebook": "train.ipynb"},
    {"name": "A", "status": "failed", "gpus": None, "created_at": 20.0, "notebook": None},
    {"name": "c", "status": "pending", "gpus": 10, "created_at": 10.0, "notebook": "Training two.ipynb"},
]


@pytest.mark.parametrize(
    ("filters", "sort_by", "names"),
    [
        ([], "", "b A c"),
        ([], "name", "A b c"),
        ([], "-name", "c b A"),
        ([], "gpus", "b c A"),  # unknown last, either way
        ([], "-gpus", "c b A"),
        ([], "created_at", "c A b"),
        ([], "age", "b A c"),  # the youngest first
        ([], "-AGE", "c A b"),
        ([], "status,name", "A c b"),
        (["status=running"], "", "b"),
        (["status!=running"], "", "A c"),
        (["status==Running"], "", "b"),
        (["notebook=train*"], "", "b c"),
        (["notebook=train*", "gpus>2"], "", "c"),
        (["gpus>=2"], "-gpus", "c b"),
        (["gpus<3"], "", "b"),
        (["notebook="], "", "A"),
        (["age>1h"], "", "c"),
        (["age<=3590s", "age>3580"], "", "b"),
    ],
)
def test_rows(filters: list[str], sort_by: str, names: str) -> None:
    conditions = [each for text in filters for each in condition("--filter", text)]
    kept = chosen(ROWS, JOBS, conditions, order("--sort-by", sort_by) if sort_by else (), now=3610.5)
    assert [ROWS[at]["name"] for at in kept] == names.split()


def test_a_list_is_like_a_pattern_where_one_of_its_texts_is() -> None:
    rows = [{"taints": ("gpu=yes:NoSchedule", "own:NoExecute")}, {"taints": ()}]
    assert chosen(rows, NODES, condition("--filter", "taints=own*")) == [0]
    assert chosen(rows, NODES, condition("--filter", "taints=")) == [1]


@pytest.mark.parametrize(
    ("filters", "sort_by", "told", "typed"),
    [
        (["state=running"], "", "no column state", "--filter status=PATTERN"),
        ([], "gpu", "no column gpu", "--sort-by gpus"),
        ([], "ages", "no column ages", "--sort-by age"),
    ],
)
def test_columns_that_are_none(filters: list[str], sort_by: str, told: str, typed: str) -> None:
    with pytest.raises(OptionError, match=told) as caught:
        chosen(
            ROWS,
            JOBS,
            [each for text in filters for each in condition("--filter", text)],
            order("--sort-by", sort_by) if sort_by else (),
        )
    assert caught.value.hint == typed


@pytest.mark.parametrize(
    ("read", "text", "typed"),
    [
        (condition, "running", "--filter status=running"),
        (condition, "gpus>many", "--filter 'gpus>0'"),
        (order, ",", "--filter name"),
        (states, "runing", "--filter running"),
        (states, "", "--filter running"),
    ],
)
def test_what_cannot_be_read(read: Any, text: str, typed: str) -> None:
    with pytest.raises(OptionError) as caught:
        read("--filter", text)
    assert caught.value.hint == typed


def test_every_state_that_a_job_is_shown_in_can_be_asked_for() -> None:
    """But for that of a job which is gone: no list has it."""
    shown = ("PENDING", "RUNNING", "SUCCEEDED", "FAILED", "STOPPED", "SUSPENDED", "INCOMPLETE")
    assert list(STATES) == [getattr(snapshot, name) for name in shown]
    (column,) = (each for each in JOBS if each.name == "status")
    assert column.help == f"{', '.join(STATES)}."
