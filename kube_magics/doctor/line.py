"""One finding of the doctor, and all of them as text, HTML and JSON."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from html import escape

from kube_magics.errors import KubeMagicsError, harmless

OK, DEGRADED, BROKEN = "ok", "degraded", "broken"
_COLOURS = {OK: "#2e7d32", DEGRADED: "#b26a00", BROKEN: "#c62828"}
_CHECK = len("Pod Security")
"""No check has a longer name."""
_CELL = "text-align: left; vertical-align: top; padding: 2px 10px 2px 0"


@dataclass(frozen=True)
class Line:
    """What was looked at, how it is, and what to type where it is not well."""

    state: str
    """ok; degraded: something is lost, and jobs run; broken: no job does."""
    check: str
    """One or two words: `kubeconfig`, `quota`."""
    text: str
    """A sentence, or its like."""
    hint: str | None = None
    """What to type, or whom to ask."""
    said: str | None = None
    """By the cluster, verbatim."""


def ok(check: str, text: str) -> Line:
    return Line(OK, check, text)


def degraded(check: str, text: str, hint: str | None, said: str | None = None) -> Line:
    return Line(DEGRADED, check, text, hint, said)


def broken(check: str, text: str, hint: str | None, said: str | None = None) -> Line:
    return Line(BROKEN, check, text, hint, said)


def of_error(check: str, error: KubeMagicsError, state: str = BROKEN) -> Line:
    """An error says all that a line has to; where it sends people here, that is no advice any more."""
    hint = error.hint.replace("%kube doctor", "check the network or the VPN") if error.hint else None
    return Line(state, check, error.message, hint, error.said)


@dataclass(frozen=True, repr=False)
class Report:
    """All lines, in a fixed order; shown by itself where it is a cell's value."""

    lines: tuple[Line, ...]
    whole: bool = True
    """False: there are lines to come."""

    @property
    def broken(self) -> bool:
        """Whether anything is."""
        return any(line.state == BROKEN for line in self.lines)

    @property
    def summary(self) -> str:
        """How many of each state there are."""
        if not self.whole:
            return "looking further …"
        count = {state: sum(line.state == state for line in self.lines) for state in (OK, DEGRADED, BROKEN)}
        return ", ".join(f"{number} {state}" for state, number in count.items())

    def json(self) -> dict[str, object]:
        """The same for programs."""
        return {"kind": "doctor", "broken": self.broken, "lines": [asdict(line) for line in self.lines]}

    def text(self) -> str:
        """The lines and the summary."""
        return "\n".join([*map(row, self.lines), self.summary])

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        rows = "".join(_html(line) for line in self.lines)
        return f"<table>{rows}</table><p>{escape(self.summary)}</p>"


def row(line: Line) -> str:
    """One line, in columns that are the same for all, whatever comes later; what was said and what to type below it."""
    margin = " " * (len(DEGRADED) + _CHECK + 4)
    first = f"{line.state:<{len(DEGRADED)}}  {line.check:<{_CHECK}}  {line.text}"
    return harmless("\n".join([first, *(f"{margin}{name}: {text}" for name, text in _more(line))]))


def _more(line: Line) -> Iterable[tuple[str, str]]:
    yield from (("said", text) for text in (line.said or "").splitlines())
    yield from (("next", text) for text in (line.hint or "").splitlines())


def _html(line: Line) -> str:
    more = "".join(f"<br>{name}: <code>{escape(text)}</code>" for name, text in _more(line))
    state = f'<td style="{_CELL}; color: {_COLOURS[line.state]}"><b>{line.state}</b></td>'
    texts = "".join(f'<td style="{_CELL}">{text}</td>' for text in (escape(line.check), escape(line.text) + more))
    return f"<tr>{state}{texts}</tr>"
