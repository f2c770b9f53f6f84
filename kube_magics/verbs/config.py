"""`config`: what is set, and where; `NAME=VALUE` sets for this notebook, `NAME=` takes it back."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping

from kube_magics.errors import KubeMagicsError, OptionError
from kube_magics.jobs import defaults as here
from kube_magics.jobs.choose import backend_for, remember
from kube_magics.spec import defaults
from kube_magics.spec.credentials import suspicion
from kube_magics.spec.defaults import CONFIG, Place
from kube_magics.spec.limits import LIMITS
from kube_magics.spec.option import Option
from kube_magics.spec.options import BY_FIELD, OPTIONS, PLACE, SETTABLE
from kube_magics.spec.parse import nearest, split_known
from kube_magics.verbs.door import Call, Door
from kube_magics.verbs.table import aligned

MAGIC = "%kube config"
ALWAYS = ("context", "namespace", "backend", "image")
"""Shown although nothing sets them."""


def run(call: Call) -> None:
    """Nothing is set before all words are understood, and nothing is kept that leads nowhere."""
    place, changes = split_known(call.names, PLACE, MAGIC)
    wanted = dict(map(_change, changes))
    if not call.door.lasting:
        _check_lasting(wanted)
    for field, text in wanted.items():
        if text:
            Place(CONFIG, {field: text}).read(BY_FIELD[field])
    before = dict(here.configured)
    here.configured.update(wanted)
    for field in [field for field, text in wanted.items() if not text]:
        del here.configured[field]
    try:
        backend = backend_for(here.spec(place, PLACE))
    except KubeMagicsError:
        if wanted:
            here.configured.clear()
            here.configured.update(before)
        else:  # which of these leads nowhere is what people look for
            _show(place, call.door)
        raise
    if wanted.get("context"):
        remember(backend)
    _show(place, call.door)
    print(f"jobs run on {backend.where()}")


def _show(given: dict[str, object], door: Door) -> None:
    door.say("\n".join(aligned([("NAME", "VALUE", "FROM"), *_rows(given)])))
    for name, near in defaults.unknown_variables(os.environ):
        print(f"{name} sets nothing here: {near} is probably meant")


def _check_lasting(wanted: Mapping[str, str]) -> None:
    """A command of a terminal ends, and what it has set with it; only that a context is meant is remembered."""
    for field, text in wanted.items():
        if field != "context":
            option = BY_FIELD[field]
            fix = f"export {option.variable}={shlex.quote(text)}" if text else f"unset {option.variable}"
            raise OptionError(f"{MAGIC} {option.name}: a terminal's defaults stand in its environment.", hint=fix)


def _change(word: str) -> tuple[str, str]:
    """Field and text of one `NAME=VALUE`, the text unread; raises OptionError for what cannot be set."""
    name, equals, text = word.partition("=")
    option = BY_FIELD.get(name.strip("-").replace("-", "_"))
    if option is None or not option.settable:
        near = nearest(name, SETTABLE)
        why = f"{MAGIC} has no setting {name}."
        if option is not None:
            why = f"--{option.name} belongs to one job: it has no default."
        elif any(name.replace("-", "_") == limit.field for limit in LIMITS):
            why, near = f"{name} is the site's to set: by environment, or in IPython's configuration.", None
        fix = f"{MAGIC} {near}={text or 'VALUE'}" if near and option is None else "%%kubetrain?   (shows all options)"
        raise OptionError(why, hint=fix)
    if not equals and option.flag:
        text = "true"
    elif not equals:
        example = option.example.split(" ", 1)[1]
        raise OptionError(f"{MAGIC} {name} needs a value.", hint=f"{MAGIC} {option.name}={example}")
    return option.field, text


def _rows(given: dict[str, object]) -> list[tuple[str, str, str]]:
    found = []
    for option in (*OPTIONS, *LIMITS):
        if option.field in given:
            found.append((option.name, _text(given[option.field]), "line"))
        having = [place for place in here.places() if option.field in place.given]
        counting = having if option.many or option in LIMITS else having[:1]
        found += [(option.name, *_shown(option, place)) for place in counting]
        if not having and option.field in ALWAYS and option.field not in given:
            found.append((option.name, "-", "default"))
    return sorted(found, key=lambda row: row[0] not in ALWAYS)


def _shown(option: Option, place: Place) -> tuple[str, str]:
    where = f"{place.name}" if place.name == CONFIG else f"{place.name} ({place.typed(option).split()[-1].rstrip('=')})"
    try:
        value = place.read(option)
        return _text(value if option.many or option.flag else place.given[option.field]), where
    except OptionError as error:
        return f"wrong: {error.message}", where


def _text(value: object) -> str:
    """As it is typed; what looks like a credential is not shown."""
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, tuple):
        return str(value)
    pairs = [each if isinstance(each, tuple) else ("", each) for each in value]
    return " ".join(f"{name}={'…' if suspicion(name, text) else text}" if name else str(text) for name, text in pairs)
