"""JSON by json's own C functions, without what `import json` imports: 7 ms for each of two processes, before the user's
first line. Where an interpreter has no such functions, json itself is used."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class _Options:
    """What json.JSONDecoder passes to its scanner."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = str
    """NaN and infinities, which are no JSON: a log has their names, as texts."""


def _refuse(value: object) -> object:
    raise TypeError(f"{type(value).__name__} is not JSON")


def _functions() -> tuple[Callable[[str], Any], Callable[[object], str]]:
    import _json

    scan: Any = _json.make_scanner(_Options)  # type: ignore[arg-type]  # it asks for the attributes
    quote = _json.encode_basestring_ascii
    encode: Any = _json.make_encoder({}, _refuse, quote, None, ":", ",", False, False, True)

    def read(text: str) -> Any:
        try:
            value, end = scan(text, 0)
        except StopIteration:
            raise ValueError("not JSON") from None
        if end != len(text):
            raise ValueError("more than JSON")
        return value

    def write(value: object) -> str:
        return "".join(encode(value, 0))

    if read(write({"a": [1, 0.5, None, "\udc80"]})) != {"a": [1, 0.5, None, "\udc80"]}:
        raise ValueError("the functions of another json")
    return read, write


def _slowly() -> tuple[Callable[[str], Any], Callable[[object], str]]:
    import json

    return json.loads, json.JSONEncoder(separators=(",", ":")).encode


try:
    loads, dumps = _functions()
except Exception:  # noqa: BLE001  (whatever is different about them)
    loads, dumps = _slowly()


def read_file(path: str) -> dict[str, Any]:
    """The object in a file of ours."""
    with open(path, encoding="utf-8") as file:
        found: dict[str, Any] = loads(file.read())
    return found


def write_file(path: str, value: object) -> None:
    """Complete or not at all."""
    data = dumps(value).encode("ascii")  # not by the file: that imports the codec, with a second descriptor
    with open(path + ".part", "wb") as file:
        file.write(data)
    os.replace(path + ".part", path)
