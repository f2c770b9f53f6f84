"""What the pages name exists: options, verbs, variables, errors, the protocol's own words, and the numbers."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

import kube_magics
from kube_magics import errors
from kube_magics.cluster import rightspage
from kube_magics.jobs import interrupt
from kube_magics.manifests import bundle
from kube_magics.runner import ending, images, protocol
from kube_magics.spec import errorpage, names
from kube_magics.spec.limits import LIMITS
from kube_magics.spec.options import OPTIONS
from kube_magics.spec.verbs import VERBS
from tests.docs.blocks import DOCS, pages

OTHERS = {
    *("--namespace", "--image", "--field-selector", "--from-file", "--execution-timeout"),  # of kubectl and papermill
    *("--lr", "--checkpoint", "--prefix"),  # of scripts, and of what is compared with
}
OF_VERBS = [option for verb in VERBS.values() for option in verb.options]
VARIABLES = {f"KUBE_MAGICS_{each.field.upper()}" for each in (*OPTIONS, *LIMITS)} | {
    interrupt.VARIABLE,
    *("KUBE_MAGICS_STATE", "KUBE_MAGICS_NAME", "KUBE_MAGICS_BUNDLE", "KUBE_MAGICS_BUNDLE_SHA256"),
}


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_options_verbs_and_variables_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    options = {f"--{each.name}" for each in (*OPTIONS, *OF_VERBS)} | OTHERS
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text)) <= options
    verbs = {*VERBS, "help"}
    assert set(re.findall(r"%kube ([a-z]+)", text)) <= verbs
    assert set(re.findall(r"kube-magics ([a-z]+)", text)) <= verbs | {"completion"}
    assert set(re.findall(r"KUBE_MAGICS_[A-Z0-9_]*[A-Z0-9]", text)) <= VARIABLES
    known = {"Options", *vars(errors)}
    assert set(re.findall(r"\[(\w+)\]\(errors\.md#", text)) <= known


def test_the_page_of_errors_is_made_from_their_docstrings() -> None:
    assert (DOCS / "errors.md").read_text("utf-8") == errorpage.page(), "stale: make fix"


def test_every_error_says_what_it_is_why_it_comes_and_what_to_do() -> None:
    above = {base for found in _errors() for base in found.__bases__}
    for found in (*_errors(), errors.Detached):
        what, why, fix = errorpage.parts(found)
        assert what.endswith(".")
        # Those that are raised; what only stands for others has nothing to fix.
        assert (why is None) == (fix is None) == (found in above and found not in _RAISED), found.__name__


def test_the_tree_of_errors_is_the_tree_of_their_classes() -> None:
    drawn = re.findall(r"^    ([ │]*)[├└]── (\w+)", inspect.getdoc(errors) or "", re.MULTILINE)
    depths = {name: len(indent) // 4 for indent, name in drawn}
    assert depths == {found.__name__: found.__mro__.index(errors.KubeMagicsError) - 1 for found in _errors()}


_RAISED = {errors.OptionError, errors.CaptureError, errors.JobFailed, errors.JobStopped}
"""Although others are kinds of them."""


def _errors() -> list[type[errors.KubeMagicsError]]:
    found = [
        each for each in vars(errors).values() if inspect.isclass(each) and issubclass(each, errors.KubeMagicsError)
    ]
    return [each for each in found if each is not errors.KubeMagicsError]


def test_the_page_of_python_has_all_that_is_public() -> None:
    text = (DOCS / "python.md").read_text("utf-8")
    assert [name for name in kube_magics.__all__ if name not in text] == []
    public = [name for name in vars(kube_magics.Job) if not name.startswith("_")]
    assert [name for name in (*public, "name") if f"`{name}" not in text] == []


def test_the_page_of_the_protocol_has_its_words_and_numbers() -> None:
    text = (DOCS / "protocol.md").read_text("utf-8")
    events = re.findall(r"^    (\w+) {2,}\S", inspect.cleandoc(protocol.__doc__ or ""), re.MULTILINE)
    events = [each for each in events if not each.startswith("0x") and each != "anything"]
    assert len(events) >= 13
    assert [each for each in events if f"`{each}`" not in text] == []
    marks = {name: value for name, value in vars(names).items() if name.startswith(("LABEL_", "ANNOTATION_"))}
    assert [each for each in marks.values() if f"`{each}`" not in text] == []
    for code in (protocol.OWN_FAILURE, protocol.TIMED_OUT, ending.STOPPED):
        assert f"\n| {code} |" in text
    sizes = {
        "at most 12 KiB": protocol.MAX_EVENT_BYTES == 12 << 10,
        "Results up to 1 MiB": protocol.RESULT_LIMIT_BYTES == 1 << 20,
        "nothing else was said for 4 s": protocol.HEARTBEAT_S == 4,
        "at most 256 KiB": images.EACH_BYTES == 256 << 10,
        "at most 4 KiB": ending.TERMINATION_BYTES == 4 << 10,
        "up to 64 KiB of base64": bundle.LITERAL_LIMIT_BYTES == 64 << 10,
        "of 900 KiB each": bundle.CONFIG_MAP_BYTES == 900 << 10,
        "above 4 MiB in all": bundle.TOTAL_LIMIT_BYTES == 4 << 20,
        "at most 52 characters": names.LONGEST_NAME == 52,
    }
    assert [said for said, true in sizes.items() if not (true and said in " ".join(text.split()))] == []


def test_the_page_of_rights_is_made_from_their_table() -> None:
    assert (DOCS / "rights.md").read_text("utf-8") == rightspage.page(), "stale: make fix"
