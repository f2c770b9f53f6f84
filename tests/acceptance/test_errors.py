"""Every mistake gives one clear sentence and what to type next; typing it works, and nothing is left behind."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from kube_magics import errors
from tests.acceptance.desk import Desk, corrected, next_lines, suggested
from tests.kernel import Ran


@dataclass(frozen=True)
class Mistake:
    """One wrong cell."""

    error: type[errors.KubeMagicsError]
    says: str
    """Part of the first line."""
    line: str = ""
    body: str = "print('ran')"
    before: str = ""
    """A cell that runs first."""
    wrong: str = ""
    """The word of the line that the suggestion stands for."""
    told: str = ""
    """Part of the `next:` line where it tells in words what to do, …"""
    mended: tuple[str, str] | None = None
    """… and the line and body of someone who does so."""
    mending: str = ""
    """A cell that such a person runs first."""


ON_THE_LINE: dict[str, Mistake] = {
    "misspelt option": Mistake(errors.OptionError, "no option --gpu.", "--gpu 0", wrong="--gpu"),
    "one dash": Mistake(errors.OptionError, "no option -gpus.", "-gpus 0", wrong="-gpus"),
    "option of another tool": Mistake(errors.OptionError, "no option --replicas", "--replicas 3"),
    "not an option": Mistake(errors.OptionError, "options only", "digits.py"),
    "option without its value": Mistake(errors.OptionError, "--timeout needs a value", "--timeout"),
    "gpus in words": Mistake(errors.OptionError, "not a whole number", "--gpus one --cpu-ok"),
    "fewer than no gpus": Mistake(errors.OptionError, "--gpus -1", "--gpus -1 --cpu-ok"),
    "memory in GB": Mistake(errors.OptionError, "not an amount of memory", "--memory 2GB"),
    "memory without a unit": Mistake(errors.OptionError, "too little", "--memory 1"),
    "cpus with a comma": Mistake(errors.OptionError, "not a number of cores", "--cpus 0,5"),
    "name in capitals": Mistake(errors.OptionError, "a-z, 0-9", "--name My_Job"),
    "names with blanks": Mistake(errors.OptionError, "commas", "--returns a, b", body="a = b = 1"),
    "timeout in words": Mistake(errors.OptionError, "not a duration", "--timeout soon"),
    "no such backend": Mistake(errors.OptionError, "no such backend", "--backend docker"),
    "undefined $name": Mistake(
        errors.OptionError,
        "$how_many",
        "--gpus $how_many",
        told="define how_many",
        mending="how_many = 0",
        mended=("--gpus $how_many", "print('ran')"),
    ),
    "undefined {name}": Mistake(
        errors.OptionError,
        "{minutes * 60}",
        "--timeout {minutes * 60}",
        told="define minutes",
        mending="minutes = 2",
        mended=("--timeout {minutes * 60}", "print('ran')"),
    ),
    "open quote": Mistake(
        errors.OptionError, "No closing quotation", "--name 'abc", told="close the quote", mended=("--name 'abc'", "1")
    ),
}

IN_THE_CELL: dict[str, Mistake] = {
    "empty": Mistake(errors.CellError, "is empty", body="", told="write code below", mended=("", "print('ran')")),
    "blank": Mistake(errors.CellError, "is empty", body="\n  \n", told="write code below", mended=("", "print('ran')")),
    "comments only": Mistake(
        errors.CellError, "is empty", body="# later\n", told="write code below", mended=("", "print('ran')")
    ),
    "syntax error": Mistake(
        errors.CellError,
        "Line 4: expected ':'",
        body="n = 3\n\nfor i in range(n)\n    print(i)",
        told="correct line 4",
        mended=("", "n = 3\n\nfor i in range(n):\n    print(i)"),
    ),
    "a shell command": Mistake(
        errors.CellError, "Line 3", body="n = 3\n!ls", told="in a cell of its own", mended=("", "n = 3")
    ),
    "input": Mistake(
        errors.CellError,
        "input()",
        body="n = input('How many? ')",
        told="set the value",
        mending="n = 3",
        mended=("", "print(n)"),
    ),
    "undefined": Mistake(
        errors.CaptureError,
        "'never_made' is not defined",
        body="print(never_made)",
        told="run the cell that defines never_made",
        mending="never_made = 1",
        mended=("", "print(never_made)"),
    ),
    "returns what is never set": Mistake(
        errors.CellError,
        "never sets model",
        "--returns model",
        told="set model",
        mended=("--returns model", "model = 1"),
    ),
    "unpicklable, by its path": Mistake(
        errors.CaptureError,
        'config["connections"][1]',
        before="import threading\nconfig = {'connections': [1, threading.Lock()]}",
        body="print(config)",
        told="make it inside the cell",
        mended=("", "import threading\nconfig = {'connections': [1, threading.Lock()]}\nprint(config)"),
    ),
    "an open file": Mistake(
        errors.CaptureError,
        "source cannot travel",
        before="import os\nsource = open(os.devnull)",
        body="print(source.read())",
        told="inside the cell",
        mended=("", "import os\nsource = open(os.devnull)\nprint(source.read())\nsource.close()"),
    ),
}

NO_CLUSTER: dict[str, Mistake] = {
    "a cluster is asked for": Mistake(errors.ConfigError, "No cluster is configured", "--backend kubernetes"),
    "a context is asked for": Mistake(errors.ConfigError, "no context lab", "--context lab"),
    "a namespace is asked for": Mistake(errors.ConfigError, "no namespace team-a", "--namespace team-a"),
    "gpus are asked for": Mistake(errors.SubmitError, "no NVIDIA GPU is found", "--gpus 1"),
    "no such interpreter": Mistake(errors.SubmitError, "/nope cannot be started", "--python /nope"),
    "not a Python": Mistake(
        errors.JobNotStarted, "did not start", "--python /bin/false", told="leave --python out", mended=("", "1")
    ),
    "manifests without a cluster": Mistake(
        errors.OptionError, "would run on this machine", "--dry-run", told="--backend kubernetes", mended=("", "1")
    ),
}


def check(desk: Desk, mistake: Mistake) -> None:
    """The mistake, its sentence, the way out, and what is left."""
    if mistake.before:
        desk.right(mistake.before)
    before = desk.left()
    ran = desk.run(f"%%kubetrain {mistake.line}\n{mistake.body}")
    assert_clear(ran, mistake.error, mistake.says)
    desk.settles(before)
    again(desk, mistake, ran)


def assert_clear(ran: Ran, error: type[errors.KubeMagicsError], says: str) -> None:
    """The right class, said in a few lines of which the first is a sentence."""
    assert ran.error == error.__name__, ran
    lines = ran.traceback.splitlines()
    first = next(line for line in lines if line.startswith(error.__name__))
    assert says in first, ran.traceback
    assert len(lines) <= 12, ran.traceback
    assert "Traceback" not in ran.traceback
    assert next_lines(ran)


def again(desk: Desk, mistake: Mistake, ran: Ran) -> None:
    """Do what the `next:` line says."""
    if mistake.mended is not None:
        assert mistake.told in next_lines(ran), ran.traceback
        if mistake.mending:
            desk.right(mistake.mending)
        line, body = mistake.mended
        desk.right(f"%%kubetrain {line}\n{body}")
        return
    command = suggested(ran)
    assert command is not None, ran.traceback
    if command.startswith("%"):
        desk.right(command)
    else:
        desk.right(f"%%kubetrain {corrected(mistake.line, command, mistake.wrong)}\n{mistake.body}")


@pytest.mark.parametrize("name", ON_THE_LINE)
def test_on_the_line(here: Desk, name: str) -> None:
    check(here, ON_THE_LINE[name])


@pytest.mark.parametrize("name", IN_THE_CELL)
def test_in_the_cell(here: Desk, name: str) -> None:
    check(here, IN_THE_CELL[name])


@pytest.mark.parametrize("name", NO_CLUSTER)
def test_without_a_cluster(here: Desk, name: str) -> None:
    check(here, NO_CLUSTER[name])


def test_an_empty_cell_ends_run_all(here: Desk) -> None:
    """Also the cell that is nothing but the line, of which IPython itself would only print."""
    assert_clear(here.run("%%kubetrain"), errors.CellError, "is empty")


def test_line_numbers_are_the_editors(here: Desk) -> None:
    ran = here.run("%%kubetrain\nn = 1\n\ndef f():\n    return n +\n\nf()")
    assert_clear(ran, errors.CellError, "Line 5")
