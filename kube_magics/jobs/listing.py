"""The log of any job as text, also of one that kubectl made."""

from __future__ import annotations

from collections.abc import Iterator

from kube_magics.backends.contract import Backend, Gap, Outage
from kube_magics.runner import protocol
from kube_magics.runner.images import Picture, Reader


async def read_log(backend: Backend, name: str) -> str:
    """The user's lines, both streams in the order they came; what a missing piece is, said in its place."""
    state = await backend.poll(name)
    pieces: dict[str, list[bytes]] = {"out": [], "err": []}
    lines: list[bytes] = []
    pictures = Reader()
    async for block in backend.log(name):
        if isinstance(block, Gap):
            lines.append(f"[kube_magics: lines may be missing here: {block.why}]".encode())
        elif isinstance(block, Outage):
            continue
        elif state.ours:
            lines += _user_lines(block, pieces, pictures)
        else:
            lines += block.split(b"\n")[:-1]
    lines += [b"".join(left) for left in pieces.values() if left]
    return "".join(line.decode("utf-8", "replace") + "\n" for line in lines)


def _user_lines(block: bytes, pieces: dict[str, list[bytes]], pictures: Reader) -> Iterator[bytes]:
    for raw in block.split(b"\n")[:-1]:
        line = protocol.decode(raw)
        if line.event is None:
            yield b"".join((*pieces[line.kind], line.payload))
            pieces[line.kind] = []
        elif line.event["e"] == "image":
            yield from _placeholder(pictures.add(line.event))
        elif line.event["e"] == "partial":
            kind = "err" if line.event.get("s") == protocol.STDERR else "out"
            pieces[kind].append(protocol.partial_bytes(line.event))


def _placeholder(picture: Picture | None) -> Iterator[bytes]:
    """The lines that stand for a picture: a log is text."""
    if picture is not None:
        notes = [picture.line] if picture.data else []
        notes += [picture.note] if picture.note else []
        yield from (f"[kube_magics: {note}]".encode() for note in notes)
