"""The table of verbs, and what is made from it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from kube_magics.spec.columns import JOBS
from kube_magics.spec.options import BY_FIELD, PLACE
from kube_magics.spec.parse import split_known
from kube_magics.spec.verbpages import help_text, page, verb_help
from kube_magics.spec.verbs import VERBS, Verb
from kube_magics.verbs.call import _HOMES, _function

PAGE = Path(__file__).parents[2] / "docs" / "verbs.md"


def test_the_page_of_verbs_is_made_from_the_table() -> None:
    assert PAGE.read_text("utf-8") == page(), "stale: make fix"


def test_every_verb_has_a_function_and_every_function_a_verb() -> None:
    assert set(_HOMES) == set(VERBS)
    assert all(callable(_function(name)) for name in VERBS)


@pytest.mark.parametrize("verb", VERBS.values(), ids=lambda verb: verb.name)
def test_help_and_page_say_all_of_a_verb(verb: Verb) -> None:
    told, text = verb_help(verb), page()
    assert f"%kube {verb.usage}" in told
    assert f"## {verb.name}\n" in text
    assert verb.help in text
    assert verb.name in help_text()
    for option in verb.options:
        assert f"--{option.name}" in told
        assert f"`--{option.name}`" in text
    for column in verb.columns:
        assert column.name in told
        assert f"| `{column.name}` |" in text


@pytest.mark.parametrize(
    ("verb", "example"),
    [(verb, example) for verb in VERBS.values() if not verb.own_line for example in verb.examples],
    ids=lambda found: found if isinstance(found, str) else "",
)
def test_examples_are_right(verb: Verb, example: str) -> None:
    name, *words = shlex.split(example)
    assert name == verb.name
    _, names = split_known(words, PLACE, f"%kube {name}", verb.options)
    assert len(names) >= verb.least
    assert verb.most is None or len(names) <= verb.most


@pytest.mark.parametrize("verb", VERBS.values(), ids=lambda verb: verb.name)
def test_no_option_has_two_meanings(verb: Verb) -> None:
    typed = [word for each in verb.options for word in (f"--{each.name}", each.short) if word]
    place = [word for field in PLACE for word in (f"--{BY_FIELD[field].name}", BY_FIELD[field].short) if word]
    assert len({*typed, *place}) == len(typed) + len(place)


def test_names_of_columns_say_their_units() -> None:
    assert not [each for each in JOBS if each.kind == "duration" and not each.name.endswith("_s")]
    assert not [each for each in JOBS if each.kind == "time" and not each.name.endswith("_at")]
    for verb in VERBS.values():
        names = [each.name for each in verb.columns]
        assert len(set(names)) == len(names)
        assert all(re.fullmatch(r"[a-z][a-z_]*", name) for name in names)
