"""How a job pickles what leaves it: as pickle does, and exceptions so that they come out as they were."""

from __future__ import annotations

import copyreg

try:
    from _pickle import Pickler
except ImportError:
    from pickle import Pickler

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .views import Views

PROTOCOL = 5
"""The highest that every supported Python has."""
SET_BY_INIT = (StopIteration, SystemExit)
"""Keep something outside of `args` and `__dict__`, which only their `__init__` sets."""


def exception(error: BaseException) -> Any:
    """How an exception with an `__init__` of its own is pickled: pickle would call that with `args`, which it need not
    take. NotImplemented: pickle's own way does, or the class has its own."""
    kind = type(error)
    plain = kind.__reduce__ is BaseException.__reduce__ and kind.__reduce_ex__ is object.__reduce_ex__
    if not plain or not hasattr(kind.__init__, "__code__") or issubclass(kind, SET_BY_INIT):
        return NotImplemented
    return copyreg.__newobj__, (kind, *error.args), error.__dict__ or None  # type: ignore[attr-defined]


def own_dict(obj: Any) -> Any:
    """A dict that is its own `__dict__`: pickle would give it another one, which no item reaches."""
    kind: Any = type(obj)
    plain = kind.__reduce__ is object.__reduce__ and kind.__reduce_ex__ is object.__reduce_ex__
    if not plain or not kind.__dictoffset__ or vars(obj) is not obj:
        return NotImplemented
    from .rebuild import be_own_dict

    made, args, _, _, items = obj.__reduce_ex__(PROTOCOL)
    return made, args, True, None, items, be_own_dict


class Plain(Pickler):
    """pickle, and exceptions as they are."""

    views: Views | None = None
    """Of arrays, where they may share memory."""

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, BaseException):
            return exception(obj)
        if isinstance(obj, dict):
            return own_dict(obj)
        return NotImplemented if self.views is None else self.views.reduced(obj)
