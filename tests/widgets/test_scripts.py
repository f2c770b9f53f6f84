"""The dashboard's logic without a page: versions, filter, order, window, and what becomes of a log's control sequences."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kube_magics.widgets import dashboard

FOLDER = Path(dashboard.__file__).parent
ROW = {
    "name": "a",
    "status": "running",
    "shown": "running",
    "live": True,
    "why": "",
    "gpus": 0,
    "node": "n",
    "mine": True,
    "created_at": 10.0,
    "started_at": 20.0,
    "finished_at": None,
    "notebook": "/home/me/train.ipynb",
    "cell": "In [3]",
    "no_rerun": "",
}


def node(expressions: list[str], scripts: tuple[str, ...] = ("rows.js", "log.js")) -> list[Any]:
    """What expressions of the scripts' own language give, by JSON; the interpreter is that of playwright."""
    driver = pytest.importorskip("playwright._impl._driver")
    (interpreter, _) = driver.compute_driver_executable()
    program = "\n".join((FOLDER / name).read_text("utf-8") for name in scripts)
    program += "".join(f"\nconsole.log(JSON.stringify({each} ?? null));" for each in expressions)
    command = [interpreter, "--input-type=module", "-"]
    done = subprocess.run(command, input=program, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def log(*texts: str) -> list[list[tuple[str, str]]]:
    """Lines as (text, styles)."""
    (found,) = node([f"((log) => {json.dumps(list(texts))}.flatMap((text) => log.take(text)))(new Log())"])
    return [[(piece["text"], " ".join(piece["styles"])) for piece in line] for line in found]


def test_all_scripts_are_one_module() -> None:
    scripts = dashboard.SCRIPTS
    assert {path.name for path in FOLDER.glob("*.js")} == set(scripts)
    assert node([], scripts) == []
    assert dashboard.script().count("export default") == 1


def test_a_log_has_the_colours_of_a_terminal_and_does_nothing_that_one_would_do() -> None:
    assert log("plain \x1b[1;31mred\x1b[39m bold\n", "still\x1b[0m not\n") == [
        [("plain ", ""), ("red", "bold fg-red"), (" bold", "bold")],
        [("still", "bold"), (" not", "")],
    ]
    assert log("\x1b]0;title\x07a\x1b[2Jb\x1b[10;3Hc\x1bPq#0\x1b\\d\x9b31me\x08\x00\n") == [
        [("a", ""), ("b", ""), ("c", ""), ("d", ""), ("e", "fg-red")]
    ]
    assert log(" 10%|#\r100%|##\r\n", "half ", "a line\n") == [[("100%|##", "")], [("half a line", "")]]
    assert log("\x1b[38;5;1mx\x1b[38;2;1;2;3my\x1b[48;5;200mz\n") == [
        [("x", "fg-red"), ("y", "fg-red"), ("z", "fg-red")],
    ]


@settings(max_examples=6, deadline=None)
@given(st.lists(st.text(st.sampled_from("\x1b[]m;0139\r\x07\x9b\x9d\\ab<&"), max_size=30), max_size=20))
def test_no_text_leads_a_control_character_to_the_page(lines: list[str]) -> None:
    found = log("".join(f"{line}\n" for line in lines))
    assert len(found) == len(lines)
    shown = "".join(text for line in found for text, _ in line)
    assert all(character.isprintable() for character in shown)


def test_a_version_that_does_not_follow_asks_for_the_whole() -> None:
    whole = {"version": 3, "since": None, "rows": [ROW, {**ROW, "name": "b"}], "gone": []}
    next_one = {"version": 4, "since": 3, "rows": [{**ROW, "name": "c"}], "gone": ["a"]}
    steps = [next_one, whole, next_one, next_one, {**next_one, "version": 9, "since": 8}, {"said": "x"}]
    (found,) = node(
        [f"((rows) => [{json.dumps(steps)}.map((step) => rows.take(step)), [...rows.byName.keys()]])(new Rows())"]
    )
    assert found == [[False, True, True, True, False, True], ["b", "c"]]


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("", "abc"),
        ("train", "abc"),
        ("-gpus:2 train", "ac"),
        ("status:failed", "c"),
        ("-status:failed", "ab"),
        ("gpus:2", "b"),
        ("In [3] QUOTA", "c"),
        ("nothing", ""),
    ],
)
def test_filter(words: str, names: str) -> None:
    rows = [
        {**ROW, "name": "a", "node": ""},
        {**ROW, "name": "b", "gpus": 2, "node": ""},
        {**ROW, "name": "c", "shown": "failed", "why": "over quota", "node": ""},
    ]
    chosen = f"chosen({json.dumps(rows)}, {json.dumps(words)}, false, {{key: 'name', down: false}}, 30)"
    assert node([f"{chosen}.map((row) => row.name).join('')"]) == [names]


def test_order_has_what_is_unknown_last_either_way() -> None:
    rows = [{**ROW, "name": "a", "gpus": None}, {**ROW, "name": "b", "gpus": 2}, {**ROW, "name": "c", "gpus": 1}]
    order = "chosen(%s, '', true, {key: 'gpus', down: %s}, 30).map((row) => row.name).join('')"
    assert node([order % (json.dumps(rows), down) for down in ("true", "false")]) == ["bca", "cba"]


def test_cells_tell_ages_by_the_clock_and_nothing_that_is_not_known() -> None:
    row = {**ROW, "gpus": None, "name": "a\x1b[31m\n"}
    keys = ("name", "gpus", "age", "took", "notebook")
    assert node([f"cell({json.dumps(row)}, '{key}', 3700)" for key in keys]) == [
        *("a [31m ", "?", "1 h 1 min", "1 h 1 min", "train.ipynb In [3]"),
    ]
    ended = {**ROW, "live": False, "started_at": None, "created_at": None}
    assert node([f"cell({json.dumps(ended)}, '{key}', 3700)" for key in ("age", "took")]) == ["?", "-"]


@pytest.mark.parametrize(
    ("count", "scrolled", "first", "last"),
    [(0, 0, 0, 0), (3, 0, 0, 3), (2000, 26 * 1000, 992, 1019), (2000, 10**6, 1999, 2000)],
)
def test_the_window_has_few_rows_of_many(count: int, scrolled: int, first: int, last: int) -> None:
    assert node([f"windowOf({count}, {scrolled}, 280)"]) == [[first, last]]


def test_what_cannot_be_done_to_a_job_says_why() -> None:
    over, lacks = {**ROW, "live": False}, {**ROW, "no_rerun": "its files never arrived"}
    asked = [(ROW, "stop"), (over, "stop"), (over, "delete"), (ROW, "rerun"), (over, "rerun"), (lacks, "rerun")]
    assert node([f"hindrance({json.dumps(row)}, '{what}')" for row, what in asked]) == [
        *("", "it has ended", "", "", "", "its files never arrived"),
    ]


DEED = """await (async () => {
  const [sent, said] = [[], []];
  const kernel = new Kernel({ send: ({ id, what, name, identity }) => sent.push(`${id} ${what} ${name} ${identity}`) }, "v");
  const hears = Object.fromEntries(["answer", "error", "busy", "late"].map((kind) => [kind, (text) => said.push([kind, text ?? ""])]));
  kernel.deed("rerun", { name: "a", identity: "i" }, hears);
  %s
  kernel.close();
  return [sent, said];
})()"""


def deed(steps: str) -> tuple[list[str], list[list[str]]]:
    """What was asked of the kernel, and what was heard of it."""
    (found,) = node([DEED % steps], ("rows.js", "kernel.js"))
    return found[0], found[1]


def told(*messages: tuple[str, str, str]) -> str:
    return "".join(
        f"kernel.told({json.dumps({'id': id_, 'kind': kind, 'text': text})});" for id_, kind, text in messages
    )


def test_a_deed_is_asked_for_once_somebody_hears_and_answered_by_success_or_the_error() -> None:
    asks = [("v-1", "heard", ""), ("v-1", "answer", "")]
    sent, said = deed(told(*asks, ("v-2", "answer", "b is submitted"), ("v-2", "answer", "twice")))
    assert sent == ["v-1 ask a i", "v-2 rerun a i"]
    assert said == [["answer", "b is submitted"]]
    assert deed(told(*asks, ("v-2", "error", "Forbidden: no")))[1] == [["error", "Forbidden: no"]]


def test_a_deed_that_nobody_heard_in_time_is_not_done_later() -> None:
    waits = "await new Promise((done) => setTimeout(done, BUSY_MS + 50));"
    sent, said = deed(waits + told(("v-1", "heard", ""), ("v-1", "answer", "")))
    assert sent == ["v-1 ask a i"]
    assert said == [["busy", ""], ["late", ""]]


def test_a_busy_kernel_is_told_of_with_what_a_terminal_can_do_instead() -> None:
    ways = [("stop", "stop a"), ("rerun", "rerun a"), ("log", "logs a"), ("pods", "describe a"), ("events", "events a")]
    said = node([f"busy({{ name: 'a' }}, '{what}')" for what, _ in ways], ("kernel.js",))
    assert said == [f"kernel busy: press ■ once to detach, or `kube-magics {typed}` in a terminal" for _, typed in ways]
    assert node(["busy(null, 'nodes')"], ("kernel.js",)) == [
        "kernel busy: press ■ once to detach, or `kube-magics nodes` in a terminal",
    ]
