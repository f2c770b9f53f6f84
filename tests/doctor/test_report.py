"""All lines as text, HTML and JSON."""

from __future__ import annotations

import json

from kube_magics.doctor.line import Report, broken, degraded, of_error, ok, row
from kube_magics.errors import Unreachable

REPORT = Report(
    (
        ok("clock", "as the cluster's"),
        degraded("GPUs", "none <b>here</b>", "ask"),
        of_error("connection", Unreachable("No answer.", said="one\ntwo", hint="check the network")),
    )
)


def test_text() -> None:
    assert repr(REPORT).splitlines() == [
        "ok        clock         as the cluster's",
        "degraded  GPUs          none <b>here</b>",
        "                        next: ask",
        "broken    connection    No answer.",
        "                        said: one",
        "                        said: two",
        "                        next: check the network",
        "1 ok, 1 degraded, 1 broken",
    ]


def test_what_a_cluster_says_does_nothing_to_a_terminal() -> None:
    said = "\x1b]0;title\x07\x1b[2Jno\x9bm"
    assert row(broken("job", "a\x1bb", "ask", said)).splitlines()[1].endswith(r"said: \x1b]0;title\x07\x1b[2Jno\x9bm")
    assert "\x1b" not in row(broken("job", "a\x1bb", "ask", said))


def test_html_shows_what_a_cluster_says_as_text() -> None:
    html = REPORT._repr_html_()
    assert "none &lt;b&gt;here&lt;/b&gt;" in html
    assert "next: <code>check the network</code>" in html
    assert html.count("<tr>") == 3


def test_json() -> None:
    found = json.loads(json.dumps(REPORT.json()))
    assert found["broken"] is True
    assert found["lines"][1] == {
        "state": "degraded",
        "check": "GPUs",
        "text": "none <b>here</b>",
        "hint": "ask",
        "said": None,
    }


def test_only_what_is_broken_makes_it_broken() -> None:
    assert not Report((ok("a", "b"), degraded("a", "b", "c"))).broken
    assert Report((broken("a", "b", "c"),)).broken
