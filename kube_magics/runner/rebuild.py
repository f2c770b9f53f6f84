"""Makes again what has no source that could travel: functions from their code, classes and types from a call.

Pickles of `cells/values/pickler.py` refer to these functions, and unpickler.py finds them here; they travel only with
captures that need them. Code is bytes of one Python minor: program.py compares the minors before it loads any data.
"""

from __future__ import annotations

import sys
import types

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def brought(place: str, name: str, main: dict[str, Any]) -> Any:
    """What a pickle of the notebook means by a name of ours, or of cloudpickle; `main` are the job's names."""
    if place != "cloudpickle.cloudpickle":
        # Without the unpickler in it, which would keep itself alive through its memo.
        return (lambda of: main if of == "__main__" else names_of(of)) if name == "names_of" else globals()[name]
    return getattr(cloudpickle(), name)


def cloudpickle() -> Any:
    """The bundle's own, which shipped.py puts beside this file, else the image's."""
    package = __name__.rpartition(".")[0]
    try:
        return module(f"{package}.cloudpickle")
    except ImportError:
        return module("cloudpickle.cloudpickle")


def module(name: str) -> Any:
    __import__(name)
    return sys.modules[name]


def names_of(name: str) -> dict[str, Any]:
    """The globals of a function of that module."""
    found: dict[str, Any] = vars(module(name))
    return found


def member(place: str, name: str) -> Any:
    """A module's own object, of which there must be only one."""
    return getattr(module(place), name)


def new_names() -> dict[str, Any]:
    """Globals of a function that belongs to no module: `set_function` fills them."""
    return {"__builtins__": __builtins__}


def found(names: dict[str, Any], path: str) -> Any:
    """What a dotted name stands for in the job."""
    first, *rest = path.split(".")
    value = names[first]
    for attribute in rest:
        value = getattr(value, attribute)
    return value


def cell() -> types.CellType:
    """A variable that closures share; empty until `set_cell`."""
    return types.CellType()


def set_cell(made: types.CellType, content: tuple[Any, ...]) -> None:
    made.cell_contents = content[0]


def code(*args: Any) -> types.CodeType:
    return types.CodeType(*args)


def function(of: types.CodeType, names: dict[str, Any], closure: Any) -> types.FunctionType:
    return types.FunctionType(of, names, None, None, closure)


def set_function(made: types.FunctionType, state: dict[str, Any]) -> None:
    """`state`: attributes, the function's `__dict__`, and `globals` for one that belongs to no module."""
    made.__dict__.update(state.pop("__dict__", {}))
    made.__globals__.update(state.pop("globals", {}))
    for name, value in state.items():
        setattr(made, name, value)


def lru_cache(wrapped: Any, parameters: dict[str, Any]) -> Any:
    """The cached function again, its cache empty: calls only fill it anew."""
    import functools

    return functools.lru_cache(**parameters)(wrapped)


def builtin_type(name: str) -> Any:
    """`types.FunctionType` and its like, which builtins does not name."""
    return getattr(types, name)


def typing_name(kind: str, place: str, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """A TypeVar, ParamSpec, TypeVarTuple, NewType or TypedDict, made by a call as in the notebook."""
    import typing

    made = getattr(typing, kind)(*args, **options)
    made.__module__ = place
    return made


def namedtuple(place: str, qualname: str, fields: tuple[str, ...], defaults: Any, hints: dict[str, Any]) -> Any:
    """A class that a call of namedtuple() or NamedTuple() made."""
    import collections

    made = collections.namedtuple(qualname.rpartition(".")[2], fields, defaults=defaults, module=place)  # type: ignore[misc]  # noqa: PYI024
    made.__qualname__ = qualname
    if hints:
        made.__annotations__ = hints
    return made


def enum(base: Any, mixin: Any, place: str, qualname: str, members: list[tuple[str, Any]]) -> Any:
    """A class that a call of Enum() or one of its kind made."""
    name = qualname.rpartition(".")[2]
    return base(name, members, module=place, qualname=qualname, **({"type": mixin} if mixin else {}))


def set_attributes(made: Any, state: dict[str, Any]) -> None:
    for name, value in state.items():
        setattr(made, name, value)


def set_state(made: Any, state: Any) -> None:
    """As pickle sets it, without asking the object for a method of its own."""
    attributes, slots = state if isinstance(state, tuple) else (state, None)
    if attributes:
        vars(made).update(attributes)
    for name, value in (slots or {}).items():
        object.__setattr__(made, name, value)


def flat(whole: Any) -> Any:
    """The memory of an array that is in one piece, in the order of its addresses."""
    return (whole if whole.flags.c_contiguous else whole.T).reshape(-1)


def view(whole: Any, dtype: Any, place: tuple[int, Any, Any], writeable: bool) -> Any:
    """A numpy array over the memory of another; `place`: offset in bytes, shape, strides."""
    numpy = module("numpy")
    offset, shape, strides = place
    items = flat(whole)
    if dtype.hasobject:
        made = numpy.lib.stride_tricks.as_strided(items[offset // items.itemsize :], shape, strides)
    else:
        made = numpy.ndarray(shape, dtype, items.view("u1"), offset, strides)
    if not writeable:
        made.setflags(write=False)
    return made


def be_own_dict(made: Any, _state: Any) -> None:
    """Its items are its attributes."""
    made.__dict__ = made


def change(target: Any, path: str, how: str, value: Any) -> None:
    """What was done to a definition since its statement, done again."""
    if how == "fill":
        fill(*value)
        return
    *inner, last = path.split(".")
    for name in inner:
        own = vars(target) if isinstance(target, type) else {}
        target = own[name] if name in own else getattr(target, name)
    if how == "delete":
        delattr(target, last)
    elif how == "call":
        getattr(target, last)(*value)
    else:
        setattr(target, last, value)


def fill(made: Any, content: Any) -> None:
    """What a dict, list, set or object has in the notebook, and nothing that the definitions have put into it here."""
    if type(made).__module__ not in ("builtins", "collections"):
        made = vars(made)
    made.clear()
    (made.extend if hasattr(made, "extend") else made.update)(content)
