"""What of the runner travels with which cell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kube_magics.cells import bundle
from kube_magics.cells.files.chosen import gather
from kube_magics.runner import unpack
from tests.cells.book import Book

PACED = "kube_magics/report.py"


def travels(data: bytes, folder: Path) -> tuple[bool, bool]:
    """Whether what paces `report` is there, and is asked for."""
    unpack.unpack(data, str(folder))
    return (folder / PACED).exists(), json.loads((folder / "spec.json").read_text())["reports"]


@pytest.mark.parametrize(
    ("cell", "there"),
    [
        ("import kube_magics\nfor step in range(3):\n    kube_magics.report(step=step)", True),
        ("tell(3)", True),
        ("x = 1", False),
    ],
)
def test_what_paces_report_travels_where_the_code_mentions_it(tmp_path: Path, cell: str, there: bool) -> None:
    book = Book("from kube_magics import report\ndef tell(step):\n    report(step=step)")
    assert travels(bundle.build(book.capture(cell), {}).data, tmp_path) == (there, there)


def test_also_where_only_a_file_does(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("from kube_magics import report\nreport(step=1)\n")
    captured = Book().capture("!python train.py").with_files(gather(["train.py"], tmp_path))
    assert travels(bundle.build(captured, {}).data, tmp_path / "job") == (True, True)
