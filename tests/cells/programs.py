"""Hypothesis strategies for small programs that bind and read six names in every way Python has."""

from __future__ import annotations

import builtins
import textwrap
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

NAMES = ("a", "b", "c", "d", "e", "f")
name = st.sampled_from(NAMES)


def _join(*parts: st.SearchStrategy[str] | str) -> st.SearchStrategy[str]:
    return st.tuples(*(st.just(part) if isinstance(part, str) else part for part in parts)).map("".join)


def _expressions(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        _join("(", inner, " + ", inner, ")"),
        _join("add(", inner, ", ", inner, ")"),
        _join("call(", name, ")"),
        _join("sum([", inner, " for ", name, " in [1, 2]])"),
        _join("sum([", inner, " for ", name, " in [", inner, "] if ", inner, "])"),
        _join("sum({", name, ": ", inner, " for ", name, " in [", inner, "]})"),
        _join("sum(", inner, " for ", name, " in [", inner, "] for ", name, " in [", inner, "])"),
        _join("call(lambda ", name, "=", inner, ": ", inner, ")"),
        _join("call(lambda: ", inner, ")"),
        _join("(", inner, " if ", inner, " else ", inner, ")"),
        _join("(", inner, " and ", inner, ")"),
        _join("(0 or ", inner, ")"),
        _join("len(f'{", name, "} {", name, "!r:>{", name, " % 7}}')"),
        _join("(0 < ", inner, " < ", inner, ")"),
    )


reads = st.recursive(st.one_of(name, st.sampled_from(["0", "1", "2"])), _expressions, max_leaves=3)
values = st.one_of(reads, reads, _join("(", name, " := ", reads, ")"))


def _block(body: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return body.map(lambda text: textwrap.indent(text, "    "))


def _compound(body: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    block = _block(body)
    return st.one_of(
        _join("if ", values, ":\n", block, "else:\n", block),
        _join("if ", values, ":\n", block),
        _join("for ", name, " in [1, 2]:\n", block),
        _join("for ", name, ", *", name, " in []:\n", block, "else:\n", block),
        _join("for ", name, " in [1, 2]:\n", block, "    break\n"),
        _join("while tick() and ", values, ":\n", block),
        _join("try:\n", block, "except NameError:\n", block, "finally:\n", block),
        _join("try:\n", block, "except (NameError, TypeError) as ", name, ":\n", block),
        _join("try:\n", block, "except Exception:\n    pass\nelse:\n", block),
        _join("with context() as ", name, ":\n", block),
        _join(
            "match ", reads, ":\n    case 1 | 2:\n", block.map(_deeper), "    case ", name, ":\n", block.map(_deeper)
        ),
        _join("match ", reads, ":\n    case [", name, ", *", name, "]:\n", block.map(_deeper)),
    )


def _deeper(text: str) -> str:
    return textwrap.indent(text, "    ")


def _definitions(body: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    block = _block(body)
    declared = st.one_of(st.just(""), _join("    global ", name, "\n"))
    parameter = st.one_of(st.just(""), _join(name, "=", reads))
    return st.one_of(
        _join("def ", name, "(", parameter, ", *, " + "z=0", "):\n", declared, block).map(_tidy),
        _join("def ", name, "():\n    def ", name, "():\n", block.map(_deeper), "    call(", name, ")\n"),
        _join("@keep\ndef ", name, "():\n", block, "    return ", reads, "\n"),
        _join("def callnow(function):\n    return call(function)\n@callnow\ndef ", name, "():\n", block),
        _join("class ", name, ":\n", block, "    def __call__(self):\n        return ", reads, "\n"),
        _join("class ", name, "(object):\n    ", name, " = ", name, "\n    ", name, ": ", name, " = 1\n"),
        _join(name, " = lambda: ", reads, "\n"),
    )


def _tidy(text: str) -> str:
    return text.replace("(, *", "(*")


def _simple() -> st.SearchStrategy[str]:
    return st.one_of(
        _join(name, " = ", values, "\n"),
        _join(name, " = ", name, " = ", values, "\n"),
        _join(name, ", (", name, ", *", name, ") = 1, (2, 3)\n"),
        _join(name, " += ", values, "\n"),
        _join(name, ": int = ", values, "\n"),
        _join(name, ": ", name, "\n"),
        _join("log(", values, ")\n"),
        _join("log(call(", name, "))\n"),
        _join("del ", name, "\n"),
        _join("import math as ", name, "\n"),
        _join("assert 1, ", name, "\n"),
    )


def _statements(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    body = st.lists(inner, min_size=1, max_size=3).map("".join)
    return st.one_of(_compound(body), _definitions(body))


statement = st.recursive(_simple(), _statements, max_leaves=6)


def _compiles(text: str) -> bool:
    try:
        compile(text, "<generated>", "exec")
    except SyntaxError:
        return False
    return True


programs = st.lists(statement, min_size=1, max_size=6).map("".join).filter(_compiles)


body = st.lists(statement, min_size=1, max_size=2).map("".join)
notebook_cells = st.lists(
    st.one_of(
        _join("def ", name, "(", name, "=", name, "):\n", _block(body), "    return ", reads, "\n"),
        _join("class ", name, ":\n    ", name, " = ", name, "\n    def __call__(self):\n", _block(_block(body)), "\n"),
        _join(name, " = ", name, "\n"),
        _join(name, " = [", name, ", 7]\n"),
    ).filter(_compiles),
    max_size=4,
)
"Cells whose definitions compute nothing: running them again gives the same, if it is not refused."


class Fuel(Exception):
    """The program has run long enough."""


class Context:
    def __enter__(self) -> int:
        return 1

    def __exit__(self, *reason: object) -> None:
        return None


def helpers(seen: list[str]) -> dict[str, Callable[..., Any]]:
    """What generated programs call; they log into `seen`."""
    left = [60]

    def tick() -> bool:
        left[0] -= 1
        if left[0] < 0:
            raise Fuel
        return True

    def call(value: Any) -> Any:
        tick()
        return value() if callable(value) else value

    found = {"log": lambda value: seen.append(plain(value)), "call": call, "tick": tick, "context": Context}
    return found | {"keep": lambda value: value, "add": lambda one, other: one}


def execute(text: str, names: dict[str, Any], returns: tuple[str, ...] = ()) -> list[str]:
    """What a program logs, and its exception or else its names afterwards; the helpers are builtins to it."""
    seen: list[str] = []
    namespace = {"__name__": "__main__", "__builtins__": {**vars(builtins), **helpers(seen)}, **names}
    try:
        exec(compile(text, "<program>", "exec"), namespace)
    except Exception as error:  # noqa: BLE001 - the program's own end is part of what is compared
        return [*seen, f"{type(error).__name__}: {error}"]
    return [*seen, *(f"{each}={plain(namespace.get(each))}" for each in returns)]


def plain(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(plain, value))}]"
    return repr(value) if isinstance(value, int | float | str | type(None)) else type(value).__name__
