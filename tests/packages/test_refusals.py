"""What uv and pip say when they cannot install something, as they said it, and what is made of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kube_magics.runner.distributions import Installed
from kube_magics.runner.refusals import explain

HAVE = Installed({"numpy": ("1.26.4", [])})
_HEAD = re.compile(r"^=== (.+) => (.+)\n", re.MULTILINE)


def cases() -> dict[str, tuple[str, str]]:
    """Name -> what was said, part of the sentence."""
    _, *parts = _HEAD.split(Path(__file__).with_name("refusals.cases").read_text())
    return {name: (said, sentence) for name, sentence, said in zip(parts[::3], parts[1::3], parts[2::3], strict=True)}


@pytest.mark.parametrize("case", cases())
def test_each_is_told_in_a_sentence_and_quoted(case: str) -> None:
    said, sentence = cases()[case]
    told, quoted, fix = explain(said, ["x==1.0"], HAVE)
    assert sentence in told
    assert not told.endswith(".")
    assert set(quoted) <= {line.rstrip() for line in said.splitlines()}
    assert quoted
    assert fix.startswith(("--", "correct", "another", "ask"))
