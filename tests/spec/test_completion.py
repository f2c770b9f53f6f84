"""What may stand at the cursor of a line."""

from __future__ import annotations

import pytest

from kube_magics.spec.completion import wanted
from kube_magics.spec.options import OPTIONS
from kube_magics.spec.selection import STATES
from kube_magics.spec.verbs import VERBS

LISTS = {"jobs", "claims", "contexts", "namespaces", "images", "files", "names", "cell"}


@pytest.mark.parametrize("text", ["", "print(1)", "%%kubetrain", "%kube", "%kubernetes x", "%%kubetrainer --g"])
def test_what_is_no_line_of_ours(text: str) -> None:
    assert wanted(text) is None


@pytest.mark.parametrize(
    ("text", "fragment", "words"),
    [
        ("%kube ", "", ("help", *VERBS)),
        ("%kube logs ", "", ("<jobs>",)),
        ("%kube stop di", "di", ("<jobs>",)),
        ("%kube jobs ", "", ()),
        ("%kube help lo", "lo", tuple(VERBS)),
        ("%kube describe di", "di", ("<jobs>",)),
        ("%kube delete a b", "b", ("<jobs>",)),
        ("%kube jobs --status run", "run", STATES),
        ("%kube gpus --sort-by node,fr", "fr", ("node", "product", "total", "used", "free", "ready")),
        ("%kube gpus --filter ", "", ("node=", "product=", "total=", "used=", "free=", "ready=")),
        ("%kube logs x --namespace te", "te", ("<namespaces>",)),
        ("%kube logs x -n te", "te", ("<namespaces>",)),
        ("%%kubetrain --gpus ", "", ()),
        ("%%kubetrain --pip=au", "au", ("auto", "none")),
        ("%%kubetrain --volume da", "da", ("<claims>",)),
        ("%%kubetrain --files a.py,b", "b", ("<files>",)),
        ("%kube run train.py -- --gpus da", "da", ("<files>",)),
        ("%kube config backend=l", "l", ("kubernetes", "local")),
        ("%kube config no-such=l", "no-such=l", None),
    ],
)
def test_what_may_stand_there(text: str, fragment: str, words: tuple[str, ...] | None) -> None:
    found = wanted(text)
    assert found is not None
    assert found.fragment == fragment
    assert words is None or found.words == words


def test_the_lists_of_the_table_are_those_that_there_are() -> None:
    named = {word.strip("<>") for option in OPTIONS for word in option.complete.split() if word.startswith("<")}
    assert named <= LISTS
