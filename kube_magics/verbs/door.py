"""Who asks: a notebook, or a terminal; and what a verb is told of the line."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from kube_magics.backends.contract import Backend
from kube_magics.cells.notebook import Sent
from kube_magics.errors import OptionError
from kube_magics.jobs.choose import backend_for
from kube_magics.spec.job import JobSpec
from kube_magics.spec.names import checked_object
from kube_magics.spec.option import PREFIX
from kube_magics.spec.verbpages import NOTEBOOK
from kube_magics.spec.verbs import Verb


def _exported(found: re.Match[str]) -> str:
    """`%kube config NAME=VALUE`, and `NAME=`, of a shell whose environment has the defaults."""
    variable = PREFIX + found[1].upper().replace("-", "_")
    return f"export {variable}={found[2]}" if found[2] else f"unset {variable}"


_IN_A_TERMINAL: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (re.compile(r"%kube config (?!context=)([a-z-]+)=([^\s)]*)"), _exported),
    (re.compile(rf"%env ({PREFIX}\w+)=(?!\S)"), r"unset \1"),
    (re.compile(rf"%env (?={PREFIX})"), "export "),
    (re.compile(r'import os; os\.environ\["(\w+)"\] = (?=")'), r"export \1="),
    (re.compile(r'import os, getpass; os\.environ\["(\w+)"\] = getpass\.getpass\(\)'), r"read -rs \1; export \1"),
    (re.compile(r"%pip(?= install)"), "pip"),
    (re.compile(r"%kube\?"), "{} help"),
    (re.compile(r"%%kubetrain\?"), "{} run -h"),
    (re.compile(r"%%kubetrain(?! above)"), "{} run"),
    (re.compile(r"%kube(?= [a-z-]|$)"), "{}"),
    (re.compile(r"\b[Tt]his cell no longer waits"), "Nobody here waits any longer"),
    (re.compile(r"\brun (?:the|its) cell again"), "run it again"),
)
"""Sentences name what is typed in a notebook; who sits at a terminal types something else."""


@dataclass(frozen=True)
class Door:
    """Where a line was typed."""

    prog: str = NOTEBOOK
    namespace: MutableMapping[str, Any] = field(default_factory=dict)
    """Where values go."""
    sent: Callable[[str], Sent] = Sent
    """The running cell, from its text."""
    seen: Callable[[Any], None] = lambda _: None
    """Told what a slow verb has found so far, again with each more."""
    live: Callable[[Backend], object] | None = None
    """Makes the dashboard of a backend's jobs; None: nothing can be shown here that goes on changing."""
    lasting: bool = True
    """What is set, or bound, is there for the next line. False: the process ends with this one."""

    def say(self, text: str) -> None:
        """What a verb was asked for, in a sentence."""
        print(self.typed(text), flush=True)

    def note(self, text: str) -> None:
        """What goes with a job's own output; in a terminal, where that may go into a file, beside it."""
        print(self.typed(text), file=sys.stdout if self.lasting else sys.stderr, flush=True)

    def typed(self, text: str) -> str:
        """`text` with what it tells to type as it is typed here."""
        if self.prog != NOTEBOOK:
            for pattern, instead in _IN_A_TERMINAL:
                text = pattern.sub(instead.format(self.prog) if isinstance(instead, str) else instead, text)
        return text


@dataclass(frozen=True)
class Call:
    """One line, understood."""

    verb: Verb
    names: tuple[str, ...]
    """The words that are no options, each checked to be a name; all words, for a verb that reads its own line."""
    given: Mapping[str, Any]
    """The verb's own options, by field."""
    spec: JobSpec
    """Where: namespace, context, backend, with their defaults."""
    door: Door

    @property
    def backend(self) -> Backend:
        return backend_for(self.spec)


def checked_names(verb: Verb, words: list[str]) -> tuple[str, ...]:
    """The names of jobs that `verb` is given. Raises OptionError where they are too many or too few."""
    line = f"{NOTEBOOK} {verb.name}"
    if verb.most == 0 and words:
        raise OptionError(f"{line} takes no name, and {words[0]!r} was given.", hint=line)
    if len(words) < verb.least or (verb.most is not None and len(words) > verb.most):
        what = "the name of one job" if verb.most == 1 else "names of jobs"
        raise OptionError(f"{line} takes {what}.", hint=f"{NOTEBOOK} jobs   (shows the names)")
    return tuple(dict.fromkeys(map(checked_object, words)))
