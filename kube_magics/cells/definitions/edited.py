"""Whether a module's file still is what this process has imported from it.

Nobody keeps what was imported, so several things are looked at: what an earlier job of this process has seen, the
bytecode that the import left beside the file, the code of the functions that live, and the constants in the file.
"""

from __future__ import annotations

import ast
import importlib.util
import marshal
import os
from collections.abc import Collection, Iterator
from functools import lru_cache
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

from kube_magics.cells.definitions.compare import codes, same_code

CLOCK_S = 60.0
"How far the times of files and of processes may be apart."
_HEADER_BYTES = 16
_seen: dict[str, tuple[ModuleSpec | None, CodeType]] = {}
"File -> the code that was the module's; a module that is loaded again has a new spec."


def edited(module: ModuleType, file: Path, source: bytes, *, set_here: Collection[str] = ()) -> bool:
    """Whether the file has other code than the imported module, as far as that can be seen; what `set_here` names
    (`helpers.RATE`) has been set from outside, and tells nothing."""
    try:
        if file.stat().st_ctime < _started() - CLOCK_S:
            return False  # changed last before this process began; compiling a large package takes seconds
        constants, code = _compiled(source, str(file))
    except (SyntaxError, ValueError, OSError):
        return True
    spec, known = _seen.get(str(file), (None, code))
    if spec is not None and spec is module.__spec__:
        return not same_code(known, code)
    telling = tuple(each for each in constants if f"{module.__name__}.{each[0]}" not in set_here)
    if _looks_edited(module, file, telling, code):
        return True
    _seen[str(file)] = module.__spec__, code
    return False


@lru_cache(maxsize=1)
def _started() -> float:
    import psutil  # most jobs have no local modules, and need not wait for it

    return psutil.Process().create_time()


@lru_cache(maxsize=2048)
def _compiled(source: bytes, file: str) -> tuple[tuple[tuple[str, object], ...], CodeType]:
    tree = ast.parse(source, file)
    return tuple(_constants(tree)), compile(tree, file, "exec", dont_inherit=True)


def _looks_edited(module: ModuleType, file: Path, constants: tuple[tuple[str, object], ...], code: CodeType) -> bool:
    before = _imported(file)
    if before is not None and not same_code(before, code):
        return True
    compiled: dict[str, list[CodeType]] = {}
    for each in codes(code):
        compiled.setdefault(each.co_qualname, []).append(each)
    for function in _functions(module, file):
        now = compiled.get(function.__code__.co_qualname, ())
        if now and not any(same_code(function.__code__, each) for each in now):
            return True
    return any(_differs(vars(module), name, value) for name, value in constants)


def _imported(file: Path) -> CodeType | None:
    """The code that an import left in `__pycache__`, if it is of another state of the file."""
    try:
        data = Path(importlib.util.cache_from_source(str(file))).read_bytes()
        status = file.stat()
    except (OSError, NotImplementedError):
        return None
    if data[:4] != importlib.util.MAGIC_NUMBER or int.from_bytes(data[4:8], "little"):
        return None
    stamp = int(status.st_mtime) & 0xFFFFFFFF, status.st_size & 0xFFFFFFFF
    if stamp == (int.from_bytes(data[8:12], "little"), int.from_bytes(data[12:16], "little")):
        return None
    try:
        code = marshal.loads(data[_HEADER_BYTES:])  # noqa: S302 - what the interpreter itself would load
    except (ValueError, EOFError, TypeError):
        return None
    return code if isinstance(code, CodeType) else None


def _functions(module: ModuleType, file: Path) -> Iterator[FunctionType]:
    here = os.fspath(file)
    for value in list(vars(module).values()):
        for item in [value, *vars(value).values()] if isinstance(value, type) else [value]:
            found = getattr(item, "__func__", item)
            if isinstance(found, FunctionType) and found.__code__.co_filename == here:
                yield found


def _constants(tree: ast.Module) -> Iterator[tuple[str, object]]:
    """Names that the module binds once, to a value that is written down."""
    bound = [
        node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del)
    ]
    for node in tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) and len(node.targets) == 1 else None
        if isinstance(node, ast.AnnAssign):
            target = node.target
        if (
            isinstance(target, ast.Name)
            and bound.count(target.id) == 1
            and isinstance(node, ast.Assign | ast.AnnAssign)
        ):
            try:
                yield target.id, ast.literal_eval(node.value)  # type: ignore[arg-type]
            except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
                continue


def _differs(names: dict[str, object], name: str, value: object) -> bool:
    """Of plain values only: lists and dicts are filled while a program runs, and that is no edit."""
    if not isinstance(value, int | float | complex | str | bytes | bool | tuple):
        return False
    live = names.get(name)
    return type(live) is not type(value) or (live != value and live == live)  # noqa: PLR0124 - not a number
