"""Pictures: on their way through the log, and within their limits whatever the other side does."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest

from kube_magics.runner import images, protocol
from kube_magics.runner.images import ALL_BYTES, EACH_BYTES, MOST, Picture, Reader
from tests.runner.bundles import Log, run


def png(width: int = 1, height: int = 1, padding: int = 0) -> bytes:
    """As large as one wants; the padding stands behind the end, where nobody looks."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0\0")), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return images.SIGNATURE + body + bytes(padding)


def read(reader: Reader, *events: dict[str, Any]) -> list[Picture]:
    """Through the bytes of the log."""
    lines = [protocol.encode_event(event) for event in events]
    assert all(len(line) <= protocol.MAX_EVENT_BYTES for line in lines)
    found = [reader.add(protocol.decode(line[:-1]).event or {}) for line in lines]
    return [picture for picture in found if picture is not None]


@pytest.mark.parametrize("size", [0, 1, 9000, 9100, 100_000, EACH_BYTES - 100])
def test_round_trip(size: int) -> None:
    picture = Picture(png(padding=size), "<Figure size 640x480 with 1 Axes>", "drawn smaller")
    (found,) = read(Reader(), *images.events(7, picture))
    assert (found.data, found.text, found.note) == (picture.data, picture.text, picture.note)
    assert images.size(found.data) == (1, 1)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"GIF89a", "is not shown: it is no PNG"),
        (images.SIGNATURE, "is not shown: it is no PNG"),
        (b"<script>alert(1)</script>", "is not shown: it is no PNG"),
        (png(100_000, 100_000), "is not shown: it has 100000 x 100000 pixels"),
        (png(padding=EACH_BYTES), "is not shown: it takes 256 KiB, and 256 KiB is the most"),
    ],
)
def test_what_is_not_shown_is_said(data: bytes, why: str) -> None:
    (found,) = read(Reader(), *images.events(1, Picture(data, "it")))
    assert (found.data, found.note) == (b"", f"it {why}")


def test_damaged_on_the_way() -> None:
    first, *_, last = images.events(1, Picture(png(padding=50_000), "it"))
    (found,) = read(Reader(), first, last)
    assert found.data == b""
    assert "did not arrive whole" in found.note


@pytest.mark.parametrize(("size", "count"), [(EACH_BYTES - 100, ALL_BYTES // EACH_BYTES), (0, MOST)])
def test_a_log_cannot_flood_the_notebook(size: int, count: int) -> None:
    reader = Reader()
    found: list[Picture] = []
    for number in range(3 * count):
        found += read(reader, *images.events(number, Picture(png(padding=size), "it")))
    assert len([picture for picture in found if picture.data]) == count
    assert len(found) == count + 1
    assert "what follows are left out" in found[-1].note


def test_endless_chunks_and_endless_notes_are_not_kept() -> None:
    reader = Reader()
    chunk = {"e": "image", "name": "1", "i": 0, "n": 10**9, "d": "A" * 8000}
    assert read(reader, *[{**chunk, "i": number} for number in range(100)]) == []
    notes = [event for number in range(1000) for event in images.events(number, Picture(b"", "it", "note"))]
    assert len(read(reader, *notes)) == 2 * MOST


def test_words_of_a_picture_stay_on_one_line() -> None:
    assert Picture(b"", "a\nb\r\x1b", "x\n" * 1000).text == "a b \x1b"
    assert "\n" not in Picture(b"", "", "x\n" * 1000).note


PICTURE = (
    f"class P:\n    def _repr_png_(self):\n        return {png()!r}\n    def __repr__(self):\n        return 'a dot'\n"
)


def shown(log: Log) -> list[str]:
    """Lines and pictures, in the order of the log."""
    found = []
    for line in log.lines:
        if line.event is None:
            found.append(line.payload.decode())
        elif line.event["e"] == "image":
            found.append(line.event["note"] or line.event["text"])
    return found


def test_a_picture_stands_between_the_lines_also_of_stderr(tmp_path: Path) -> None:
    source = f"""
import sys
{PICTURE}
for n in range(20):
    print("out", n)
    print("err", n, file=sys.stderr)
    display(P())
"""
    log = run(tmp_path, source)
    found = shown(log)
    assert len(found) == 60
    for n in range(20):
        assert sorted(found[3 * n : 3 * n + 2]) == [f"err {n}", f"out {n}"]
        assert found[3 * n + 2] == "a dot"
    assert (log.totals.lines, log.end["lines"]) == (40, 40)
    assert list((tmp_path / "pictures").iterdir()) == []


def test_what_has_no_newline_yet_comes_before_the_picture(tmp_path: Path) -> None:
    log = run(tmp_path, f"{PICTURE}\nprint('half', end='')\ndisplay(P())\nprint(' and half')")
    kinds = [event["e"] for event in log.events if event["e"] in ("partial", "image")]
    assert kinds == ["partial", "image"]
    assert log.out == b"half and half\n"


def test_pictures_of_workers_are_their_text(tmp_path: Path) -> None:
    source = "import os\nif os.fork() == 0:\n    display(P())\n    os._exit(0)\nos.wait()"
    log = run(tmp_path, source, PICTURE)
    assert log.all("image") == []
    assert log.out == b"a dot\n"


def test_whoever_writes_to_the_runner_by_himself_shows_nothing_else(tmp_path: Path) -> None:
    source = f"""
import json, os
secret = os.path.abspath("secret.png")
open(secret, "wb").write({png()!r})
os.mkdir("../pictures")
os.mkfifo("../pictures/pipe.png")
fifo = open(os.environ["KUBE_MAGICS_EVENTS"], "w")
for name in (secret, "../work/secret.png", "missing.png", "pipe.png", ".", None, 3):
    fifo.write(json.dumps({{"e": "picture", "file": name, "text": "t", "note": {{}}}}) + "\\n")
fifo.close()
print("end")
"""
    log = run(tmp_path, source)
    assert log.all("image") == []
    assert log.end["reason"] == "completed"
    assert (tmp_path / "work" / "secret.png").exists()


def test_display_as_ipython_has_it(tmp_path: Path) -> None:
    source = """
class Bundle:
    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"text/html": "<b>", "text/plain": "plain"}, {}
class Broken:
    def _repr_png_(self):
        raise ValueError
    def __repr__(self):
        return "broken"
handle = display(Bundle(), display_id="x")
handle.update(Broken())
display({"text/plain": "raw", "text/html": "<i>"}, raw=True)
display()
Bundle()
"""
    log = run(tmp_path, source, of_program={"last_expression": True})
    # The reason for what cannot be drawn stands beside it, on stderr.
    assert [line for line in shown(log) if line in log.out.decode().split()] == ["plain", "broken", "raw", "plain"]
    assert log.err.endswith(b"ValueError\n")


def test_the_end_of_the_budget_is_said_once(tmp_path: Path) -> None:
    log = run(tmp_path, f"{PICTURE}\nfor n in range({MOST + 20}):\n    display(P())")
    notes = [event["note"] for event in log.all("image") if event["note"]]
    assert len(notes) == 1
    assert json.dumps(notes[0]).isascii()
    assert len(log.all("image")) == MOST + 1
