"""Local modules travel by their files: which ones, where they stand, what cannot, and what is said about it."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import textwrap
import types
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from kube_magics.cells.capture import Capture, capture_call
from kube_magics.cells.files import chosen
from kube_magics.errors import CaptureError
from tests.cells.book import Book, unpack

Make = Callable[[Mapping[str, str]], Path]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """A folder on sys.path with these files; what is imported from it is forgotten afterwards."""
    folder = tmp_path / "project"
    before = set(sys.modules)

    def make(content: Mapping[str, str]) -> Path:
        for name, text in content.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        importlib.invalidate_caches()
        return folder

    make({})
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.chdir(folder)
    yield make
    for name in set(sys.modules) - before:
        del sys.modules[name]


def paths(captured: Capture) -> list[str]:
    return [each.path for each in captured.cargo.modules]


def there(captured: Capture, folder: Path) -> subprocess.CompletedProcess[str]:
    """The job's program, run by an interpreter that sees nothing of the project."""
    folder.mkdir()
    unpack(captured, folder)
    work = folder / "work"
    work.mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, str(folder / "main.py")], cwd=work, capture_output=True, text=True, timeout=60, check=False
    )


FLAT = {
    "kmt_helpers.py": "import kmt_deeper\nFACTOR = 3\ndef scale(x): return kmt_deeper.double(x) * FACTOR\nclass Box:\n"
    "    def __init__(self, n): self.n = n\n    def __eq__(self, o): return self.n == o.n\n",
    "kmt_deeper.py": "def double(x): return 2 * x\n",
    "kmt_other.py": "",
}
PACKAGE = {
    "kmt_net/__init__.py": "from .layers import Layer\n",
    "kmt_net/layers.py": "from . import deep\nfrom .deep.deeper.deepest import base\nclass Layer(base.Base): pass\n",
    "kmt_net/deep/__init__.py": "",
    "kmt_net/deep/deeper/__init__.py": "",
    "kmt_net/deep/deeper/deepest/__init__.py": "",
    "kmt_net/deep/deeper/deepest/base.py": "from ....plugins import registry\nclass Base:\n    kind = registry.NAME\n",
    "kmt_net/plugins/__init__.py": "",
    "kmt_net/plugins/registry.py": "NAME = 'deep'\n",
    "kmt_net/plugins/late.py": "VALUE = 'late'\n",
    "kmt_net/notes.txt": "no module",
    "kmt_net/tests/test_net.py": "import kmt_net\n",
}
TWO = ["kmt_deeper.py", "kmt_helpers.py"]


@pytest.mark.parametrize(
    ("before", "cell"),
    [
        ("", "import kmt_helpers\nprint(kmt_helpers.scale(7))"),
        ("", "import kmt_helpers as h\nprint(h.scale(7))"),
        ("", "from kmt_helpers import *\nprint(scale(7))"),
        ("", "def f():\n    from kmt_helpers import scale\n    return scale(7)\nprint(f())"),
        ("", "import importlib\nprint(importlib.import_module('kmt_helpers').scale(7))"),
        ("", "try:\n    import kmt_helpers\nexcept ImportError:\n    kmt_helpers = None\nprint(kmt_helpers.scale(7))"),
        ("import kmt_helpers as h", "print(h.scale(7))"),
        ("from kmt_helpers import scale as s", "print(s(7))"),
        ("import kmt_helpers\ndef f(): return kmt_helpers.scale(7)", "print(f())"),
        ("def f():\n    import kmt_helpers\n    return kmt_helpers.scale(7)", "print(f())"),
        ("import kmt_helpers\nboxes = [kmt_helpers.Box(42)]", "print(boxes[0].n)"),
        ("import kmt_helpers\nclass Mine(kmt_helpers.Box): pass", "print(Mine(42).n)"),
        ("import functools, kmt_helpers\npart = functools.partial(kmt_helpers.scale, 7)", "print(part())"),
        ("from kmt_helpers import *", "print(scale(7))"),
        ("import kmt_helpers\nf = lambda n: kmt_helpers.scale(n)", "print(f(7))"),
        ("from kmt_helpers import scale\nfs = [lambda n: scale(n)]", "print(fs[0](7))"),
        (
            "import kmt_helpers\ndef make(k):\n    def f(): return kmt_helpers.scale(k)\n    return f\nf = make(7)",
            "print(f())",
        ),
        ("import kmt_helpers\nlibs = {'h': kmt_helpers}", "print(libs['h'].scale(7))"),
        ("import kmt_helpers\nf = kmt_helpers.Box(42).__eq__.__self__.__class__", "print(f(42).n)"),
    ],
)
def test_modules_are_found_however_they_are_used(project: Make, tmp_path: Path, before: str, cell: str) -> None:
    project(FLAT)
    captured = Book(*([before] if before else [])).capture(cell)
    assert paths(captured) == TWO
    assert captured.warnings == ()
    done = there(captured, tmp_path / "job")
    assert (done.stdout, done.stderr) == ("42\n", "")


def test_they_are_listed(project: Make) -> None:
    project(FLAT | PACKAGE)
    captured = Book("x = 1").capture("import kmt_other\nfrom kmt_net import Layer\nx")
    assert captured.summary() == "travels: x (5 B), modules: kmt_net, kmt_other (11 files, 226 B)"
    assert Book().capture("import kmt_deeper").summary() == "travels: modules: kmt_deeper (28 B)"


def test_a_package_travels_whole(project: Make, tmp_path: Path) -> None:
    project(PACKAGE)
    cell = "import kmt_net, importlib\nname = 'kmt_net.plugins.' + 'late'\n"
    captured = Book().capture(cell + "print(kmt_net.Layer.kind, importlib.import_module(name).VALUE)")
    assert paths(captured) == sorted(name for name in PACKAGE if name.endswith(".py"))
    done = there(captured, tmp_path / "job")
    assert (done.stdout, done.stderr) == ("deep late\n", "")


def test_of_a_large_package_travels_what_is_imported_or_loaded(project: Make) -> None:
    project(PACKAGE | {"kmt_net/generated.py": f"DATA = '{'x' * 1_100_000}'\n"})
    needed = [name for name in PACKAGE if name.endswith(".py") and "late" not in name and "test" not in name]
    assert paths(Book().capture("import kmt_net")) == sorted(needed)
    book = Book("import kmt_net, importlib\nimportlib.import_module('kmt_net.plugins.' + 'late')")
    assert paths(book.capture("kmt_net")) == sorted([*needed, "kmt_net/plugins/late.py"])


def test_a_kubeignore_file_keeps_back_what_is_not_imported(project: Make) -> None:
    project(PACKAGE | {"kmt_net/.kubeignore": "tests/\nlayers.py\n"})
    assert paths(Book().capture("import kmt_net")) == sorted(
        name for name in PACKAGE if name.endswith(".py") and "tests" not in name
    )


def test_a_namespace_package(project: Make, tmp_path: Path) -> None:
    project({"kmt_space/one/two.py": "X = 42\n", "kmt_space/one/three.py": "", "kmt_space/four.py": ""})
    captured = Book().capture("import kmt_space.one.two\nfrom kmt_space import four\nprint(kmt_space.one.two.X)")
    assert paths(captured) == ["kmt_space/four.py", "kmt_space/one/two.py"]
    assert there(captured, tmp_path / "job").stdout == "42\n"


def test_a_namespace_that_an_installed_package_shares(
    project: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site-packages"
    (site / "kmt_shared" / "theirs").mkdir(parents=True)
    monkeypatch.syspath_prepend(str(site))
    project({"kmt_shared/mine.py": ""})
    assert paths(Book().capture("import kmt_shared.mine\nimport kmt_shared.theirs")) == ["kmt_shared/mine.py"]


EDITABLE = """
import sys
from importlib.machinery import PathFinder
from importlib.util import spec_from_file_location
class Finder:
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name == "kmt_edit":
            where = {source!r} + "/kmt_edit/"
            return spec_from_file_location(name, where + "__init__.py", submodule_search_locations=[where])
sys.meta_path.append(Finder)
"""


def test_an_editable_install(project: Make, tmp_path: Path) -> None:
    source = tmp_path / "elsewhere"
    (source / "kmt_edit" / "inner").mkdir(parents=True)
    (source / "kmt_edit" / "__init__.py").write_text("from kmt_edit.inner import deep\nX = deep.X\n")
    (source / "kmt_edit" / "inner" / "deep.py").write_text("X = 42\n")
    cell = "import kmt_edit\nprint(kmt_edit.X)"
    book = Book(EDITABLE.replace("{source!r}", repr(str(source))))
    try:
        fresh = book.capture(cell)
        book.run("import kmt_edit")
        loaded = book.capture(cell)
    finally:
        sys.meta_path.pop()
    assert paths(fresh) == paths(loaded) == ["kmt_edit/__init__.py", "kmt_edit/inner/deep.py"]
    assert there(loaded, tmp_path / "job").stdout == "42\n"


def test_modules_that_import_each_other(project: Make, tmp_path: Path) -> None:
    project({"kmt_a.py": "import kmt_b\ndef f(): return kmt_b.g()\n", "kmt_b.py": "import kmt_a\ndef g(): return 42\n"})
    captured = Book().capture("import kmt_a\nprint(kmt_a.f())")
    assert paths(captured) == ["kmt_a.py", "kmt_b.py"]
    assert there(captured, tmp_path / "job").stdout == "42\n"


def test_a_module_that_shadows_an_installed_or_a_standard_one(project: Make, tmp_path: Path) -> None:
    for name in ("this", "sklearn"):
        for known in [each for each in sys.modules if each.partition(".")[0] == name]:
            pytest.fail(f"{known} is imported by the tests themselves") if name == "this" else sys.modules.pop(known)
    project({"this.py": "ZEN = 'mine'\n", "sklearn.py": "import this\nVERSION = 'mine'\n", "main.py": "X = 'mine'\n"})
    captured = Book().capture("import sklearn, this, main\nprint(sklearn.VERSION, this.ZEN, main.X)")
    assert paths(captured) == ["main.py", "sklearn.py", "this.py"]
    assert "sklearn" not in captured.imports
    assert there(captured, tmp_path / "job").stdout == "mine mine mine\n"


def test_workers_and_children_find_them(project: Make, tmp_path: Path) -> None:
    project(
        FLAT | {"kmt_child.py": "import kmt_helpers\nif __name__ == '__main__':\n    print(kmt_helpers.scale(7))\n"}
    )
    captured = Book("import kmt_helpers as h, kmt_child\ndef f(x): return h.scale(x)").capture(
        "import multiprocessing, subprocess, sys\n"
        "with multiprocessing.get_context('spawn').Pool(1) as pool: print(pool.map(f, [7]), flush=True)\n"
        "kmt_child\nsubprocess.run([sys.executable, '-m', 'kmt_child']);"
    )
    done = there(captured, tmp_path / "job")
    assert (done.stdout, done.stderr) == ("[42]\n42\n", "")


def test_files_beside_a_module_are_found_beside_it(project: Make, tmp_path: Path) -> None:
    read = "import pathlib\ndef read(name): return pathlib.Path(__file__).with_name(name).read_text()\n"
    folder = project({"kmt_io.py": read, "kmt_net/__init__.py": read, "kmt_net/a.txt": "a", "b.txt": "b"})
    cell = "import kmt_io, kmt_net\nprint(kmt_io.read('b.txt'), kmt_net.read('a.txt'), open('kmt_net/a.txt').read())"
    captured = (
        Book()
        .capture(cell)
        .with_files(chosen.gather(["b.txt,kmt_net/a.txt".split(",", maxsplit=1)[0], "kmt_net"], folder))
    )
    done = there(captured, tmp_path / "job")
    assert (done.stdout, done.stderr) == ("b a a\n", "")
    assert (tmp_path / "job/modules/kmt_net/__init__.py").is_symlink(), "the same file travels once"


def test_the_digest_follows_the_files(project: Make) -> None:
    folder = project(FLAT)

    def digest() -> str:
        return Book().capture("import kmt_helpers").cell_digest

    first = digest()
    assert first == digest()
    (folder / "kmt_other.py").write_text("1")
    assert first == digest()
    (folder / "kmt_deeper.py").write_text("def double(x): return x + x\n")
    assert first != digest()


def test_what_they_import_is_what_the_image_must_have(project: Make) -> None:
    project(
        {
            "kmt_a.py": "import numpy\nimport kmt_b\nif 0:\n    import pandas\ntry:\n    import kmt_none\nexcept ImportError: 1\n",
            "kmt_b.py": "from yaml import dump\ndef f():\n    import sklearn\n",
            "kmt_lazy.py": "import statsmodels",
        }
    )
    captured = Book("def f():\n    import kmt_lazy").capture("import kmt_a\nf()")
    assert set(captured.imports) == {"numpy", "yaml"}


def test_a_call(project: Make, tmp_path: Path) -> None:
    project(FLAT)
    helpers = importlib.import_module("kmt_helpers")
    captured = capture_call(helpers.scale, (7,), {}, Book().notebook())
    assert paths(captured) == TWO


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (
            "import kmt_ext",
            r"Line 2: the cell's import needs the local module kmt_ext, .* a compiled extension \(kmt_ext",
        ),
        ("import kmt_uses", r"kmt_uses.py, line 1, needs the local module kmt_ext,.* a compiled extension"),
        ("import kmt_zipped", r"kmt_zipped, which cannot travel: it is imported from the archive .*kmt.zip"),
        (
            "by_hand",
            r"by_hand needs the local module kmt_by_hand, which cannot travel: it was made by hand, in no file",
        ),
        ("things", r"the local module kmt_by_hand, which cannot travel: it was made by hand"),
        ("import kmt_broken", r"kmt_broken, which is no Python: .*kmt_broken.py, line 2: "),
        ("import kmt_null", r"kmt_null, which is no Python"),
        ("gone", r"gone needs the local module kmt_gone, which cannot travel: its file is gone"),
        ("import kmt_ours", r"kmt_ours.py, line 1 cannot run in a job: .* not load_ipython_extension"),
        ("import kmt_errors", r"kmt_errors.py, line 1 cannot run in a job: .* not kube_magics.errors"),
    ],
)
def test_what_cannot_travel_is_named(project: Make, monkeypatch: pytest.MonkeyPatch, cell: str, message: str) -> None:
    folder = project(
        {
            "kmt_uses.py": "import kmt_ext\n",
            "kmt_broken.py": "x = 1\ndef\n",
            "kmt_null.py": "x = 1\0",
            "kmt_gone.py": "",
            "kmt_ours.py": "from kube_magics import report, load_ipython_extension\n",
            "kmt_errors.py": "from kube_magics.errors import JobError\n",
        }
    )
    (folder / f"kmt_ext{importlib.machinery.EXTENSION_SUFFIXES[0]}").write_bytes(b"")
    with zipfile.ZipFile(folder / "kmt.zip", "w") as archive:
        archive.writestr("kmt_zipped.py", "")
    monkeypatch.syspath_prepend(str(folder / "kmt.zip"))
    book = Book("import kmt_gone as gone")
    (folder / "kmt_gone.py").unlink()
    by_hand = types.ModuleType("kmt_by_hand")
    exec("class Thing: pass", vars(by_hand))
    monkeypatch.setitem(sys.modules, "kmt_by_hand", by_hand)
    book.namespace.update(by_hand=by_hand, things=[by_hand.Thing()])
    with pytest.raises(CaptureError, match=message) as caught:
        book.capture(cell)
    assert caught.value.hint


def test_a_module_that_is_written_for_both_sides(project: Make, tmp_path: Path) -> None:
    source = """
        import kube_magics
        from kube_magics import remote, report, train
        @remote
        def one(): return 1
        @kube_magics.remote(gpus=1)
        def two() -> "kube_magics.Job": return one() + 1
        def submit(): return train(one)
        def lazily():
            from kube_magics.errors import JobError
        """
    project({"kmt_both.py": textwrap.dedent(source)})
    book = Book("import kmt_both\nhooks = [kmt_both.one]")
    done = there(book.capture("print(kmt_both.two(), hooks[0]())\nkmt_both.submit()"), tmp_path / "job")
    assert done.stdout == "2 1\n"
    call = capture_call(book.namespace["kmt_both"].two.__wrapped__, (), {}, book.notebook())
    assert there(call, tmp_path / "call").stderr == ""
    assert "RuntimeError: kube_magics.train submits jobs from a notebook" in done.stderr


def test_what_nobody_imports_may_need_what_cannot_travel(project: Make, tmp_path: Path) -> None:
    more = "import kmt_ext\nfrom kube_magics.errors import JobError\n"
    folder = project(PACKAGE | {"kmt_net/tests/test_net.py": more, "kmt_tried.py": "import kmt_net.tests.test_net\n"})
    (folder / f"kmt_ext{importlib.machinery.EXTENSION_SUFFIXES[0]}").write_bytes(b"")
    captured = Book().capture(
        "import kmt_net\ntry:\n    import kmt_tried\nexcept ImportError:\n    print(kmt_net.Layer.kind)"
    )
    assert "kmt_net/tests/test_net.py" in paths(captured)
    assert there(captured, tmp_path / "job").stdout == "deep\n"
    with pytest.raises(CaptureError, match=r"test_net\.py, line \d"):
        Book().capture("try:\n    import kmt_tried\nexcept ImportError:\n    pass\nimport kmt_net.tests.test_net")


def test_what_is_only_tried_may_be_absent(project: Make, tmp_path: Path) -> None:
    folder = project({"kmt_uses.py": "try:\n    import kmt_ext\nexcept ImportError:\n    kmt_ext = 42\n"})
    (folder / f"kmt_ext{importlib.machinery.EXTENSION_SUFFIXES[0]}").write_bytes(b"")
    captured = Book().capture("import kmt_uses\nprint(kmt_uses.kmt_ext)")
    assert there(captured, tmp_path / "job").stdout == "42\n"


@pytest.mark.skipif(sys.platform != "linux", reason="a file that not even root can read")
def test_an_unreadable_module(project: Make) -> None:
    folder = project(FLAT)
    (folder / "kmt_deeper.py").unlink()
    (folder / "kmt_deeper.py").symlink_to("/proc/self/mem")
    with pytest.raises(CaptureError, match=r"kmt_deeper\.py cannot be read: Input/output error"):
        Book().capture("import kmt_helpers")


EDITS = {
    "a function": ("* FACTOR", "+ FACTOR"),
    "a method": ("self.n = n", "self.n = n + 1"),
    "a constant": ("FACTOR = 3", "FACTOR = 4"),
    "an import": ("import kmt_deeper", "import kmt_deeper, json"),
    "no Python any more": ("class Box", "class class"),
}


@pytest.mark.parametrize("known_by", ["an earlier job", "its bytecode", "what lives"])
@pytest.mark.parametrize("edit", EDITS)
def test_a_module_that_was_edited_since_is_said(
    project: Make, monkeypatch: pytest.MonkeyPatch, edit: str, known_by: str
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", known_by != "its bytecode")
    folder = project(FLAT)
    book = Book("import kmt_helpers")
    cell = "kmt_helpers.scale(1)"
    if known_by == "an earlier job":
        assert book.capture(cell).warnings == ()
    file = folder / "kmt_helpers.py"
    file.write_text(file.read_text().replace(*EDITS[edit]))
    os.utime(file, (1, 1))
    if edit == "no Python any more":
        with pytest.raises(CaptureError, match="no Python"):
            book.capture(cell)
        return
    captured = book.capture(cell)
    if known_by == "what lives" and edit == "an import":
        return  # nothing is left of it that could be compared
    (warning,) = captured.warnings
    assert warning == (
        "kmt_helpers.py was edited since this notebook imported it: it travels as on disk, the notebook still has the"
        " older one"
    )
    book.run("import importlib; importlib.reload(kmt_helpers)")
    assert book.capture(cell).warnings == ()


def test_a_touched_module_and_a_changed_list_are_no_edits(project: Make) -> None:
    folder = project(FLAT | {"kmt_state.py": "SEEN = []\nCOUNT = 0\nCOUNT += 1\nNAN = float('nan')\n"})
    book = Book("import kmt_helpers, kmt_state\nkmt_state.SEEN.append(1)")
    (folder / "kmt_helpers.py").touch()
    os.utime(folder / "kmt_helpers.py", (1, 1))
    assert book.capture("kmt_helpers, kmt_state").warnings == ()


def test_an_attribute_that_a_cell_set_is_no_edit(project: Make) -> None:
    project(FLAT)
    book = Book("import kmt_helpers\nkmt_helpers.FACTOR = 10")
    for cell in ("kmt_helpers.FACTOR", "kmt_helpers.scale(1)"):
        (warning,) = book.capture(cell).warnings
        assert warning.startswith("set here, not in the job: kmt_helpers.FACTOR (In [1]);")


def test_a_value_of_a_class_that_was_loaded_again(project: Make) -> None:
    project(FLAT)
    book = Book("import kmt_helpers, importlib\nbox = kmt_helpers.Box(1)\nimportlib.reload(kmt_helpers)")
    with pytest.raises(CaptureError, match=r"box cannot travel: it is made by an older definition of kmt_helpers\.Box"):
        book.capture("box")
