"""Names that stand inside strings which a library evaluates where it is called.

`df.query("price > @limit")` asks the caller's namespace for `limit` (pandas), `ols("np.log(y) ~ centered(x)", df)` for
`np` and `centered` (patsy, formulaic, and with them statsmodels). What a string is for cannot be told from the string
alone: unless it stands in a call of `query` or `eval`, its names are a guess, and travel as a precaution.
"""

from __future__ import annotations

import ast
import re
from collections import deque
from collections.abc import Collection, Iterator
from types import FunctionType, GetSetDescriptorType, ModuleType

ASKING = frozenset({"query", "eval"})
"Methods whose strings hold the caller's names behind @."
_LONGEST = 2_000
"Characters: a longer one is a text, not a formula."
_MOST = 1_000
"Parts of a value that are looked at."
_AT = re.compile(r"(?<!\w)@([A-Za-z_]\w*)")
_CALLED = re.compile(r"(?<![\w.])([A-Za-z_]\w*)\s*[(.]")


def asked(node: ast.Call) -> frozenset[str]:
    """The caller's names in `df.query("price > @limit")`; none in other calls."""
    if not (isinstance(node.func, ast.Attribute) and node.func.attr in ASKING):
        return frozenset()
    parts = [part for argument in node.args for part in ast.walk(argument) if isinstance(part, ast.Constant)]
    return frozenset(name for part in parts if isinstance(part.value, str) for name in _AT.findall(part.value))


def names(text: str) -> frozenset[str]:
    if len(text) > _LONGEST:
        return frozenset()
    found = _AT.findall(text) if "@" in text else []
    # Bare names of a formula are the table's columns; what is called, or has attributes, is not.
    return frozenset([*found, *(_CALLED.findall(text) if "~" in text else [])])


def in_value(value: object) -> frozenset[str]:
    """Of the strings in a value: formulas are often kept in a list or a dict."""
    return frozenset(name for text in _strings(value) for name in names(text))


def _strings(value: object) -> Iterator[str]:
    """The nearest first; attributes too: a fitted model keeps its formula in one."""
    parts, known = deque([value]), {id(value)}
    for _ in range(_MOST):
        if not parts:
            return
        part = parts.popleft()
        if type(part) is str:
            yield part
        inner = [each for each in _inside(part) if id(each) not in known]
        known.update(map(id, inner))
        parts.extend(inner)


def _inside(part: object) -> Collection[object]:
    if type(part) is dict:
        return part.values() if len(part) <= _MOST else ()
    if type(part) in (list, tuple, set, frozenset):
        return part if len(part) <= _MOST else ()  # type: ignore[arg-type, return-value]
    if isinstance(part, type | ModuleType | FunctionType):
        return ()
    # Asking the object itself could run anybody's code.
    for base in type(part).__mro__:
        own = base.__dict__.get("__dict__")
        if isinstance(own, GetSetDescriptorType):
            attributes: dict[str, object] = own.__get__(part)
            return attributes.values()
    return ()
