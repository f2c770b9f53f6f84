"""The guarantees at the top of `spec.names`."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kube_magics.errors import OptionError
from kube_magics.spec import names

DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
LABEL_VALUE = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
texts = st.text(st.characters()) | st.text(st.characters(codec="ascii"), min_size=40, max_size=90)


@given(texts)
def test_a_fresh_name_is_valid_wherever_it_stands(text: str) -> None:
    name = names.fresh_name(text)
    assert DNS_LABEL.fullmatch(name)
    assert len(name) <= names.LONGEST_NAME
    assert len(f"{name}-3f2a9c01-9") <= 63
    assert names.checked_name("--name", name) == name
    assert not set(name[-5:]) & set("aeiou01l3")


@given(texts)
def test_a_job_that_is_submitted_ever_again_has_new_names_that_do_not_grow(text: str) -> None:
    first = names.name_after(names.stem(text))
    second = names.name_after(first)
    assert first != second
    assert first[:-5] == second[:-5]
    assert names.checked_name("--name", second) == second


@given(texts)
def test_a_name_is_taken_as_it_is_or_refused_with_one_that_is_taken(text: str) -> None:
    try:
        assert names.checked_name("--name", text) == text
        assert DNS_LABEL.fullmatch(text)
        assert len(text) <= names.LONGEST_NAME
    except OptionError as error:
        nearest = str(error.hint).removeprefix("--name ")
    else:
        return
    assert names.checked_name("--name", nearest) == nearest


@given(texts)
def test_a_label_value_is_valid(text: str) -> None:
    value = names.label_value(text)
    assert LABEL_VALUE.fullmatch(value)
    assert len(value) <= 63
    assert names.label_value(text) == value


@given(st.lists(texts, unique=True))
def test_different_texts_give_different_label_values(several: list[str]) -> None:
    values = {names.label_value(text) for text in several}
    assert len(values) == len(several)


def test_a_changed_value_is_no_other_texts_own() -> None:
    for text in ("a b.ipynb", "", "x" * 70):
        changed = names.label_value(text)
        assert names.label_value(changed) != changed


@pytest.mark.parametrize(
    ("text", "stem"), [("Digits SVM.ipynb", "digits-svm-ipynb"), ("日本", "cell"), ("--", "cell"), ("a" * 60, "a" * 46)]
)
def test_stems(text: str, stem: str) -> None:
    assert names.stem(text) == stem
