"""Values that come back by themselves and share what may change: said, once, of those and no others."""

from __future__ import annotations

import contextlib
import io
import sys
from pathlib import Path

import pytest

from kube_magics.runner.keep import keep

SHARED = {
    "a list inside": ("a = [1]\nb = {'a': a}", "a and b share what may change (of type list)"),
    "one object": ("class C: pass\na = b = C()", "a and b share what may change (of type C)"),
    "an array": ("import numpy\na = numpy.zeros(3)\nb = [a]", "a and b share what may change (of type ndarray)"),
    "of three": ("a, c = [1], 3\nb = (a, c)", "a and b share"),
    "among three": (
        "a = [1]\nb, c = (a,), (a, a)",
        "a, b and c share what may change (of type list): each comes back with",
    ),
    "what needs more than pickle": ("a = [1]\nb = [a, lambda: 0]", "a and b share"),
    "nothing": ("a, b = [1], [1]", None),
    "what never changes": (
        "import enum, numpy\nE = enum.Enum('E', 'x')\na = ('k' * 9, (1, 2), numpy.dtype('f8'), E.x, print, E)\nb = list(a)",
        None,
    ),
}


@pytest.mark.parametrize(("source", "said"), SHARED.values(), ids=SHARED)
def test_what_returned_values_share_is_said(tmp_path: Path, source: str, said: str | None) -> None:
    names = {"__name__": "__main__"}
    exec(source, names)
    import __main__

    vars(__main__).update({name: value for name, value in names.items() if isinstance(value, type)})
    out = io.StringIO()
    with contextlib.redirect_stderr(out):
        keep(
            [name for name in "abc" if name in names],
            names,
            {},
            str(tmp_path),
            None,
            notebook_python="{}.{}".format(*sys.version_info),
            compare=True,
        )
    if said is None:
        assert out.getvalue() == ""
    else:
        assert out.getvalue().startswith(f"[kube_magics: returned values: {said}")
        assert out.getvalue().count("\n") == 1
    assert {"a.pkl", "b.pkl"} <= {path.name for path in tmp_path.iterdir()}
