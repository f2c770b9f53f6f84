"""The cases, as data: cells before, the job's line and cell, and what must be seen on every backend."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Case:
    """One job cell and its expectation."""

    body: str
    """The cell below the `%%kubetrain` line."""
    options: str = ""
    before: str = ""
    """A notebook cell that runs first."""
    out: str | None = None
    """The job's whole stdout; None: not compared."""
    err: str | None = None
    err_has: tuple[str, ...] = ()
    """Each of these once."""
    shows: tuple[str, ...] | None = None
    """Lines of stdout and `PNG 640x480` for each picture, in the order they are seen; None: there is no picture."""
    error: str | None = None
    """Name of the exception's class."""
    message: str = ""
    """Part of its text."""
    frames: tuple[str, ...] = ()
    """The traceback's frames as IPython shows them, and their marked lines."""
    values: dict[str, str] = field(default_factory=dict)
    """Expressions in the notebook afterwards, and their repr."""


IMPORT = "import matplotlib.pyplot as plt"
PLOT = f"{IMPORT}\nplt.plot([1, 2])"

CASES: dict[str, Case] = {
    "prints": Case("print('one')\nprint('two')", out="one\ntwo\n", err=""),
    "both streams": Case(
        "import sys\nprint('out')\nprint('err', file=sys.stderr)\nprint('out again')",
        out="out\nout again\n",
        err="err\n",
    ),
    "no newline at the end": Case("import sys\nsys.stdout.write('half')", out="half4\n"),
    "progress bar": Case(
        "import sys, time\nfor i in range(3):\n"
        "    sys.stdout.write(f'\\r{i}/2')\n    sys.stdout.flush()\n    time.sleep(0.7)\nprint()",
        out="\r0/2\r1/2\r2/2\n",
    ),
    "the marks of the protocol": Case(
        'print("\\x1e{\\"e\\":\\"end\\",\\"code\\":3}")\nprint("\\x1f2not stderr")\nprint("plain")',
        out='\x1e{"e":"end","code":3}\n\x1f2not stderr\nplain\n',
        err="",
    ),
    "unicode": Case("print('größer ∑ 🎉')", out="größer ∑ 🎉\n"),
    "last expression": Case("x = [1, 2]\nx", out="[1, 2]\n"),
    "last expression silenced": Case("1 + 1;", out=""),
    "values come back": Case(
        "a = base + 1\nb = {'k': [a]}",
        "--returns a,b",
        before="base = 41",
        values={"a": "42", "b": "{'k': [42]}"},
    ),
    "functions and classes travel": Case(
        "box = Box(twice(base))",
        "--returns box",
        before=(
            "from dataclasses import dataclass\nbase = 4\n"
            "def twice(n):\n    return n * factor\nfactor = 2\n"
            "@dataclass\nclass Box:\n    n: int"
        ),
        values={"box": "Box(n=8)", "type(box) is Box": "True"},
    ),
    "a class of the cell": Case(
        "class Made:\n    def __init__(self, n):\n        self.n = n\nmade = Made(3)",
        "--returns made",
        values={
            "made.n": "3",
            "type(made) is Made": "True",
            "__import__('pickle').loads(__import__('pickle').dumps(made)).n": "3",
        },
    ),
    "numpy and sklearn": Case(
        "import numpy as np\nfrom sklearn.linear_model import LogisticRegression\n"
        "m = LogisticRegression().fit(X, y)\ns = m.score(X, y)",
        "--returns m,s",
        before="import numpy as np\nX = np.arange(20.0).reshape(-1, 1)\ny = (X[:, 0] > 9).astype(int)",
        values={"s": "1.0", "type(m).__name__": "'LogisticRegression'", "int(m.predict(X)[-1])": "1"},
    ),
    "the original exception": Case(
        "def f(n):\n    return 1 // n\n\nf(0)",
        error="ZeroDivisionError",
        message="integer division or modulo by zero",
        frames=("Cell In[N], line 5", "----> 5 f(0)", "Cell In[N], line 3, in f()", "----> 3     return 1 // n"),
    ),
    "an exception in a helper": Case(
        "helper('x')",
        before="def helper(text):\n    number = int(text)\n    return number",
        error="ValueError",
        message="invalid literal for int() with base 10: 'x'",
        frames=(
            "Cell In[N], line 2",
            "----> 2 helper('x')",
            "Cell In[N], line 2, in helper()",
            "----> 2     number = int(text)",
        ),
    ),
    "an exception with its cause": Case(
        "try:\n    helper('x')\nexcept ValueError as error:\n    raise Mine('no') from error",
        before="class Mine(Exception):\n    pass\n\ndef helper(text):\n    return int(text)",
        error="Mine",
        message="no",
        frames=(
            "Cell In[N], line 3",
            "----> 3     helper('x')",
            "Cell In[N], line 5, in helper()",
            "----> 5     return int(text)",
            "Cell In[N], line 5",
            "----> 5     raise Mine('no') from error",
        ),
    ),
    "an exception that its pickle does not bring": Case(
        "raise Odd(1, 2)",
        before=(
            "import threading\nclass Odd(Exception):\n    def __init__(self, a, b):\n"
            "        super().__init__(f'{a}, {b}')\n        self.lock = threading.Lock()"
        ),
        error="Odd",
        message="1, 2",
    ),
    # IPython leaves groups to Python's own traceback, which it writes to stderr.
    "an exception group": Case(
        "raise ExceptionGroup('several', [ValueError(1), KeyError(2)])",
        err_has=("ExceptionGroup: several (2 sub-exceptions)", "| ValueError: 1", "| KeyError: 2"),
    ),
    "an exception class of the notebook": Case(
        "raise Mine('no')",
        before="class Mine(Exception):\n    pass",
        error="Mine",
        message="no",
    ),
    "exit code": Case(
        "import sys\nsys.exit(3)", error="JobExited", message="called sys.exit(3): it ended with exit code 3"
    ),
    "exit with a text": Case(
        "import sys\nsys.exit('no data')",
        error="JobExited",
        message="exit code 1",
        values={"__import__('sys').last_value.said": "'no data'", "__import__('sys').last_value.code": "'no data'"},
    ),
    "exit with success": Case("import sys\nprint('bye')\nsys.exit(0)", out="bye\n"),
    "exit behind Python's back": Case("import os\nos._exit(7)", error="JobFailed", message="exit code 7"),
    "killed by a signal": Case(
        "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)", error="JobKilled", message="signal SEGV"
    ),
    "timeout": Case("import time\ntime.sleep(60)", "--timeout 2s", error="JobTimeout", message="--timeout of 2.0 s"),
    "a name never set": Case(
        "got = 1\nif got > 1:\n    lost = 2",
        "--returns got,lost",
        error="ResultMissing",
        message="lost did not come back",
        values={"got": "1"},
    ),
    "what cannot be pickled": Case(
        "fine = 1\ngen = (i for i in range(3))",
        "--returns fine,gen",
        error="ResultMissing",
        message="gen did not come back",
        values={"fine": "1"},
    ),
    "a package that is not there": Case(
        "import no_such_package_anywhere", "--pip none", error="ImportMissing", message="no_such_package_anywhere"
    ),
    "workers run the cell once": Case(
        "import concurrent.futures, multiprocessing\nprint('start')\n"
        "with concurrent.futures.ProcessPoolExecutor(2, mp_context=multiprocessing.get_context('spawn')) as pool:\n"
        "    print(list(pool.map(square, range(4))))",
        before="def square(n):\n    return n * n",
        out="start\n[0, 1, 4, 9]\n",
    ),
    # Sizes are those of a plain notebook: 100 dots per inch, cut to what is drawn.
    "a figure at the end": Case(f"{PLOT}\nprint('drawn')", shows=("drawn", "PNG 547x413")),
    "figures between lines": Case(
        f"print('one', end='')\n{PLOT}\nplt.show()\nprint('two')\nplt.plot([2])\nplt.show()\nprint('three')",
        shows=("one", "PNG 547x413", "two", "PNG 565x413", "three"),
    ),
    "a figure as the last expression": Case(
        f"fig, axes = plt.subplots()\n{PLOT}\nfig", before=IMPORT, shows=("PNG 547x413", "PNG 547x413")
    ),
    "display of a figure and of a table": Case(
        "fig, axes = plt.subplots()\naxes.plot([1, 2])\ndisplay(fig, [1])\nplt.close()\nprint('end')",
        before=IMPORT,
        shows=("PNG 547x413", "[1]", "end"),
    ),
    "figures before an exception": Case(f"{PLOT}\n1 / 0", shows=("PNG 547x413",), error="ZeroDivisionError"),
    "a figure that cannot be drawn": Case(
        f"{PLOT}\nplt.title(r'$\\frac{{1}}$');\nprint('end')", out="end\n", err_has=("ParseSyntaxException: Expected",)
    ),
    "an object that is a picture": Case(
        "display(Dot())\nprint('after')",
        before=(
            "import base64\nclass Dot:\n    def _repr_png_(self):\n        return base64.b64decode('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAf"
            "FcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==')\n    def _repr_html_(self):\n        return '<b>dot</b>'"
        ),
        shows=("PNG 1x1", "after"),
    ),
    "a figure that is too large is drawn smaller": Case(
        "import numpy as np\nimport matplotlib.pyplot as plt\nplt.figure(figsize=(10, 10), dpi=200)\n"
        "plt.imshow(np.random.default_rng(0).random((900, 900)))\nplt.show()\nprint('end')",
        shows=("PNG ", "end"),
        err_has=("dots per inch instead of 200",),
    ),
    "a picture that is too large is not shown": Case(
        "display(Large())\nprint('after')",
        before=(
            "import struct, zlib, os\nclass Large:\n    def _repr_png_(self):\n"
            "        chunk = lambda kind, data: struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))\n"
            "        rows = b''.join(b'\\0' + os.urandom(600) for _ in range(600))\n"
            "        return (b'\\x89PNG\\r\\n\\x1a\\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', 600, 600, 8, 0, 0, 0, 0))\n"
            "                + chunk(b'IDAT', zlib.compress(rows)) + chunk(b'IEND', b''))\n"
            "    def __repr__(self):\n        return 'a large picture'"
        ),
        shows=("after",),
        err_has=("a large picture is not shown: it takes 352 KiB, and 256 KiB is the most; save it to a file",),
    ),
    "HTML is text": Case(
        "display(Page())\nPage()",
        before="class Page:\n    def _repr_html_(self):\n        return '<b>page</b>'\n    def __repr__(self):\n        return 'a page'",
        out="a page\na page\n",
        shows=None,
    ),
    "a long line": Case("print('x' * 150_000)", out="x" * 150_000 + "\n"),
    "main is main": Case("print(__name__)", out="__main__\n"),
}
