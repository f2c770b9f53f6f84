"""What Tab offers on a magic's line: from the text before the cursor to words, and to lists that only a place knows.

A list is named as in the table: `<jobs>`, `<claims>`, `<contexts>`, `<namespaces>`, `<images>`, `<files>`,
`<names>` (of the notebook), `<cell>` (what the cell sets). `<columns>` is a verb's own: its words stand here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from kube_magics.spec.option import Option
from kube_magics.spec.options import BY_FIELD, OPTIONS, PLACE, SETTABLE
from kube_magics.spec.verbs import VERBS

CELL, LINE = "%%kubetrain", "%kube"
_PLACE = tuple(BY_FIELD[field] for field in PLACE)


@dataclass(frozen=True)
class Wanted:
    """What may stand at the cursor."""

    fragment: str
    """What of it is there already."""
    words: tuple[str, ...]
    """Words, and names of lists."""


def wanted(text: str) -> Wanted | None:
    """`text` is the line up to the cursor; None: it is none of ours."""
    magic, *words = text.lstrip().split(" ")
    if magic not in (CELL, LINE) or not words:
        return None
    last, before = words[-1], [word for word in words[:-1] if word]
    if magic == CELL:
        return _option(OPTIONS, before, last) or Wanted(last, _names(OPTIONS))
    if not before:
        return Wanted(last, ("help", *VERBS))
    return _verb(before[0], before[1:], last)


def _verb(verb: str, before: Sequence[str], last: str) -> Wanted:
    if "--" in before:
        return Wanted(last, ("<files>",))
    row = VERBS.get(verb)
    known = OPTIONS if verb == "run" else (*_PLACE, *(row.options if row else ()))
    if verb == "create" and before[-1:] in (["-f"], ["--filename"]):
        return Wanted(last, ("<files>",))
    found = _option(known, before, last)
    if found is not None and row is not None:
        columns = {
            mark: tuple(f"{each.name}{mark[9:]}" for each in row.columns) for mark in ("<columns>", "<columns>=")
        }
        return replace(found, words=tuple(word for each in found.words for word in columns.get(each, (each,))))
    if verb == "config":
        return _setting(last)
    if verb == "help":
        return Wanted(last, tuple(VERBS))
    return Wanted(last, tuple(row.complete.split()) if row else ())


def _setting(last: str) -> Wanted:
    name, equals, text = last.partition("=")
    option = BY_FIELD.get(name.replace("-", "_"))
    if equals and option is not None:
        return Wanted(text, _values(option))
    return Wanted(last, tuple(f"{each.name}=" for each in SETTABLE))


def _option(known: Sequence[Option], before: Sequence[str], last: str) -> Wanted | None:
    """An option's name, or its value; None: neither stands here."""
    by_name = {typed: option for option in known for typed in (f"--{option.name}", option.short) if typed}
    typed, equals, text = last.partition("=")
    if equals and typed in by_name:
        return _value(by_name[typed], text)
    if last.startswith("-"):
        return Wanted(last, _names(known))
    option = by_name.get(before[-1]) if before else None
    return _value(option, last) if option is not None and not option.flag and option.bare is None else None


def _value(option: Option, text: str) -> Wanted:
    return Wanted(text.rpartition(",")[2], _values(option))


def _values(option: Option) -> tuple[str, ...]:
    return ("true", "false") if option.flag else tuple(option.complete.split())


def _names(known: Sequence[Option]) -> tuple[str, ...]:
    return tuple(f"--{option.name}" for option in known)
