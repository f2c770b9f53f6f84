"""What returned values share: each name comes back by itself, so the notebook gets a copy of it with each of them.

`--returns model,optimizer` is what people type, and a step of that optimizer would no longer train that model.
"""

from __future__ import annotations

import enum
import types

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_BY_NAME = (type, enum.Enum, types.FunctionType, types.BuiltinFunctionType, types.ModuleType)


class Sharing:
    """Told of each pickled value, by name."""

    def __init__(self) -> None:
        # What a pickler remembers is kept alive until all are compared: an id means nothing afterwards.
        self._memos: list[tuple[str, dict[int, Any]]] = []

    def add(self, name: str, memo: Any) -> None:
        """`memo`: that of the pickler that wrote the value."""
        self._memos.append((name, memo.copy()))

    def sentence(self) -> str | None:
        """What is said of them; None: nothing that may change is shared."""
        names: dict[str, None] = {}
        kind = ""
        for at, (name, memo) in enumerate(self._memos):
            for other, theirs in self._memos[:at]:
                shared = min(
                    (memo[key] for key in memo.keys() & theirs.keys() if _may_change(memo[key][1])), default=None
                )
                if shared is not None:
                    names.update({other: None, name: None})
                    kind = kind or type(shared[1]).__name__
        if not names:
            return None
        *first, last = names
        return (
            f"{', '.join(first)} and {last} share what may change (of type {kind}): each comes back with a copy of its"
            f" own; to keep it one, return one name: both = {', '.join(names)}"
        )


def _may_change(value: Any) -> bool:
    """Whether it is one of those that pickle copies, and that a program changes in place. Asks its type alone: a proxy
    may answer with anything."""
    kind = type(value)
    if issubclass(kind, (list, dict, set, bytearray)):
        return True
    if kind.__module__ == "numpy" and kind.__name__ == "ndarray":
        return bool(value.flags.writeable)
    if any("data_ptr" in vars(each) for each in kind.__mro__):  # a tensor, a parameter
        return True
    plain = not any("__reduce_ex__" in vars(each) or "__reduce__" in vars(each) for each in kind.__mro__[:-1])
    return plain and kind.__dictoffset__ != 0 and not issubclass(kind, _BY_NAME)
