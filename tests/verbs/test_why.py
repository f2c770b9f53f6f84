"""`why` as text, as HTML, as JSON: whatever a cluster or a program says is text there."""

from __future__ import annotations

import json

from kube_magics.telemetry.why import CAUSE, UNKNOWN, Why
from kube_magics.verbs.why import Answer

SAID = "exceeded <quota>: \x1b[31mq\nsecond line"
FOUND = Why(CAUSE, "The quota does not allow it.", "quota", SAID, "%kube jobs\nor ask for less")


def test_as_people_read_it() -> None:
    assert repr(Answer("digits", "pending", "lab", FOUND)) == (
        "digits (pending): The quota does not allow it.\n"
        "  said: exceeded <quota>: \\x1b[31mq\n"
        "  said: second line\n"
        "  next: %kube jobs\n"
        "  next: or ask for less"
    )


def test_as_a_notebook_shows_it() -> None:
    shown = Answer("<b>", "pending", "lab", FOUND)._repr_html_()
    assert "<div>&lt;b&gt; (pending): The quota does not allow it.</div>" in shown
    assert "<quota>" not in shown
    assert "\x1b" not in shown


def test_as_programs_take_it() -> None:
    unknown = Why(UNKNOWN, "It is pending, and why is not known.", seen=("x",))
    answer = Answer("digits", "pending", "lab", unknown, ("You may not list events.",))
    assert json.loads(json.dumps(answer.json())) == {
        "kind": "why",
        "job": "digits",
        "where": "lab",
        "status": "pending",
        "verdict": "unknown",
        "cause": None,
        "sentence": "It is pending, and why is not known.",
        "said": None,
        "next": None,
        "seen": ["x"],
        "notes": ["You may not list events."],
    }
    assert repr(answer).splitlines()[1:] == ["  seen: x", "You may not list events."]
