"""A notebook's own syntax in a job's cell: `!`, `%`, `?` and top-level await do what they do here, or are refused."""

from __future__ import annotations

import ast
import os
import re
import sys
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from IPython.utils.text import DollarFormatter, SList

from kube_magics.cells.analysis.syntax import parse_cell
from kube_magics.cells.capture import capture_call
from kube_magics.errors import CaptureError, CellError
from kube_magics.magics.notebook import python
from kube_magics.runner.commands import Lines, duration
from kube_magics.runner.syntax import formatted, timeit_options
from tests.cells.book import Book, Ran, travelling

TIMES = (
    r"CPU times: user [\d.e+]+ [mnμ]?s, sys: [\d.e+]+ [mnμ]?s, total: [\d.e+]+ [mnμ]?s\nWall time: [\d.e+]+ [mnμ]?s\n"
)
LOOPS = r"(?:The slowest run took .*\n)?[\d.e+]+ [mnμ]?s ± [\d.e+]+ [mnμ]?s per loop \(mean ± std\. dev\. of 2 runs, 3 loops each\)\n"
SAME = {
    "a command into a name": ("y = !echo one; echo two", ["one", "two"]),
    "into two names": ("a, y = !echo one; echo two", "two"),
    "into an item": ("y = {}\ny['k'] = !echo one", {"k": ["one"]}),
    "errors too": ("y = !echo wrong >&2", ["wrong"]),
    "expanded": ("n = 3\ny = !echo $n {n + 1:} {n!r} $n.real", ["3 4 3 3"]),
    "expanded from the notebook": ("y = !echo {NAME}", ["of the notebook"]),
    "expanded inside a function": (
        "def f(n):\n    k = n + 1\n    got = !echo {k} $n\n    return got.s\ny = f(1)",
        "2 1",
    ),
    "the shell's own variables": ("%env GREETING=hello there\ny = !echo $GREETING", ["hello there"]),
    "braces of awk": ("y = !echo a b | awk '{print $2}'", ["b"]),
    "doubled": ("n = 1\ny = !echo {{n}} $n", ["{n} 1"]),
    "in a loop": ("y = []\nfor i in range(2):\n    got = !echo {i}\n    y += got", ["0", "1"]),
    "over lines": ("y = !echo one \\\n  two", ["one two"]),
    "in strings and comments untouched": ("y = '''\n!ls\n%time\n'''  # %time\n# !ls", "\n!ls\n%time\n"),
    "a remainder is no magic": ("a, b = 7, 4\ny = (a\n%b)", 3),
    "exit code": ("!exit 3\ny = _exit_code", 3),
    "%env of one": ("%env MY_VALUE 3 4\ny = %env MY_VALUE", "3 4"),
    "%set_env": ("k = 5\n%set_env MY_VALUE=a{k}\nimport os\ny = os.environ['MY_VALUE']", "a5"),
    "%cd and %pwd": ("%cd -q /\ny = %pwd", "/"),
    "!! as a value": ("y = 1\n!!echo hidden;\n", 1),
    "%time binds": ("%time y = twice(2)", 4),
    "%time of a value": ("y = %time twice(3)", 6),
    "%time of two": ("%time a = 1; y = a + 1", 2),
    "%time of a loop": ("y = 0\n%time for i in range(3): y += i", 3),
    "%time in a function": ("def f():\n    %time k = twice(1)\n    return k\ny = f()", 2),
    "%time of a command": ("y = 1\n%time !true", 1),
    "%%time": ("%%time\n\nx = twice(4)\ny = x + 1", 9),
    "%timeit leaves nothing": ("y = 1\n%timeit -n 1 -r 1 y = twice(2)\ny, '__timeit__' in globals()\ny += 1", 2),
    "%timeit gives": ("got = %timeit -n1 -r2 -q -o twice(1)\ny = got.loops, len(got.all_runs)", (1, 2)),
    "%matplotlib": ("%matplotlib inline\ny = 1", 1),
    "a question": ("y = 1\ny?\n?print\ny??", 1),
    "in a branch that only sets up": ("y = 0\nif y == 0:\n    %matplotlib inline\ny += 1", 1),
    "display by import": ("from IPython.display import display\ny = display.__module__.split('.')[-1]", "display"),
    "await": ("import asyncio\nasync def f(): return 3\ny = await f()", 3),
    "one loop": ("import asyncio\nt = asyncio.create_task(asyncio.sleep(0, 5))\nx = 1\ny = await t", 5),
    "async for": (
        "async def g():\n    yield 1\n    yield 2\ny = []\nasync for i in g():\n    y.append(i)\ny += [i async for i in g()]",
        [1, 2, 1, 2],
    ),
    "async with": (
        "import contextlib\n@contextlib.asynccontextmanager\nasync def c():\n    yield 7\nasync with c() as y:\n    pass",
        7,
    ),
    "a captured coroutine function": ("y = await later(2)", 4),
    "without await asyncio.run works": ("import asyncio\ny = asyncio.run(later(3))", 6),
    "a captured command": ("y = listed(2)", ["2", "of the notebook"]),
    "a captured magic": ("y = timed(2)", 4),
}
BEFORE = """
NAME = "of the notebook"
def twice(x): return 2 * x
async def later(x): return twice(x)
def listed(n):
    found = !echo {n}; echo $NAME
    return found
def timed(n):
    %matplotlib inline
    %time k = twice(n)
    return k
"""


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("GREETING", "MY_VALUE"):
        monkeypatch.setenv(name, "")


@pytest.mark.parametrize(("cell", "expected"), SAME.values(), ids=SAME)
def test_it_works_in_a_job(cell: str, expected: object) -> None:
    job = Book(BEFORE).job(cell, "y")
    assert job["y"] == expected


PRINTED = {
    "%time": ("%time 1 + 1", TIMES + "2\n"),
    "%time, quietly": ("%time 1 + 1;", TIMES),
    "%%time": ("%%time\nprint('in')\n2 * 2", "in\n" + TIMES + "4\n"),
    "%%time of what fails": ("%%time\nprint('in')\n1 / 0", "in\n" + TIMES),
    "%timeit": ("n = 2\n%timeit -n 3 -r 2 n ** 2", LOOPS),
    "%%timeit": ("%%timeit -n3 -r2 x = 1\n\ny = x + 1\nfor i in range(3):\n    y += i", LOOPS),
    "%env": ("%env MY_VALUE=3", "env: MY_VALUE=3\n"),
    "%env of a secret": ("%env MY_TOKEN=abc", "env: MY_TOKEN=<hidden>\n"),
    "%env of one": ("%env MY_VALUE=3\n%env MY_VALUE", "env: MY_VALUE=3\n'3'\n"),
    "%cd": ("%cd /", "/\n"),
    "!! is shown": ("!!echo a", r"\['a'\]\n"),
}


@pytest.mark.parametrize(("cell", "printed"), PRINTED.values(), ids=PRINTED)
def test_it_prints_what_ipython_prints(cell: str, printed: str) -> None:
    assert re.fullmatch(printed, Book().job(cell).output)


def test_a_command_writes_straight_to_the_log(capfd: pytest.CaptureFixture[str]) -> None:
    Book("x = 2").job("!echo out {x}; echo err >&2\nfor i in range(2):\n    !echo {i}")
    assert capfd.readouterr() == ("out 2\n0\n1\n", "err\n")


def test_lines_and_text_are_the_users(capfd: pytest.CaptureFixture[str]) -> None:
    captured = Book().capture("x = 1\n!echo \\\n  two\n%time 1 / 0\n%pip install tqdm\ny = 3")
    cell = captured.program["cells"]["<In [1]>"]
    assert cell["shown"] == {"3": "!echo \\\n", "4": "  two\n", "5": "%time 1 / 0\n", "6": "%pip install tqdm\n"}
    job = Book().job("x = 1\n!echo \\\n  two\n%time 1 / 0\n")
    trace = job.error.__traceback__ if job.error else None
    lines = []
    while trace is not None:
        lines.append((trace.tb_frame.f_code.co_filename, trace.tb_lineno))
        trace = trace.tb_next
    assert lines[-1] == ("<In [1]>", 5)


def test_an_await_that_fails_shows_no_frame_of_the_loop() -> None:
    job = Book().job("async def f():\n    raise KeyError('k')\nawait f()")
    trace = job.error.__traceback__ if job.error else None
    files = []
    while trace is not None:
        files.append(Path(trace.tb_frame.f_code.co_filename).name)
        trace = trace.tb_next
    assert files[-2:] == ["<In [1]>", "<In [1]>"]
    assert "base_events.py" not in files


REFUSED = {
    "a cell magic": ("%%bash\nls", r"Line 2: %%bash does not work in a job.*!command"),
    "another, after a blank line": ("\n%%writefile a.txt\nx", r"Line 3: %%writefile .*--files"),
    "a cell magic further down": ("x = 1\n%%time\nx", r"Line 3: %%time works as the first line of a cell only"),
    "%%capture": ("%%time\n%%capture out\nx", r"Line 3: %%capture does not work"),
    "a line magic": ("x = 1\n%whos", r"Line 3: %whos does not work in a job"),
    "in a function": ("def f():\n    x = %who_ls\n    return x\nf()", r"Line 3: %who_ls does not work"),
    "%run": ("%run train.py", r"Line 2: %run does not work.*%kube run"),
    "%conda": ("%conda install x", r"Line 2: %conda does not work.*--pip"),
    "an alias": ("%ls -l", r"Line 2: %ls does not work.*!ls -l"),
    "no Python behind %time": ("%time for in x", r"Line 2: the code behind %time is not Python"),
    "statement beside %%time": ("%%time x = 1\ny", r"Line 2: .*%%?time"),
    "pip from a file": ("%pip install -r more.txt", r"Line 2: .*-r cannot.*--requirements more.txt"),
    "pip of a folder": ("x = 1\n!pip install -e .", r"Line 3: .*-e cannot"),
    "pip of a name": ("%pip install {what}", r"Line 2: .*\{what\} cannot"),
    "bare pip": ("pip install tqdm", r"Line 2: .*next: write %pip install tqdm"),
    "broken": ("x = 1\n!ls 'a\nfor in y: pass", r"Line 4: .*for in y"),
    "breakpoint": ("x = 1\nif x:\n    breakpoint()", r"Line 4: breakpoint\(\) does not work"),
    "get_ipython": ("x = 1\nget_ipython().kernel", r"Line 3: get_ipython\(\) does not work"),
    "get_ipython by import": ("from IPython import get_ipython\nget_ipython()", r"Line 2: get_ipython\(\) does not"),
    "get_ipython by module": ("import IPython\nIPython.get_ipython().x", r"Line 3: get_ipython\(\) does not work"),
    "input": ("def f():\n    return input('?')\nf()", r"Line 3: input\(\) does not work"),
    "await in %%timeit": ("%%timeit\nawait x", r"Line 3: "),
}


@pytest.mark.parametrize(("cell", "message"), REFUSED.values(), ids=REFUSED)
def test_what_no_job_can_do_is_refused_with_its_line(cell: str, message: str) -> None:
    with pytest.raises(CellError) as caught:
        Book().capture(cell)
    assert re.search(message, str(caught.value), re.DOTALL), str(caught.value)
    assert caught.value.hint


CAPTURED = {
    "a magic": ("def f():\n    %whos\n", r"f \(In \[1\], line 2\): %whos does not work in a job"),
    "get_ipython": ("def f():\n    return get_ipython().kernel\n", r"f \(In \[1\], line 2\): get_ipython\(\) does not"),
    "input, further down": ("def g():\n    return input()\ndef f(): return g()", r"g \(In \[1\], line 2\): input\(\)"),
    "by import": (
        "def f():\n    from IPython import get_ipython\n",
        r"f \(In \[1\], line 2\): get_ipython\(\) does not",
    ),
}


@pytest.mark.parametrize(("before", "message"), CAPTURED.values(), ids=CAPTURED)
def test_definitions_of_the_notebook_are_refused_by_name_and_line(before: str, message: str) -> None:
    with pytest.raises((CellError, CaptureError), match=message) as caught:
        Book(before).capture("f()")
    assert caught.value.hint


ALLOWED = {
    "where its absence is foreseen": "try:\n    shell = get_ipython()\nexcept NameError:\n    shell = None",
    "by import, foreseen": "try:\n    from IPython import get_ipython\nexcept ImportError:\n    pass",
    "a parameter": "def f(input): return input * 2\nf(1)",
    "a function of one's own": "def input(): return 1\ninput()",
    "an attribute": "class A:\n    input = 3\nA().input",
}


@pytest.mark.parametrize("cell", ALLOWED.values(), ids=ALLOWED)
def test_what_only_looks_like_the_notebooks_own(cell: str) -> None:
    job = Book().job(cell)
    assert job.error is None


PIP = {
    "%pip install tqdm": ("tqdm",),
    "%pip install -q -U 'torch >= 2' tqdm==4.1": ("torch>=2", "tqdm==4.1"),
    "!pip install --quiet tqdm > /dev/null 2>&1": ("tqdm",),
    "!pip3 install tqdm | tail -n 1": ("tqdm",),
    "!{sys.executable} -m pip install tqdm": ("tqdm",),
    "!python -m pip install tqdm  # for progress": ("tqdm",),
    "%uv pip install tqdm": ("tqdm",),
    "!uv pip install --system tqdm": ("tqdm",),
    "!pip install torch>=2": ("torch>=2",),
    "!pip install git+https://example.org/a.git": ("git+https://example.org/a.git",),
    "%pip install a\n!pip install b a": ("a", "b"),
    "!pip list": (),
    "!pip install a && echo done": (),
    "if 0:\n    !pip install a": (),
    "!echo pip install a": (),
}


@pytest.mark.parametrize(("cell", "expected"), PIP.items(), ids=PIP)
def test_what_the_cell_installs_is_installed_before_it(cell: str, expected: tuple[str, ...]) -> None:
    captured = Book().capture(cell)
    assert captured.requirements == expected
    ran_there = any(captured.program["statements"])
    assert ran_there == (not expected)


def test_imports_stand_behind_what_may_install_and_settings_before_them() -> None:
    job = Book().job("%env MY_VALUE=1\nimport json\n!true\nimport csv\nprint(json, csv)\n")
    assert job.defined & {"json", "csv"} == {"json"}
    assert os.environ["MY_VALUE"] == "1"


WARNED = {
    "%matplotlib inline\nx = 1\nx?": "left out, as a job has no notebook around it: %matplotlib inline (line 2), x? (line 4)",
    "!echo $HOME {nowhere}": None,
    "x = 0\nif x:\n    !echo {nowhere}": None,
    "%timeit -n1 -r1 1": None,
}


@pytest.mark.parametrize(("cell", "warning"), WARNED.items(), ids=WARNED)
def test_what_is_left_out_is_said(cell: str, warning: str | None) -> None:
    assert Book().capture(cell).warnings == ((warning,) if warning else ())


def test_the_notebooks_names_behind_its_own_syntax_travel() -> None:
    book = Book("a = b = c = d = 1\ndef f(): return d")
    assert travelling(book.capture("!echo {a}\n%time b\n%timeit -n1 -r1 f()")) == ["a", "b", "d", "f"]


def test_a_function_with_commands_as_a_call(tmp_path: Path) -> None:
    book = Book(BEFORE)
    captured = capture_call(book.namespace["listed"], (2,), {}, book.notebook())
    assert Ran(captured).values == {"@value": ["2", "of the notebook"]}


def test_what_only_some_cells_need_travels_with_them_alone() -> None:
    from kube_magics.cells import bundle

    plain, with_commands = (bundle.build(Book().capture(cell), {}).data for cell in ("x = 1", "!ls"))
    assert len(with_commands) > len(plain) + 2000


def test_lines_of_a_command() -> None:
    found = Lines(["a 1", "b 2", "/"])
    assert (found.s, found.n, found.l) == ("a 1 b 2 /", "a 1\nb 2\n/", ["a 1", "b 2", "/"])
    assert [str(path) for path in found.p] == ["/"]
    assert found.grep("A") == ["a 1"]
    assert found.grep("1", prune=True, field=1) == ["b 2", "/"]
    assert (found.fields(1), found.fields()[0]) == (["1", "2"], ["a", "1"])


@pytest.mark.parametrize("span_s", [0.0, 1.5e-10, 4.2e-8, 9.99e-7, 1.23e-3, 0.999, 3.0, 59.99, 61.0, 3600.0, 90061.5])
def test_durations_read_as_ipython_writes_them(span_s: float) -> None:
    from IPython.core.magics.execution import _format_time

    assert duration(span_s) == _format_time(span_s)


def test_timeit_options() -> None:
    assert timeit_options("-n 3 -r2 -qo x - 1") == ({"number": 3, "repeat": 2, "quiet": True, "gives": True}, "x - 1")
    assert timeit_options("-x") == ({}, "-x")


@pytest.mark.skipif(sys.platform == "win32", reason="no /bin/sh")
def test_a_text_without_any_of_it_is_left_alone() -> None:
    text = "x = 1\n\n\ndef f():\n    return '%d!' % x  # ?\n"
    assert python(text) == text
    assert parse_cell("%%kubetrain\n" + text, None, python).shown == {}


PIECES = [
    "$x",
    "{x}",
    "{x!r}",
    "$$x",
    "{{",
    "}}",
    "'",
    '"',
    "$1",
    "{y}",
    "{x:>3}",
    " a",
    "$x.real",
    "{",
    "}",
    "$nowhere",
]
PIECES += [
    "{x + 1}",
    "{names[0]}",
    "{d['k']}",
    "\\",
    "é",
    "$",
    "{ x }",
    "{x[1:]}",
    "{names[1:]}",
    "{}",
    "{x!z}",
    "$names",
]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=6).map("".join))
@example("echo $x {names[1:]} '$x' $x")
def test_names_in_commands_are_replaced_as_ipython_does_it(text: str) -> None:
    names = {"x": 4, "names": ["a", "b"], "d": {"k": 2}}
    try:
        expected = DollarFormatter().vformat(text, [], dict(names))
    except Exception:  # noqa: BLE001 - as IPython has it: whatever goes wrong, the text stays as it is
        expected = text
    made = formatted(text)
    if made is None:
        assert text == expected
        return
    code = compile(ast.fix_missing_locations(ast.Expression(made)), "<made>", "eval")
    try:
        found = eval(code, dict(names))
    except Exception:  # noqa: BLE001 - as above
        found = text
    assert found == expected


@pytest.mark.parametrize(
    ("method", "args"),
    [
        ("fields", ()),
        ("fields", (0,)),
        ("fields", (1, 0)),
        ("fields", (-1,)),
        ("fields", (5,)),
        ("grep", ("A",)),
        ("grep", ("a", True)),
        ("grep", ("2", False, 1)),
        ("grep", ("x", False, 7)),
        ("grep", (str.isdigit,)),
    ],
)
def test_lines_are_what_ipython_gives(method: str, args: tuple[object, ...]) -> None:
    lines = ["a 1", "b 2 x", "", "42", "A  b  c"]
    found = getattr(Lines(lines), method)(*args)
    assert list(found) == list(getattr(SList(lines), method)(*args))
    assert (Lines(lines).s, Lines(lines).n) == (SList(lines).s, SList(lines).n)
