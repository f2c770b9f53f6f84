"""Values that are too large for a bundle, and results that are too large for a log."""

from __future__ import annotations

from tests.acceptance.desk import Desk


def test_on_this_machine_nothing_is_too_large(here: Desk) -> None:
    here.right("import numpy as np\nblock = np.arange(3_000_000.0)")
    ran = here.right("%%kubetrain --returns doubled\ndoubled = block * 2")
    assert "block (24.0 MB)" in ran.stdout
    assert here.kernel.value("(doubled == block * 2).all()") in ("True", "np.True_")
