"""Which rows of a table, and in which order: `--sort-by`, `--filter`, `--status`. Pure.

The words are the field's: kubectl's `--sort-by`, docker's `--filter COLUMN=PATTERN`. kubectl's JSONPath behind the
first, and its field selectors, of which a Job has one, would ask people to know the cluster's objects.
"""

from __future__ import annotations

import difflib
import fnmatch
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kube_magics.errors import OptionError
from kube_magics.spec.columns import DURATION, NUMBER, TIME, Column
from kube_magics.spec.quantities import DURATION_TEXT, duration_s

Record = Mapping[str, Any]

_CONDITION = re.compile(r"([A-Za-z_][\w-]*)\s*(!=|<=|>=|==|=|<|>)(.*)", re.DOTALL)
_NUMBER = re.compile(r"\s*-?[0-9]+(\.[0-9]+)?\s*")
_COMPARED: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
STATES = ("pending", "running", "succeeded", "failed", "stopped", "suspended", "incomplete")


@dataclass(frozen=True)
class Condition:
    """One `--filter`."""

    column: str
    sign: str
    """`=`, `!=`, `<`, `<=`, `>`, `>=`."""
    wanted: str


def condition(option: str, text: str) -> tuple[Condition, ...]:
    """One `COLUMN=PATTERN`, or another of the signs."""
    found = _CONDITION.fullmatch(text.strip())
    if found is None:
        raise OptionError(f"{option} {text!r} is not COLUMN=PATTERN.", hint=f"{option} status=running")
    column, sign, wanted = found.groups()
    if sign in _COMPARED and not (_NUMBER.fullmatch(wanted) or DURATION_TEXT.fullmatch(wanted.strip())):
        raise OptionError(
            f"{option} {text}: behind {sign} comes a number, or how long: 90s, 2h.", hint=f"{option} '{column}{sign}0'"
        )
    return (Condition(column.lower(), "=" if sign == "==" else sign, wanted.strip()),)


def order(option: str, text: str) -> tuple[str, ...]:
    """Columns, commas between them; `-` in front of one turns it round."""
    found = tuple(part.strip().lower() for part in text.split(",") if part.strip())
    if not found:
        raise OptionError(f"{option} needs a column.", hint=f"{option} name")
    return found


def states(option: str, text: str) -> tuple[str, ...]:
    """States of jobs, commas between them."""
    found = tuple(part.strip().lower() for part in text.split(",") if part.strip())
    for state in found or ("",):
        if state not in STATES:
            near = (difflib.get_close_matches(state, STATES, 1) or ["running"])[0]
            raise OptionError(
                f"{option} {state}: the states of a job are {', '.join(STATES)}.", hint=f"{option} {near}"
            )
    return found


def chosen(
    records: Sequence[Record],
    columns: Sequence[Column],
    conditions: Sequence[Condition] = (),
    sort_by: Sequence[str] = (),
    now: float = 0.0,
) -> list[int]:
    """The places of the rows that fulfil all `conditions`, in the order of `sort_by`; what is unknown comes last.

    `now`: seconds since the epoch, for conditions on ages. Raises OptionError for a column that is none of `columns`.
    """
    tests = [_test(each, columns, now) for each in conditions]
    left = [at for at, row in enumerate(records) if all(holds(row) for holds in tests)]
    for word in reversed(sort_by):
        column, by_title = column_of(word.lstrip("-"), columns, "--sort-by")
        # The age of what was made last is the least.
        down = word.startswith("-") != (column.kind == TIME and by_title)
        known = [at for at in left if records[at].get(column.name) is not None]
        unknown = [at for at in left if records[at].get(column.name) is None]
        left = sorted(known, key=lambda at: _rank(records[at][column.name]), reverse=down) + unknown
    return left


def column_of(word: str, columns: Sequence[Column], option: str) -> tuple[Column, bool]:
    """The column that is called so, and whether by its head in the table. Raises OptionError."""
    word = word.replace("-", "_")
    for column in columns:
        if column.name == word:
            return column, False
    for column in columns:
        if column.title and column.also == word:
            return column, True
    names = [column.name for column in columns]
    near = difflib.get_close_matches(word, [*names, *(c.also for c in columns if c.title)], 1)
    raise OptionError(
        f"{option}: there is no column {word}; there are {', '.join(names)}.",
        hint=f"{option} {near[0] if near else names[0]}" + ("=PATTERN" if option == "--filter" else ""),
    )


def _test(asked: Condition, columns: Sequence[Column], now: float) -> Callable[[Record], bool]:
    """Whether a row fulfils it."""
    column, by_title = column_of(asked.column, columns, "--filter")
    if asked.sign not in _COMPARED:
        return lambda row: _is_like(row.get(column.name), asked)
    age = column.kind == TIME and by_title
    if not age and column.kind not in (NUMBER, DURATION):
        hint = f"{column.also}{asked.sign}1h" if column.kind == TIME and column.title else f"{asked.column}=PATTERN"
        raise OptionError(
            f"--filter {asked.column}{asked.sign}{asked.wanted}: {column.name} is no number.",
            hint=f"--filter '{hint}'",
        )
    compare, wanted = _COMPARED[asked.sign], _wanted(asked, column)

    def holds(row: Record) -> bool:
        value = row.get(column.name)
        return value is not None and compare(now - value if age else float(value), wanted)

    return holds


def _wanted(asked: Condition, column: Column) -> float:
    if _NUMBER.fullmatch(asked.wanted):
        return float(asked.wanted)
    if column.kind == NUMBER:
        raise OptionError(
            f"--filter {asked.column}{asked.sign}{asked.wanted}: {column.name} is a number, and no duration.",
            hint=f"--filter '{asked.column}{asked.sign}0'",
        )
    return duration_s(asked.wanted)


def _is_like(value: Any, asked: Condition) -> bool:
    texts = [_text(each) for each in value] if isinstance(value, (list, tuple)) else [_text(value)]
    like = any(fnmatch.fnmatchcase(text.lower(), asked.wanted.lower()) for text in texts or [""])
    return like != (asked.sign == "!=")


def _text(value: Any) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _rank(value: Any) -> Any:
    if isinstance(value, str):
        return value.lower()
    return len(value) if isinstance(value, (list, tuple)) else value
