"""`%kube VERB …`: the verbs of `kube_magics.verbs`, in a notebook."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

from kube_magics.doctor.line import Report
from kube_magics.jobs.debugging import Debugging
from kube_magics.jobs.show import warn
from kube_magics.magics import line as lines
from kube_magics.magics import notebook as notebooks
from kube_magics.magics.doctor import Live
from kube_magics.spec.verbpages import NOTEBOOK
from kube_magics.verbs.call import call
from kube_magics.verbs.table import Table


def run(shell: Any, line: str, debugging: Debugging) -> object:
    """Run one verb; what it returns is shown as the line's value."""
    words = lines.tokens(line, shell.user_ns, NOTEBOOK)
    live = Live(shell)
    answer = call(words, replace(notebooks.door(shell), seen=live), debugging)
    if isinstance(answer, Report) and live.used:
        return live.end(answer)
    # A DataFrame for who works with pandas. To import it for others takes longer than most clusters need to answer.
    if isinstance(answer, Table) and "pandas" in sys.modules and hasattr(shell, "kernel"):
        warn(answer.notes)
        return answer.to_pandas()
    return answer
