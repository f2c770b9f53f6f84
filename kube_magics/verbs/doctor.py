"""`doctor [--pull] [--admin] [--json]`: what is well, what is lost, what is broken, and what to type."""

from __future__ import annotations

import json
import re
from dataclasses import replace

from kube_magics.doctor.examine import examine
from kube_magics.doctor.line import Line, Report
from kube_magics.errors import OptionError
from kube_magics.jobs import defaults
from kube_magics.spec.defaults import IPYTHON
from kube_magics.spec.options import BY_FIELD, PLACE
from kube_magics.spec.parse import split_known
from kube_magics.verbs.door import Call, Door

MAGIC = "%kube doctor"
FIELDS = (*PLACE, "image")
_TAKEN_BACK = re.compile(r"%kube config ([a-z-]+)=(?!\S)")


def doctor(call: Call) -> Report | None:
    """The report is the line's value, shown line by line as it comes; with --json its text is printed instead."""
    given, stray = split_known(call.names, FIELDS, MAGIC, call.verb.options)
    if stray:
        raise OptionError(f"{MAGIC} takes options only, and {stray[0]!r} is none.", hint=f"{MAGIC} --pull")
    as_text, pulls, admin = (given.pop(name, False) for name in ("json", "pull", "admin"))
    report = Report(())
    for line in examine(given, pulls=pulls, admin=admin):
        report = Report((*report.lines, _typed(line, call.door)), whole=False)
        if not as_text:
            call.door.seen(report)
    report = replace(report, whole=True)
    if not as_text:
        return report
    print(json.dumps(report.json(), indent=2, ensure_ascii=False))
    if report.broken and not call.door.lasting:
        raise SystemExit(1)  # in a pipeline the exit code counts, whoever reads the text
    return None


def _typed(line: Line, door: Door) -> Line:
    hint = door.typed(_TAKEN_BACK.sub(_where_it_is_set, line.hint)) if line.hint else None
    return replace(line, text=door.typed(line.text), hint=hint)


def _where_it_is_set(found: re.Match[str]) -> str:
    """`%kube config NAME=` takes back what `%kube config` has set, and nothing else."""
    option = BY_FIELD[found[1].replace("-", "_")]
    place = next((place for place in defaults.places() if option.field in place.given), None)
    if place is None:
        return found[0]
    return f"%config KubeMagics.{option.field} = None" if place.name == IPYTHON else place.typed(option)
