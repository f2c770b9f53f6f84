"""What boot.py calls: the bundle's files beside the bundle, then the runner on them.

Imported from inside the zip, because boot.py must stay below a kilobyte and so cannot unpack by itself. In the same
process: an interpreter of its own, which would not have the bundle in the environment it began with, takes as long to
start as all that happens here.
"""

from __future__ import annotations

import os
import stat
import struct
import sys
import zlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

END_OF_DIRECTORY = b"PK\5\6"
DEFLATED = 8
INNER = "runner.zip"
"""Small files, packed as one: a third less than each by itself."""


def members(archive: bytes) -> Iterator[tuple[str, bytes, int]]:
    """Name, content and mode of every file of a zip (APPNOTE.TXT 4.3; no zip64, no encryption), those of the zip in it
    included.

    zipfile would cost 13 ms to import.
    """
    end = archive.rindex(END_OF_DIRECTORY)
    count, _, at = struct.unpack_from("<HII", archive, end + 10)
    for _ in range(count):
        (method,) = struct.unpack_from("<H", archive, at + 10)
        packed, _, name_size, extra_size, comment_size = struct.unpack_from("<IIHHH", archive, at + 20)
        mode, header = struct.unpack_from("<2xHI", archive, at + 38)
        name = archive[at + 46 : at + 46 + name_size].decode("utf-8")
        at += 46 + name_size + extra_size + comment_size
        start = header + 30 + sum(struct.unpack_from("<HH", archive, header + 26))
        data = archive[start : start + packed]
        content = zlib.decompress(data, -15) if method == DEFLATED else data
        if name == INNER:
            yield from members(content)
        else:
            yield name, content, mode


def unpack(archive: bytes, folder: str) -> None:
    """Write every file of the zip under `folder`; links and executable files as such."""
    made = set()
    for name, content, mode in members(archive):
        path = os.path.join(folder, name)
        parent = os.path.dirname(path)
        if parent not in made:
            os.makedirs(parent, exist_ok=True)
            made.add(parent)
        if stat.S_ISLNK(mode):
            os.symlink(content, path)
            continue
        with open(path, "wb") as file:
            file.write(content)
        if mode & stat.S_IXUSR:
            os.chmod(path, mode & 0o777)


def main(bundle: str) -> None:
    """Unpack the zip at this path, take this package's other modules from the files, drop it, run."""
    folder = os.path.dirname(bundle)
    with open(bundle, "rb") as file:
        unpack(file.read(), folder)
    package = __package__ or ""
    sys.modules[package].__path__[:] = [os.path.join(folder, package)]
    sys.path.remove(bundle)
    os.remove(bundle)
    from .run import main as run

    sys.exit(run(folder))
