"""Exceptions that a real runner kept, rebuilt as the notebook raises them."""

from __future__ import annotations

import builtins
import linecache
import pickle
import re
import sys
import traceback
from binascii import crc32
from pathlib import Path
from typing import Any

import pytest

from kube_magics.cells.definitions.jobcode import Definitions
from kube_magics.cells.definitions.sources import imported
from kube_magics.cells.results import load_result
from kube_magics.errors import RemoteError
from kube_magics.jobs import remote
from kube_magics.runner import chain, failure, linesource, protocol
from tests.cells.book import new_main
from tests.runner.bundles import CELL, HELPERS, program, run

FILES = {CELL: "<this cell>", HELPERS: "<an earlier cell>"}


@pytest.fixture(autouse=True)
def main() -> Any:
    """A notebook's names; pytest's own __main__ comes back."""
    before = sys.modules["__main__"]
    yield new_main()
    sys.modules["__main__"] = before


class Raised:
    """What a job raised, there and here; `source` is run as the runner does, in this process."""

    def __init__(self, source: str, definitions: str = "") -> None:
        self.source, self.definitions = source, definitions
        here = new_main()
        there = new_main()
        try:
            for name, text in ((HELPERS, definitions), (CELL, source)):
                linesource.register(name, text)
                exec(compile(text, name, "exec", dont_inherit=True), there)
        except BaseException as error:  # noqa: BLE001 - whatever ends a program
            found = chain.links(error, "/nowhere")
            beginning = error.__traceback__
            assert beginning is not None
            error.__traceback__ = beginning.tb_next  # without this very function
            self.event = failure.describe(error, None)
            self.pickled: bytes | None = chain.encode(found)
        sys.modules["__main__"].__dict__.clear()
        self.bring_home(here)

    def bring_home(self, names: dict[str, Any]) -> None:
        self.names = names
        module = type(sys)("__main__")
        module.__dict__.update(names)
        sys.modules["__main__"] = module
        self.names = module.__dict__
        for name, text in ((HELPERS, self.definitions), (CELL, self.source)):
            lines = [line + "\n" for line in text.splitlines()]
            linecache.cache[FILES[name]] = (len(text), None, lines, FILES[name])
        exec(compile(self.definitions, FILES[HELPERS], "exec", dont_inherit=True), self.names)
        own = program(self.source, self.definitions)
        for cell in own["cells"].values():
            cell.update(future=[], imported=sorted(imported(cell["source"])))
        self.loads = lambda data: load_result(data, self.names, Definitions(own, FILES))
        self.error = remote.rebuild(self.event, self.pickled, self.loads, FILES)

    @property
    def text(self) -> str:
        return "".join(traceback.format_exception(self.error))


class Sent(Raised):
    """The same through a real runner and the log."""

    def __init__(self, folder: Path, source: str, definitions: str = "") -> None:
        self.source, self.definitions = source, definitions
        self.log = run(folder, source, definitions)
        self.event = self.log.error
        sent = protocol.Assembler()
        self.pickled = dict(found for found in map(sent.add, self.log.all("result")) if found).get("@error")
        self.bring_home(new_main())


def same_text(raised: Raised) -> None:
    """The notebook's traceback reads as the pod's log, but for how cells are called."""
    here = raised.text
    for there, name in FILES.items():
        here = here.replace(name, there)
    assert here == raised.event["text"]


CHAIN = """
def load(path):
    try:
        return TABLE[path]
    except KeyError as error:
        raise FileNotFoundError(2, "no such table", path) from error

try:
    load("a")
except OSError:
    done = [n for n in range(3)
            if n / 0]
"""


def test_causes_and_contexts_with_the_frames_of_each() -> None:
    raised = Raised(CHAIN, "TABLE = {}")
    error = raised.error
    assert type(error) is ZeroDivisionError
    context = error.__context__
    assert isinstance(context, FileNotFoundError)
    assert (context.errno, context.strerror, context.filename) == (2, "no such table", "a")
    assert isinstance(context.__cause__, KeyError)
    assert context.__cause__ is context.__context__
    assert context.__suppress_context__
    assert error.__cause__ is None
    lines = [[frame.lineno for frame in traceback.extract_tb(one.__traceback__)] for one in (error, context)]
    assert [set(found) for found in lines] == [{11, 12}, {9, 6}]
    same_text(raised)
    assert "kube_magics" not in raised.text


def test_frames_have_the_names_and_the_secrecy_that_ipython_looks_for() -> None:
    raised = Raised(
        "A().f()",
        "class A:\n    def f(self):\n        __tracebackhide__ = True\n        self.g()\n    g = lambda self: 1 / 0",
    )
    shown = [frame.f_code.co_qualname for frame, _ in traceback.walk_tb(raised.error.__traceback__)]
    assert shown[-2:] == ["A.f", "A.<lambda>"]
    hidden = [frame.f_locals["__tracebackhide__"] for frame, _ in traceback.walk_tb(raised.error.__traceback__)]
    assert hidden[-2:] == [True, False]


SAME_TEXT = {
    "from None": "try:\n    1 / 0\nexcept Exception:\n    raise ValueError('no') from None",
    "notes": "e = ValueError('no')\ne.add_note('first')\ne.add_note('second\\nline')\nraise e",
    "a group in a group": """
def leaf(n):
    try:
        [][n]
    except IndexError as error:
        return error
raise ExceptionGroup("outer", [leaf(1), ExceptionGroup("inner", [leaf(2), ValueError("bare")]), KeyError("k")])
""",
    "a task group": """
import asyncio
async def fails(n):
    await asyncio.sleep(0)
    raise ValueError(n)
async def main():
    async with asyncio.TaskGroup() as tasks:
        for n in range(3):
            tasks.create_task(fails(n))
asyncio.run(main())
""",
    "recursion": "def f(n):\n    return f(n + 1)\nf(0)",
    "a syntax error at run time": "exec('x = 1\\nif x\\n    pass')",
    "no such attribute": "import json\njson.lods",
    "no such name": "value = 1\nprint(valu)",
    "undecodable": "b'\\xff'.decode()",
    "in the library": "import json\njson.loads('{')",
    "an exception whose text fails": "class Mute(Exception):\n    def __str__(self):\n        raise ValueError\nraise Mute",
    "several lines": "x = dict(\n    a=1,\n    b=1 / 0,\n)",
    "not ascii": "größe = 0\nx = 'ä' + str(1 / größe)",
    "cyclic": "a = ValueError('a')\nb = ValueError('b')\na.__cause__ = b\nb.__cause__ = a\nraise a",
    "raised while it is shown": "class A:\n    def __repr__(self):\n        return 1 / 0\ndisplay(A())",
    "with a lone surrogate": "raise ValueError('\\udc80')",
}


@pytest.mark.parametrize("name", SAME_TEXT)
def test_the_text_is_that_of_the_pods_log(name: str) -> None:
    raised = Raised(SAME_TEXT[name])
    same_text(raised)
    assert type(raised.error).__name__ == raised.event["type"]
    assert "kube_magics" not in raised.text


def test_through_the_log(tmp_path: Path) -> None:
    raised = Sent(tmp_path, CHAIN, "TABLE = {}")
    same_text(raised)
    assert raised.log.err.decode() == raised.event["text"]
    assert raised.event["crc"] == crc32(raised.log.err)
    assert isinstance(raised.error.__context__, FileNotFoundError)


def test_a_deep_recursion_is_small() -> None:
    raised = Raised(SAME_TEXT["recursion"])
    assert len(traceback.extract_tb(raised.error.__traceback__)) > 900
    assert len(raised.pickled or b"") < 3000


BUILT_WITHOUT_INIT = {
    "an __init__ of other shape": (
        """
class E(Exception):
    def __init__(self, a, b):
        super().__init__(f"{a} and {b}")
        self.a = a
""",
        "raise E(1, 2)",
        {"args": ("1 and 2",), "a": 1},
    ),
    "a lock": (
        """
import threading
class E(Exception):
    def __init__(self, n):
        self.n, self.lock = n, threading.Lock()
        super().__init__(n)
""",
        "raise E(3)",
        {"args": (3,), "n": 3},
    ),
    "a lambda among the arguments": ("class E(Exception): pass", "raise E(1, lambda: 0)", {}),
    "slots": (
        "class E(Exception):\n    __slots__ = ('a', 'b')",
        "e = E('no')\ne.a = [1]\nraise e",
        {"args": ("no",), "a": [1]},
    ),
    "keyword arguments only": (
        """
class E(OSError):
    def __init__(self, *, code):
        super().__init__(code, "text")
        self.code = code
""",
        "raise E(code=5)",
        {"errno": 5, "strerror": "text", "code": 5},
    ),
    "its own __reduce__": (
        """
def make(n):
    return E(n, again=True)
class E(Exception):
    def __init__(self, n, again=False):
        self.n, self.again = n, again
    def __reduce__(self):
        return make, (self.n,)
    def __str__(self):
        return "E"
""",
        "raise E(4)",
        {"n": 4, "again": True},
    ),
    "its own __setstate__ that fails": (
        "class E(Exception):\n    def __setstate__(self, state):\n        raise ValueError",
        "e = E('no')\ne.a = 1\nraise e",
        {"args": ("no",), "a": 1},
    ),
}


@pytest.mark.parametrize("name", BUILT_WITHOUT_INIT)
def test_the_class_is_the_notebooks_own_whatever_its_init_wants(name: str) -> None:
    definitions, source, attributes = BUILT_WITHOUT_INIT[name]
    raised = Raised(source, definitions)
    assert type(raised.error) is raised.names["E"]
    assert {key: getattr(raised.error, key) for key in attributes} == attributes
    if not hasattr(raised.error, "__notes__"):
        same_text(raised)


def test_what_did_not_travel_is_named() -> None:
    definitions, source, _ = BUILT_WITHOUT_INIT["a lock"]
    raised = Raised(source, definitions)
    (note,) = raised.error.__notes__
    assert re.match(r"\[kube_magics: lock did not travel from the job: TypeError: cannot pickle", note)
    definitions, source, _ = BUILT_WITHOUT_INIT["a lambda among the arguments"]
    raised = Raised(source, definitions)
    assert raised.error.args == (1, "<args[1] did not travel>")
    assert "args[1] did not travel from the job" in raised.error.__notes__[-1]


def test_a_class_of_the_jobs_cell_brings_its_source() -> None:
    raised = Raised(
        "class Mine(ValueError):\n    pass\ntry:\n    1 / 0\nexcept Exception as e:\n    raise Mine('no') from e"
    )
    assert type(raised.error) is raised.names["Mine"]
    assert isinstance(raised.error.__cause__, ZeroDivisionError)


def test_a_class_that_is_hidden_in_a_function_keeps_its_name() -> None:
    raised = Raised("def f():\n    class Hidden(Exception):\n        pass\n    raise Hidden('no')\nf()")
    assert isinstance(raised.error, RemoteError)
    assert type(raised.error).__name__ == "f.<locals>.Hidden"
    assert str(raised.error).startswith("__main__.f.<locals>.Hidden: no")


def test_a_class_that_the_notebook_has_changed_since_says_so() -> None:
    raised = Raised("raise Mine('no')", "class Mine(Exception):\n    def __str__(self): return 'one'")
    exec("class Mine(Exception):\n    def __str__(self): return 'another'", raised.names)
    error = remote.rebuild(raised.event, raised.pickled, raised.loads, FILES)
    assert isinstance(error, RemoteError)
    assert "this notebook's Mine is another one" in str(error)
    assert "del Mine" in str(error)


def test_in_a_group_one_that_cannot_travel_does_not_keep_the_others() -> None:
    source = """
class Group(ExceptionGroup):
    def derive(self, excs):
        return Group(self.message, excs)
class Odd(Exception):
    def __init__(self, a, b):
        super().__init__(a)
def hidden():
    class Hidden(Exception):
        pass
    return Hidden("h")
raise Group("several", [Odd(1, 2), hidden(), ValueError(3)])
"""
    raised = Raised(source)
    assert type(raised.error) is raised.names["Group"]
    odd, hidden, value = raised.error.exceptions
    assert type(odd) is raised.names["Odd"]
    assert odd.args == (1,)
    assert isinstance(hidden, RemoteError)
    assert value.args == (3,)


def test_a_pool_keeps_its_workers_traceback(tmp_path: Path) -> None:
    source = (
        "import multiprocessing\nwith multiprocessing.get_context('fork').Pool(1) as pool:\n    pool.map(work, [1])"
    )
    raised = Sent(tmp_path, source, "def work(n):\n    return 1 / (n - 1)")
    assert isinstance(raised.error, ZeroDivisionError)
    assert type(raised.error.__cause__).__name__ == "RemoteTraceback"
    same_text(raised)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_keep_their_own_traceback(tmp_path: Path, method: str) -> None:
    definitions = "class Mine(Exception):\n    pass\ndef work(n):\n    raise Mine(n)"
    source = (
        "import concurrent.futures, multiprocessing\n"
        f"context = multiprocessing.get_context({method!r})\n"
        "with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:\n    list(pool.map(work, [1]))"
    )
    raised = Sent(tmp_path, source, definitions)
    assert type(raised.error) is raised.names["Mine"]
    assert type(raised.error.__cause__).__name__ == "_RemoteTraceback"
    assert f'File "{HELPERS}", line 4, in work\n    raise Mine(n)' in str(raised.error.__cause__)
    same_text(raised)


@pytest.mark.parametrize("name", ["KeyboardInterrupt", "GeneratorExit", "StopIteration", "BaseException"])
def test_exceptions_that_are_no_errors(name: str) -> None:
    raised = Raised(f"raise {name}('why')")
    assert type(raised.error) is getattr(builtins, name)
    assert raised.error.args == ("why",)


def test_attributes_of_built_in_classes() -> None:
    raised = Raised("b'a\\xff'.decode('utf-8')")
    assert isinstance(raised.error, UnicodeDecodeError)
    assert (raised.error.object, raised.error.start, raised.error.encoding) == (b"a\xff", 1, "utf-8")
    raised = Raised("exec('x = (')")
    assert isinstance(raised.error, SyntaxError)
    assert (raised.error.lineno, raised.error.offset, raised.error.text) == (1, 5, "x = (\n")
    raised = Raised("from json import lods")
    assert isinstance(raised.error, ImportError)
    assert (raised.error.name, raised.error.path is not None) == ("json", True)


def test_a_message_of_megabytes() -> None:
    raised = Raised("class Mine(Exception):\n    pass\nraise Mine('x' * 10_000_000)")
    assert type(raised.error) is raised.names["Mine"]
    assert "args[0] did not travel from the job: ValueError: it is larger than 256 KiB" in raised.error.__notes__[-1]
    assert len(raised.text) < 10_000


def test_thousands_of_exceptions() -> None:
    source = "raise ExceptionGroup('many', [ValueError('x' * 1000 + str(n)) for n in range(3000)])"
    raised = Raised(source)
    assert isinstance(raised.error, ExceptionGroup)
    assert 300 < len(raised.error.exceptions) < 1000
    assert "more exceptions of this group did not travel" in raised.error.__notes__[0]


def test_without_what_the_runner_kept_the_class_is_still_known() -> None:
    raised = Raised("class Mine(Exception):\n    pass\nraise Mine('no')")
    for kept in (None, b"", b"garbage", pickle.dumps({"links": [3]}), (raised.pickled or b"")[:50]):
        error = remote.rebuild(raised.event, kept, pickle.loads, FILES)
        assert type(error) is raised.names["Mine"]
        assert error.args == ("no",)
        assert error.__traceback__ is not None


def test_an_exception_of_a_job_can_be_pickled_again() -> None:
    raised = Raised("raise ValueError('no')")
    again = pickle.loads(pickle.dumps(raised.error))
    assert again.args == ("no",)


def test_captured_data_that_cannot_be_loaded(tmp_path: Path) -> None:
    class Bad:
        def __reduce__(self) -> Any:
            return (int, ("x",))

    log = run(tmp_path, "1", "", (Bad(),), {"definitions": [{"do": "load", "name": "cfg"}]})
    assert log.error["message"].startswith("cfg was pickled in the notebook and cannot be loaded here")
    assert "ValueError: invalid literal" in log.error["text"]
    assert "kube_magics" not in log.error["text"]
