"""A value as a notebook shows it in text, and what is shown of one that cannot say what it looks like.

IPython's own printer does it where the image has IPython, except for plain values, whose text is known without the
0.3 s that importing IPython costs. Elsewhere this follows IPython.lib.pretty: containers break into one item a line
when they do not fit, strings are never split, sets are sorted, long containers end in `...`.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

WIDTH = 79
MAX_ITEMS = 1000
PLAIN = (str, bytes, int, float, complex, bool, type(None))


def pretty(value: Any) -> str:
    """What stands after `Out[n]:` in a notebook that shows no HTML and no picture."""
    if type(value) in PLAIN:
        return repr(value)
    printer = _ipython_printer()
    if printer is not None:
        return str(printer(value, max_width=WIDTH, max_seq_length=MAX_ITEMS))
    return _text(value)


def attempt(draw: Any, *args: Any) -> Any:
    """What `draw` gives; of an object that cannot show itself the reason is shown instead, and the program goes on: as
    in IPython (`catch_format_error`), where NotImplementedError says nothing at all."""
    try:
        return draw(*args)
    except NotImplementedError:
        return None
    except Exception as error:  # noqa: BLE001  (whatever an object does when it is asked what it looks like)
        tell(error)
        return None


def tell(error: BaseException) -> None:
    import traceback

    from .chain import HERE, links

    links(error, os.path.dirname(HERE))
    traceback.print_exception(type(error), error, error.__traceback__)


def _ipython_printer() -> Any:
    from .imports import find

    if "IPython" not in sys.modules and find("IPython") is None:
        return None
    try:
        from IPython.lib.pretty import pretty as printer
    except Exception:  # noqa: BLE001  (a broken IPython must not keep a value from being shown)
        return None
    return printer


def _text(value: Any, level: int = 0, column: int = 0, after: int = 0, inside: tuple[int, ...] = ()) -> str:
    """`value`, starting in `column`, with `after` characters behind it; further lines are indented by `level`."""
    if id(value) in inside:
        return "{...}" if isinstance(value, dict) else "(...)" if isinstance(value, tuple) else "[...]"
    items = _items(value)
    if items is None:
        return ("\n" + " " * level).join(_atom(value).splitlines())
    opening, closing, parts = items
    inside = (*inside, id(value))
    flat = opening + ", ".join(_flat(prefix, item, inside) for prefix, item in parts) + closing
    if "\n" not in flat and column + len(flat) + after <= WIDTH:
        return flat
    level += len(opening)
    column += len(opening)
    lines = []
    for number, (prefix, item) in enumerate(parts):
        behind = len(closing) + after if number == len(parts) - 1 else 1
        shown = "..." if item is _ELLIPSIS else _text(item, level, column + len(prefix), behind, inside)
        lines.append(prefix + shown)
        column = level
    return opening + (",\n" + " " * level).join(lines) + closing


_ELLIPSIS = object()


def _flat(prefix: str, item: Any, inside: tuple[int, ...]) -> str:
    return "..." if item is _ELLIPSIS else prefix + _text(item, 0, -sys.maxsize, 0, inside)


def _items(value: Any) -> tuple[str, str, list[tuple[str, Any]]] | None:
    """Opening, closing and the prefixed items of a builtin container with its own repr; None of anything else."""
    kind = type(value)
    if kind is dict:
        keys = list(value)[:MAX_ITEMS]
        return "{", "}", _few(((_text(key) + ": ", value[key]) for key in keys), len(value))
    if kind is list:
        return "[", "]", _few((("", item) for item in value), len(value))
    if kind is tuple:
        return "(", ",)" if len(value) == 1 else ")", _few((("", item) for item in value), len(value))
    if kind in (set, frozenset) and value:
        opening, closing = ("{", "}") if kind is set else ("frozenset({", "})")
        return opening, closing, _few((("", item) for item in _sorted(value)), len(value))
    return None


def _few(items: Iterable[tuple[str, Any]], size: int) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for item in items:
        if len(found) == MAX_ITEMS:
            break
        found.append(item)
    return [*found, ("", _ELLIPSIS)] if size > MAX_ITEMS else found


def _sorted(items: Any) -> list[Any]:
    try:
        return sorted(items)
    except Exception:  # noqa: BLE001  (items that cannot be compared keep their order)
        return list(items)


def _atom(value: Any) -> str:
    if isinstance(value, type) and type(value).__repr__ is type.__repr__:
        module = value.__module__
        return value.__qualname__ if module in ("builtins", "exceptions") else f"{module}.{value.__qualname__}"
    return repr(value)
