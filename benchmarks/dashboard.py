"""dashboard-…: what a page has to do for 2,000 jobs, of which 20 change a second, and what travels for a change.

ours    the dashboard's own module and style in a Chromium, told what a kernel tells it
peer    in the same page a plain HTML table of the same rows, made anew with each change, as a page does that polls; and
        for -bytes what `kubectl get jobs -o json` brings of as many jobs, whatever changes

dashboard-paint     milliseconds from the data to the frame that shows them
dashboard-frame     milliseconds that 95 of 100 frames take at most, over ten seconds
dashboard-rows      row nodes in the page
dashboard-bytes     bytes for one change
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from benchmarks.list_2000 import made
from benchmarks.measure import Goal, Sample, interleaved
from benchmarks.place import CannotRun
from kube_magics.telemetry.board import Board
from kube_magics.telemetry.snapshot import RUNNING, Snapshot
from kube_magics.widgets import dashboard
from tests.browser.lab import FLAGS, chromium, why_not

if TYPE_CHECKING:
    from playwright.sync_api import Page

COUNT, CHANGES, EVERY_MS, SECONDS = 2000, 5, 250, 10
MAXIMUM_ROUNDS = 5
GOALS = (
    ("paint", "ms", Goal("ours", "<=", 1000)),
    ("frame", "ms", Goal("ours", "<=", 33)),
    ("rows", "nodes", Goal("ours", "<=", 300)),
)
_SCRIPT = """async ([ours, code, rows, changes, every, seconds]) => {
  const frame = () => new Promise(requestAnimationFrame);
  const place = document.body.appendChild(document.createElement("div"));
  let tell;
  if (ours) {
    const { default: module } = await import(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
    module.render({ el: place, model: { send() {}, off() {}, on(what, told) { if (what === "msg:custom") tell = told; } } });
  } else {
    const all = new Map();
    tell = ({ rows }) => {
      for (const row of rows) all.set(row.name, row);
      const cells = (row) => ["name", "status", "why", "gpus", "created_at", "node", "notebook"].map((key) => `<td>${row[key]}`);
      place.innerHTML = `<table>${[...all.values()].map((row) => `<tr class=km-row>${cells(row).join("")}`).join("")}</table>`;
    };
  }
  let version = 1;
  const rowsOf = (rows, since) => ({ kind: "rows", now: Date.now() / 1000, said: "", version, since, rows, gone: [] });
  await frame();
  await frame();
  const began = performance.now();
  tell(rowsOf(rows, null));
  await frame();
  await frame();
  const paint = performance.now() - began;
  const clock = setInterval(() => {
    const some = Array.from({ length: changes }, () => ({ ...rows[Math.floor(Math.random() * rows.length)], gpus: Math.floor(9 * Math.random()) }));
    version += 1;
    tell(rowsOf(some, version - 1));
  }, every);
  const frames = [];
  let last = performance.now();
  for (const until = last + 1000 * seconds; last < until; ) {
    await frame();
    frames.push(performance.now() - last);
    last = performance.now();
  }
  clearInterval(clock);
  frames.sort((one, other) => one - other);
  const nodes = place.querySelectorAll(".km-row").length;
  place.remove();
  return [paint, frames[Math.floor(0.95 * (frames.length - 1))], nodes];
}"""


def measure(rounds: int) -> list[Sample]:
    if reason := why_not():
        raise CannotRun(reason)
    from playwright.sync_api import sync_playwright

    board = Board()
    board.take({state.name: state for state in map(_state, range(COUNT))})
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS), headless=True)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_content(f"<!doctype html><style>{dashboard.style()}</style>")
        rows = list(board.rows.values())
        times = min(rounds, MAXIMUM_ROUNDS)
        ours, peer = interleaved(times, lambda: _once(page, rows, ours=True), lambda: _once(page, rows, ours=False))
        browser.close()
    return [*_in_page(ours, peer), _bytes(board)]


def _in_page(ours: list[list[float]], peer: list[list[float]]) -> list[Sample]:
    of = "a plain HTML table, made anew"
    return [
        Sample(f"dashboard-{name}", of, unit, goal, [each[at] for each in ours], [each[at] for each in peer])
        for at, (name, unit, goal) in enumerate(GOALS)
    ]


def _once(page: Page, rows: list[dict[str, Any]], *, ours: bool) -> list[float]:
    found = page.evaluate(_SCRIPT, [ours, dashboard.script(), rows, CHANGES, EVERY_MS, SECONDS])
    return [float(each) for each in found]


def _bytes(board: Board) -> Sample:
    delta = board.take({"digits-0001": _state(1, node="node-1")})
    assert delta is not None
    ours = len(json.dumps(delta.json()).encode())
    peer = sum(len(json.dumps(made("jobs", number), indent=4).encode()) for number in range(COUNT))
    return Sample("dashboard-bytes", "kubectl get jobs -o json", "bytes", Goal("ratio", "<=", 0.001), [ours], [peer])


def _state(number: int, node: str = "node-0") -> Snapshot:
    return Snapshot(
        f"digits-{number:04d}",
        "team",
        RUNNING,
        node=node,
        gpus=number % 8,
        created_at=1_764_151_200.0 - 60 * number,
        started_at=1_764_151_201.0 - 60 * number,
        notebook="/home/ana/projects/vision/train.ipynb",
        label=f"In [{number}]",
    )
