"""A table as text, as HTML, as JSON, as a DataFrame."""

from __future__ import annotations

import html.parser
import json
import time

import pytest

from kube_magics.errors import OptionError
from kube_magics.spec.columns import JOBS, NODES
from kube_magics.spec.selection import condition
from kube_magics.telemetry.causes.cause import Cause
from kube_magics.telemetry.snapshot import Snapshot
from kube_magics.verbs.jobs import row
from kube_magics.verbs.table import Row, Table

NASTY = '<img src=x onerror="alert(1)">\x1b[31m\x07&amp;'


def table(*rows: Row, notes: tuple[str, ...] = ()) -> Table:
    return Table("jobs", "here", JOBS, rows, "no jobs on here", notes)


def some() -> Table:
    now = time.time()
    waits = Snapshot(
        "waits",
        "team",
        "pending",
        Cause("quota", "No room.", "exceeded <quota>"),
        created_at=now - 300_000,
        gpus=2,
        ours=True,
    )
    runs = Snapshot("runs", "team", "running", created_at=now - 100, started_at=now - 42, node="n1")
    return table(row(waits, "this", now), row(runs, None, now), notes=("You may not see <all>.",))


def test_text() -> None:
    lines = str(some()).splitlines()
    assert lines[0].split() == ["NAME", "STATUS", "GPUS", "AGE", "TOOK", "NODE", "NOTEBOOK", "CELL", "KERNEL"]
    assert lines[1].startswith("waits  pending  2     3 d 11 h")
    assert lines[2] == "    No room. exceeded <quota>"
    assert "42 s" in lines[3]
    assert lines[3].endswith("-")
    assert lines[4] == "You may not see <all>."
    assert str(table()) == "no jobs on here"


def test_what_a_job_says_does_nothing_to_a_terminal_or_a_page() -> None:
    found = table(Row({"name": NASTY, "why": NASTY}, under=NASTY), notes=(NASTY,))
    assert "\x1b" not in found.text().removesuffix(NASTY)
    assert "\x07" not in found.text().removesuffix(NASTY)
    tags: list[str] = []
    parser = html.parser.HTMLParser()
    parser.handle_starttag = lambda tag, attrs: tags.append(tag)  # type: ignore[method-assign]
    parser.feed(found._repr_html_())
    assert set(tags) == {"table", "thead", "tbody", "tr", "th", "td", "div"}


def test_html_has_what_the_text_has() -> None:
    shown = some()._repr_html_()
    for part in ("NAME", "waits", "3 d 11 h", "No room. exceeded &lt;quota&gt;", "You may not see &lt;all&gt;."):
        assert part in shown
    assert table()._repr_html_() == "<div>no jobs on here</div>"


def test_json_is_for_programs() -> None:
    found = json.loads(json.dumps(some().json()))
    assert list(found) == ["kind", "where", "rows", "notes"]
    first, second = found["rows"]
    assert list(first) == [column.name for column in JOBS]
    assert (first["gpus"], first["why"], first["said"]) == (2, "No room.", "exceeded <quota>")
    assert first["created_at"].endswith("Z")
    assert (second["started_at"] is None, second["gpus"], second["notebook"]) == (False, None, None)
    assert second["duration_s"] == 42


def test_a_dataframe_has_types() -> None:
    import pandas  # half a second, of one process instead of all

    frame = some().to_pandas()
    assert list(frame.columns) == [column.name for column in JOBS]
    assert frame.gpus.sum() == 2
    assert frame.gpus.dtype == "Int64"
    assert frame.created_at.max() <= pandas.Timestamp.now("UTC")
    assert frame.duration_s[1] == 42
    assert pandas.isna(frame.started_at[0])
    assert frame.attrs["notes"] == ["You may not see <all>."]
    assert list(table().to_pandas().columns) == list(frame.columns)
    assert list(Table("nodes", "", NODES, (Row({"node": "a", "cpus": 1.5}),), "").to_pandas().cpus) == [1.5]


def test_rows_are_chosen() -> None:
    only = some().selected({"filter": condition("--filter", "gpus>1")})
    assert [each["name"] for each in only] == ["waits"]
    none = some().selected({"filter": condition("--filter", "gpus>9")})
    assert none.text() == "none of 2 is like this\nYou may not see <all>."
    with pytest.raises(OptionError, match="no column"):
        some().selected({"sort_by": ("price",)})
