"""A job's pods as text: a line each, and whatever stands in the cluster is no more than words in it."""

from __future__ import annotations

from kube_magics.telemetry.pods import Container, Pod
from kube_magics.verbs import pods

RUNS = Container("main", "running", since=40.0)
KILLED = Container("main", "ended", "OOMKilled", exit_code=137, restarts=2, since=95.0)


def pod(name: str, index: str = "", *containers: Container, said: str = "", reason: str = "") -> Pod:
    return Pod(name, index, "Running", reason, said, "node-1", 10.0, 0, containers)


def test_an_indexed_job() -> None:
    text = pods.shown([pod("x-0-a", "0", RUNS), pod("x-1-b", "1", KILLED, reason="OOMKilled")], 100.0)
    assert text.splitlines() == [
        "POD    INDEX  PHASE    REASON     RESTARTS  AGE         NODE",
        "x-0-a  0      Running  -          0         1 min 30 s  node-1",
        "    main: running for 1 min 0 s",
        "x-1-b  1      Running  OOMKilled  0         1 min 30 s  node-1",
        "    main: ended 5.0 s ago: OOMKilled, exit code 137, restarts: 2",
    ]


def test_one_pod_alone_has_no_index_and_each_word_is_one_line() -> None:
    hostile = Container("main\n\x1b[2J", "waiting", "ErrImagePull", "no\nsuch <img src=x>\x9b")
    lines = pods.shown([pod("x", "", hostile, said="a\x1b]0;t\x07\nb")], 100.0).splitlines()
    assert len(lines) == 4
    assert lines[0].split() == ["POD", "PHASE", "REASON", "RESTARTS", "AGE", "NODE"]
    assert all(line.isprintable() for line in lines)
    assert "such <img src=x>" in lines[3], "text, as it is: the page makes no HTML of it"


def test_of_very_many_the_first_are_shown_and_the_rest_counted() -> None:
    text = pods.shown([pod(f"x-{number}") for number in range(pods.MOST_PODS + 7)], 100.0)
    assert text.splitlines()[-2:] == [
        f"x-{pods.MOST_PODS - 1}  Running  -       0         1 min 30 s  node-1",
        "and 7 more pods",
    ]
