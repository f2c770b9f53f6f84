"""A case as a real job: a kernel that is cleared between cases, on this machine or with the cluster behind it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.corpus.inside import MARK
from tests.corpus.reading import Case
from tests.corpus.seen import Seen, seen
from tests.kernel import Kernel, Ran

# What kube_magics prints around a job's own output.
_OURS = re.compile(
    r"^(?:job \S+ (?:on|done|failed) ?.*|(?:travels|note|warning|dropped|installs): .*|.* (?:is|are) lost: .*)\n",
    re.MULTILINE,
)
_NOTED = re.compile(r"^(?:job \S+ waits: .*\n(?:  (?:said|next): .*\n)*|\[kube_magics: .*\]\n)", re.MULTILINE)


@dataclass(frozen=True)
class Worked:
    """A case's job, as seen in the notebook."""

    seen: Seen
    ours: str
    """What kube_magics itself printed."""

    @property
    def created(self) -> bool:
        return re.search(r"^job \S+ on ", self.ours, re.MULTILINE) is not None


class Desk:
    """One kernel for many cases."""

    def __init__(self, folder: Path, environment: Mapping[str, str], options: str = "") -> None:
        self._folder = folder
        self._options = options
        self._kernel = Kernel(folder, environment)
        self._cases = 0
        self._right("%load_ext kube_magics")
        self._right("%load_ext tests.corpus.inside")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        self._kernel.__exit__(None, None, None)

    def run(self, case: Case) -> Worked:
        self._cases += 1
        folder = self._folder / str(self._cases)
        lay_out(case, folder)
        self._right(f"%corpus_clean {folder}")
        numbers = [self._right(cell).number for cell in case.cells]
        ran = self._kernel.run(f"%%kubetrain {self._options} {case.options}\n{case.cell}", 180)
        looked = self._right("%corpus_look " + json.dumps([*case.returns, *case.after]))
        values = json.loads(looked.stdout.partition(MARK)[2])
        return Worked(
            seen(
                shown=_OURS.sub("", ran.stdout),
                stderr=_NOTED.sub("", ran.stderr),
                error=ran.error,
                message=ran.message,
                traceback=ran.traceback,
                numbers=[*numbers, ran.number],
                values=values,
            ),
            "".join(match[0] for match in _OURS.finditer(ran.stdout)) + ran.stderr,
        )

    def _right(self, source: str) -> Ran:
        ran = self._kernel.run(source)
        assert ran.error is None, ran
        return ran


def lay_out(case: Case, folder: Path) -> None:
    """The folder in which a case's notebook works, with its files."""
    folder.mkdir()
    for name, text in case.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
