"""`%kube doctor [--pull] [--json]`: what is well, what is lost, what is broken, and what to type."""

from __future__ import annotations

import json
from collections.abc import Sequence

from kube_magics.doctor.examine import examine
from kube_magics.doctor.line import Report
from kube_magics.errors import OptionError
from kube_magics.spec.option import Option
from kube_magics.spec.options import PLACE
from kube_magics.spec.parse import split_known

MAGIC = "%kube doctor"
OPTIONS: tuple[Option, ...] = (
    Option("pull", "Let a short pod pull the image; it is removed again.", None, default=False, example="--pull"),
    Option("json", "As text for programs.", None, default=False, example="--json"),
)
FIELDS = (*PLACE, "image")


def run(words: Sequence[str]) -> Report | None:
    """The report is the line's value; with --json its text is printed instead."""
    given, stray = split_known(words, FIELDS, MAGIC, OPTIONS)
    if stray:
        raise OptionError(f"{MAGIC} takes options only, and {stray[0]!r} is none.", hint=f"{MAGIC} --pull")
    as_text, pulls = given.pop("json", False), given.pop("pull", False)
    report = examine(given, pulls=pulls)
    if not as_text:
        return report
    print(json.dumps(report.json(), indent=2, ensure_ascii=False))
    return None
