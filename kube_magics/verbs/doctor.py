"""`doctor [--pull] [--json]`: what is well, what is lost, what is broken, and what to type."""

from __future__ import annotations

import json

from kube_magics.doctor.examine import examine
from kube_magics.doctor.line import Report
from kube_magics.errors import OptionError
from kube_magics.spec.options import PLACE
from kube_magics.spec.parse import split_known
from kube_magics.verbs.door import Call

MAGIC = "%kube doctor"
FIELDS = (*PLACE, "image")


def doctor(call: Call) -> Report | None:
    """The report is the line's value; with --json its text is printed instead."""
    given, stray = split_known(call.names, FIELDS, MAGIC, call.verb.options)
    if stray:
        raise OptionError(f"{MAGIC} takes options only, and {stray[0]!r} is none.", hint=f"{MAGIC} --pull")
    as_text, pulls = given.pop("json", False), given.pop("pull", False)
    report = examine(given, pulls=pulls)
    if not as_text:
        return report
    print(json.dumps(report.json(), indent=2, ensure_ascii=False))
    if report.broken and not call.door.lasting:
        raise SystemExit(1)  # in a pipeline the exit code counts, whoever reads the text
    return None
