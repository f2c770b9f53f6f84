"""A table that people read, programs take, and notebooks show."""

from __future__ import annotations

import html
import importlib
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from kube_magics.errors import harmless
from kube_magics.spec.columns import DURATION, FLAG, NUMBER, TIME, Column
from kube_magics.spec.quantities import human_seconds
from kube_magics.spec.selection import chosen

UNKNOWN = "?"


@dataclass(frozen=True)
class Row:
    """One row."""

    values: Mapping[str, Any]
    """By column; times as seconds since the epoch."""
    texts: Mapping[str, str] = field(default_factory=dict)
    """What people read instead of the value."""
    under: str = ""
    """A sentence below the row."""


@dataclass(frozen=True, repr=False)
class Table:
    """Rows of what a verb found, in their order."""

    kind: str
    """Of the verb: `jobs`."""
    where: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    empty: str
    """What is said where there are no rows."""
    notes: tuple[str, ...] = ()
    """What else people should know, as of rights that are missing."""

    def selected(self, given: Mapping[str, Any]) -> Table:
        """As `--filter` and `--sort-by` ask for it. Raises OptionError for a column that is none."""
        conditions, order = given.get("filter", ()), given.get("sort_by", ())
        kept = chosen([row.values for row in self.rows], self.columns, conditions, order, time.time())
        empty = f"none of {len(self.rows)} is like this" if self.rows else self.empty
        return replace(self, rows=tuple(self.rows[at] for at in kept), empty=empty)

    @property
    def records(self) -> list[dict[str, Any]]:
        """A dict a row, as `--json` has it."""
        return [
            {each.name: _plain_value(each, row.values.get(each.name)) for each in self.columns} for row in self.rows
        ]

    def json(self) -> dict[str, Any]:
        """What `--json` prints."""
        return {"kind": self.kind, "where": self.where, "rows": self.records, "notes": list(self.notes)}

    def to_pandas(self) -> Any:
        """A pandas DataFrame, times in UTC, `notes` in its `attrs`; raises ImportError where there is no pandas."""
        pandas = importlib.import_module("pandas")
        values = [{each.name: row.values.get(each.name) for each in self.columns} for row in self.rows]
        frame = pandas.DataFrame(values, columns=[each.name for each in self.columns], dtype=object)
        for each in self.columns:
            if each.kind == TIME:
                frame[each.name] = pandas.to_datetime(frame[each.name].astype("Float64"), unit="s", utc=True)
            elif each.kind in (NUMBER, DURATION):
                whole = each.kind == NUMBER and all(isinstance(v, (int, type(None))) for v in frame[each.name])
                frame[each.name] = frame[each.name].astype("Int64" if whole else "Float64")
            elif each.kind == FLAG:
                frame[each.name] = frame[each.name].astype("boolean")
        frame.attrs.update(kind=self.kind, where=self.where, notes=list(self.notes))
        return frame

    def text(self) -> str:
        """A line a row; what stands below a row is indented."""
        if not self.rows:
            lines = [self.empty]
        else:
            lines = aligned([[each.title for each in self._shown], *self._cells()])
            for at, row in reversed(list(enumerate(self.rows, 1))):
                if row.under:
                    lines.insert(at + 1, f"    {plain(row.under)}")
        return "\n".join([*filter(None, lines), *self.notes])

    def __repr__(self) -> str:
        return self.text()

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.records)

    def _repr_html_(self) -> str:
        notes = "".join(f"<div>{html.escape(note)}</div>" for note in self.notes)
        if not self.rows:
            return f"<div>{html.escape(self.empty)}</div>{notes}"
        left = ' style="text-align:left"'
        head = "".join(f"<th{left}>{html.escape(each.title)}</th>" for each in self._shown)
        body = ""
        for row, cells in zip(self.rows, self._cells(), strict=True):
            body += "<tr>" + "".join(f"<td{left}>{html.escape(cell)}</td>" for cell in cells) + "</tr>"
            if row.under:
                body += f'<tr><td{left} colspan="{len(cells)}">{html.escape(plain(row.under))}</td></tr>'
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{notes}"

    @property
    def _shown(self) -> list[Column]:
        return [each for each in self.columns if each.title]

    def _cells(self) -> list[list[str]]:
        now = time.time()
        return [[plain(_text(each, row, now)) for each in self._shown] for row in self.rows]


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """A line a row, each column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def plain(text: str) -> str:
    """One line that does nothing to a terminal, whoever wrote it."""
    return harmless(re.sub(r"[\n\t\r]", " ", text))


def stamp(at: float) -> str:
    """RFC 3339, in UTC."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _plain_value(column: Column, value: Any) -> Any:
    if value is None:
        return None
    return stamp(value) if column.kind == TIME else list(value) if isinstance(value, tuple) else value


def _text(column: Column, row: Row, now: float) -> str:
    if column.name in row.texts:
        return row.texts[column.name]
    value = row.values.get(column.name)
    if value is None:
        return UNKNOWN
    if column.kind == TIME:
        return human_seconds(max(0.0, now - value))
    if column.kind == DURATION:
        return human_seconds(value)
    return ", ".join(value) if isinstance(value, (tuple, list)) else str(value)
