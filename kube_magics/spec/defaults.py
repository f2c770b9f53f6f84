"""Where the value of an option comes from: line > %kube config > environment > IPython config > default.

Of an option that may be given more than once the places add up: what a site sets for everyone stays, beside what a line
adds; of two values about the same thing (a variable, a path, a label's key) the nearer one counts.
"""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kube_magics.errors import OptionError
from kube_magics.spec.job import JobSpec
from kube_magics.spec.limits import LIMITS, Rule
from kube_magics.spec.option import PREFIX, Option
from kube_magics.spec.options import SETTABLE
from kube_magics.spec.parse import value

CONFIG, ENVIRONMENT, IPYTHON = "%kube config", "environment", "IPython config"
OTHER_VARIABLES = ("STATE", "NOTEBOOK", "ON_INTERRUPT")
"""Of the same prefix, and no options."""


@dataclass(frozen=True)
class Place:
    """Values, unread, of one of the places."""

    name: str
    given: Mapping[str, Any]
    """By field."""

    def typed(self, option: Option) -> str:
        """How an option's value is given there."""
        if self.name == CONFIG:
            return f"%kube config {option.name}="
        return f"%env {option.variable}=" if self.name == ENVIRONMENT else f"c.KubeMagics.{option.field}="

    def read(self, option: Option) -> Any:
        """The option's value there; raises OptionError, which names the place."""
        raw = self.given[option.field]
        name = self.typed(option)
        if option.many and isinstance(raw, str) and self.name != IPYTHON:
            try:
                raw = shlex.split(raw)
            except ValueError as error:
                raise OptionError(f"{name}{raw}: {error}.", hint=f"{name}'{option.example.split(' ', 1)[1]}'") from None
        return value(option, name, raw)


def from_environment(environment: Mapping[str, str]) -> Place:
    """What is set there; an empty variable sets nothing."""
    named = {option.field: environment.get(option.variable) for option in (*SETTABLE, *LIMITS)}
    return Place(ENVIRONMENT, {field: text for field, text in named.items() if text})


def unknown_variables(environment: Iterable[str]) -> list[tuple[str, str]]:
    """Variables that look like an option's and are none, each with the one that was probably meant."""
    known = [*(option.variable for option in (*SETTABLE, *LIMITS)), *(PREFIX + name for name in OTHER_VARIABLES)]
    strange = sorted(name for name in environment if name.startswith(PREFIX) and name not in known)
    near = ((name, difflib.get_close_matches(name, known, 1, cutoff=0.9)) for name in strange)
    return [(name, found[0]) for name, found in near if found]


def resolved(given: Mapping[str, Any], places: Sequence[Place], fields: Iterable[str] | None = None) -> JobSpec:
    """The job of a line that gives the checked values `given`; `places` in their order. `fields`: only these are looked
    for, so that a verb is not refused for a setting that it does not need."""
    values = dict(given)
    for option in SETTABLE:
        if fields is not None and option.field not in fields:
            continue
        having = [place for place in places if option.field in place.given]
        if option.many:
            layers = [given.get(option.field, ()), *(place.read(option) for place in having)]
            values[option.field] = _together(option, layers)
        elif option.field not in given and having:
            values[option.field] = having[0].read(option)
    return JobSpec(**values, given=frozenset(given))


def rules(places: Iterable[Place]) -> list[Rule]:
    """The limits of the site: those of every place, so that none takes another one back."""
    return [
        Rule(limit.field, place.read(limit), place.typed(limit).removeprefix("%env ").rstrip("="))
        for place in places
        for limit in LIMITS
        if limit.field in place.given
    ]


def _together(option: Option, layers: Iterable[tuple[Any, ...]]) -> tuple[Any, ...]:
    """Of `layers`, the nearest first; what is furthest away stands first."""
    same = option.same or (lambda found: found)
    seen: set[object] = set()
    kept: list[Any] = []
    for layer in layers:
        kept[:0] = [each for each in layer if same(each) not in seen]
        seen |= {same(each) for each in layer}
    return tuple(kept)
