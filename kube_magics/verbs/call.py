"""From the words of a line to the verb's function: the same at every door."""

from __future__ import annotations

import importlib
import json
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kube_magics.errors import OptionError
from kube_magics.jobs import defaults
from kube_magics.jobs.debugging import Debugging
from kube_magics.spec.options import PLACE
from kube_magics.spec.parse import split_known, unknown_word
from kube_magics.spec.verbpages import NOTEBOOK, help_text, verb_help
from kube_magics.spec.verbs import VERBS
from kube_magics.verbs.door import Call, Door, checked_names

_OWN: tuple[str, ...] = ("debug",)
"""What is looked for on the line of a verb that reads its own."""
HELP = ("help", "-h", "--help")
_HOMES: Mapping[str, str] = {
    "run": "run:run",
    "create": "create:run",
    "jobs": "jobs:jobs",
    "dashboard": "jobs:dashboard",
    "logs": "logs:logs",
    "attach": "attach:attach",
    "rerun": "rerun:rerun",
    "stop": "ending:stop",
    "delete": "ending:delete",
    "describe": "describe:describe",
    "why": "why:why",
    "events": "events:events",
    "yaml": "manifest:manifest",
    "gpus": "nodes:gpus",
    "nodes": "nodes:nodes",
    "config": "config:run",
    "doctor": "doctor:doctor",
}
"""Module and function of each verb; imported when it is called: a terminal pays for what it asks, and no more."""


def call(words: Sequence[str], door: Door, debugging: Debugging) -> object:
    """Run one verb; what it gives is for the door to show, None where all is said."""
    name, *rest = words or ["help"]
    if name in HELP:
        print(_help(rest, door))
        return None
    if name not in VERBS:
        raise _behind_its_verb(words) or unknown_word(name, VERBS, NOTEBOOK, "verb")
    verb = VERBS[name]
    ours = rest[: rest.index("--")] if "--" in rest else rest
    if {"-h", "--help"} & set(ours):
        print(verb_help(verb, door.prog))
        return None
    if verb.own_line:
        given, names, fields = _asks(ours), tuple(rest), _OWN
    else:
        given, left = split_known(rest, PLACE, f"{NOTEBOOK} {name}", verb.options)
        names, fields = checked_names(verb, left), tuple(PLACE)
    spec = defaults.spec({field: given.pop(field) for field in fields if field in given}, fields)
    debugging.on(spec.debug)
    answer = _function(name)(Call(verb, names, given, spec, door))
    if given.get("json"):
        assert hasattr(answer, "json"), name
        sys.stdout.write(json.dumps(answer.json(), indent=2, ensure_ascii=False) + "\n")
        return None
    return answer


def _behind_its_verb(words: Sequence[str]) -> OptionError | None:
    """The error for `-n team jobs`, as it is typed for kubectl; None: no verb comes after."""
    at = next((at for at, word in enumerate(words) if word in VERBS), None)
    if not words[0].startswith("-") or at is None:
        return None
    meant = shlex.join([words[at], *words[at + 1 :], *words[:at]])
    return OptionError(f"{NOTEBOOK} takes its verb first, then options.", hint=f"{NOTEBOOK} {meant}")


def _help(words: Sequence[str], door: Door) -> str:
    if not words:
        return help_text(door.prog)
    if words[0] not in VERBS:
        raise unknown_word(words[0], VERBS, NOTEBOOK, "verb")
    return verb_help(VERBS[words[0]], door.prog)


def _asks(words: Sequence[str]) -> dict[str, Any]:
    """Whether --debug is on the line of a verb that reads its own."""
    typed = [word for word in words if word.partition("=")[0] == "--debug"]
    return split_known(typed, ("debug",), NOTEBOOK)[0]


def _function(name: str) -> Callable[[Call], Any]:
    module, _, function = _HOMES[name].partition(":")
    found: Callable[[Call], Any] = getattr(importlib.import_module(f"kube_magics.verbs.{module}"), function)
    return found
