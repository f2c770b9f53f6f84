"""The files that travel, as one zip: the same bytes for the same content, whenever and wherever it is made.

spec.json                what the runner needs
program.json             what main.py runs
data.pkl, data.json      its data, and where the large buffers are in it
modules/, work/          local modules, and the files of --files (`cargo`)
main.py                  the user's __main__: a real file, so that spawned workers can import it again
kube_magics/             `report` and `should_stop` only; shadows an installed kube_magics
kube_magics_runner/      the files of kube_magics/runner, as `runner/shipped.py` makes them small; most of them and the
                         two above in one zip inside the zip
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from kube_magics.cells.capture import Capture
from kube_magics.cells.files.cargo import FILE, packed
from kube_magics.runner import shipped

VERSION = 1
STORED_ABOVE_BYTES = 16 * 1024 * 1024
"Data above this cannot go through the API server anyway: it is neither compressed nor in the bundle."
SOURCE_BYTES = 1024 * 1024
"A larger file is no source: it is not searched for `report`, whose job gets what `runner/paced.py` is."
SAMPLE_BYTES = 32 * 1024
PACKED_AT_MOST = 0.95
"Data of which a sample keeps more of its size is stored as it is: packing a MiB of it takes 22 ms and gains nothing."
_DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Bundle:
    data: bytes
    "the zip"
    sha256: str
    "of the zip, in hexadecimal"
    size_bytes: int
    files_bytes: int = 0
    "of these, what the files of --files take"


def build(capture: Capture, options: Mapping[str, Any], *, with_data: bool = True) -> Bundle:
    """The bundle of a job; `options` are fields of spec.json, before the defaults given here.

    Without its data, data.pkl has to come to its place in another way.
    """
    cargo = capture.cargo.entries()
    program = _json(capture.program)
    sources = [program, *capture.data.pickles, *(data for data, _ in cargo.values() if len(data) <= SOURCE_BYTES)]
    spec = _spec(capture, {"reports": any(b"report" in each for each in sources), **options})
    index = capture.data.index()
    files: dict[str, bytes] = {
        "spec.json": _json(spec),
        "program.json": program,
        **({"data.pkl": capture.data.joined()} if with_data else {}),
        **({"data.json": index} if index else {}),
    }
    data, sizes = _zip(_runner(shipped.asked(spec)), _plain(files) | cargo)
    return Bundle(data, hashlib.sha256(data).hexdigest(), len(data), packed(cargo, sizes))


def told_otherwise(data: bytes, fields: Mapping[str, Any]) -> bytes:
    """A bundle whose spec.json has these fields too, and which is the same but for that."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as before, zipfile.ZipFile(out, "w") as after:
        for entry in before.infolist():
            content = before.read(entry)
            is_spec = entry.filename == "spec.json"
            after.writestr(entry, _json({**json.loads(content), **fields}) if is_spec else content)
    return out.getvalue()


def _spec(capture: Capture, options: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "v": VERSION,
        "argv": ["main.py"],
        "python": None,
        "imports": capture.imports,
        "pickled": dict(capture.pickled),
        "bytecode": [list(place) for place in capture.bytecode],
        "notebook_python": platform.python_version(),
        "returns": capture.program["returns"],
        "timeout_s": None,
        "grace_s": 30,
        "gpus": 0,
        "result_limit_bytes": None,
        "results_dir": None,
        "install": None,
        "cwd": None,
        "commands": any(cell["commands"] for cell in capture.program["cells"].values()),
        "awaits": bool(capture.program.get("awaits")),
        **dict.fromkeys(sorted(capture.shipped), True),
        **options,
    }


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


@lru_cache(maxsize=32)
def _runner(asked: frozenset[str]) -> bytes:
    """The zip as every job with these fields begins it: packing the runner takes as long as all else of a small job."""
    return _zip(b"", _plain(shipped.packed(dict.fromkeys(asked, True))))[0]


def _plain(files: Mapping[str, bytes]) -> dict[str, tuple[bytes, int]]:
    return {path: (content, FILE) for path, content in files.items()}


def _zip(begun: bytes, files: Mapping[str, tuple[bytes, int]]) -> tuple[bytes, dict[str, int]]:
    """A zip with the contents and modes of more files, and what each takes in it."""
    out = io.BytesIO(begun)
    with zipfile.ZipFile(out, "a") as archive:
        for name in sorted(files):
            data, mode = files[name]
            entry = zipfile.ZipInfo(name, _DATE)
            entry.create_system = 3  # the same bytes from Windows and macOS
            entry.external_attr = mode << 16
            entry.compress_type = zipfile.ZIP_DEFLATED if _worth_packing(data) else zipfile.ZIP_STORED
            archive.writestr(entry, data)
        sizes = {entry.filename: entry.compress_size for entry in archive.infolist()}
    return out.getvalue(), sizes


def _worth_packing(data: bytes) -> bool:
    if len(data) <= 4 * SAMPLE_BYTES or len(data) > STORED_ABOVE_BYTES:
        return len(data) <= STORED_ABOVE_BYTES
    middle = len(data) // 2
    return len(zlib.compress(data[middle : middle + SAMPLE_BYTES], 1)) <= PACKED_AT_MOST * SAMPLE_BYTES
