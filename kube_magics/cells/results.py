"""From a result's bytes to a value; its classes are the notebook's own, or come from the job's cell."""

from __future__ import annotations

import ast
import builtins
import io
import pickle
import sys
from collections.abc import Callable, Mapping, MutableMapping
from types import CodeType, FunctionType, ModuleType
from typing import Any, BinaryIO

from kube_magics.cells.analysis.scopes import statement_names
from kube_magics.cells.closure.items import OF_THE_MODULE
from kube_magics.cells.definitions import modules
from kube_magics.cells.definitions.bytecode import looked_up
from kube_magics.cells.definitions.compare import FUTURE
from kube_magics.cells.definitions.jobcode import Definitions, Statement, by_name, is_same
from kube_magics.cells.definitions.sources import Definition
from kube_magics.cells.notebook import PLACED
from kube_magics.errors import ResultError
from kube_magics.runner import rebuild
from kube_magics.runner.versions import skew


class Arrived:
    """Results of one job that were loaded: what one of them brought, others name (`runner/sharing.py`)."""

    def __init__(self) -> None:
        self.moved: dict[str, set[str]] = {}
        """Results whose tensors are on the CPU here -> the GPUs they were on in the job."""
        self._unpicklers: dict[str, pickle.Unpickler] = {}
        self._memos: dict[str, Mapping[int, object]] = {}

    def add(self, name: str, unpickler: pickle.Unpickler) -> None:
        self._unpicklers[name] = unpickler

    def find(self, owner: str, number: int) -> object:
        """Raises ResultError."""
        if owner not in self._unpicklers:
            raise ResultError(
                f"The value shares objects with {owner}, which did not come back.", hint=f"see what is said of {owner}"
            )
        if owner not in self._memos:
            self._memos[owner] = self._unpicklers[owner].memo.copy()
        return self._memos[owner][number]


def load_result(
    data: bytes | BinaryIO,
    namespace: MutableMapping[str, Any],
    definitions: Definitions,
    result: str = "",
    arrived: Arrived | None = None,
) -> object:
    """The value that a job returned: its pickle, or a file of it, which is not in memory beside the value then.

    A class or function of `__main__` is the notebook's, if it has the same source as the job's; if the notebook has
    none of that name, or one that an earlier result brought, its statement runs here, with the imports and definitions
    it needs. `result`: its name among those of the job that have `arrived`. Raises ResultError, the notebook's names
    then being as before.
    """
    before = dict(namespace)
    home = _Home(namespace, definitions)
    moved: set[str] = set()
    try:
        # As if a cell loaded it: statsmodels evaluates a model's formula again, in the frame of its caller.
        names: dict[str, Any] = namespace  # type: ignore[assignment]
        unpickler = _Unpickler(data, home, arrived or Arrived(), moved)
        value: object = eval("load()", names, {"load": unpickler.load})  # noqa: S307
    except BaseException as error:
        for name in namespace.keys() - before.keys():
            del namespace[name]
        namespace.update(before)
        if isinstance(error, ResultError) or not isinstance(error, Exception):
            raise
        raise _unreadable(error, definitions.versions) from error
    if arrived is not None:
        arrived.add(result, unpickler)
        if moved:
            arrived.moved[result] = moved
    return value


def _unreadable(error: Exception, versions: Mapping[str, str]) -> ResultError:
    if isinstance(error, ModuleNotFoundError) and error.name:
        top = error.name.partition(".")[0]
        if modules.kind(top) == "missing":
            return ResultError(
                f"The value needs the module {error.name}, which this notebook's Python does not have.",
                hint=f"%pip install {top}",
            )
    if "cuda" in f"{type(error).__name__}: {error}".lower():
        return ResultError(
            f"The value cannot be unpickled here: {type(error).__name__}: {error}",
            hint="return what is in memory, not on a GPU: x.cpu(), cupy.asnumpy(x)",
        )
    providers = {name: modules.provider(name) or "" for name in versions}
    theirs = {name: f"{known.partition('==')[0]}=={versions[name]}" for name, known in providers.items() if known}
    ours = {name: known.partition("==")[2] for name, known in providers.items() if known}
    return ResultError(
        f"The value cannot be unpickled here: {type(error).__name__}: {error}",
        said=skew(theirs, ours, "in the job", "here"),
        hint="take an --image with the notebook's versions, or return plain numbers or arrays instead",
    )


_REBUILD = ("kube_magics_runner.rebuild", rebuild.__name__)
_CLOUDPICKLE = ("kube_magics_runner.cloudpickle", "cloudpickle.cloudpickle")
"Modules of the job's pickles that are others here."
_TORCH = ("torch.storage", "_load_from_bytes")
"What makes the memory of a tensor, on the device that it names."


class _Classes:
    """cloudpickle, but that a class which the notebook has keeps what it has become here."""

    def __init__(self) -> None:
        self._ours: set[type] = set()

    def find(self, name: str) -> Any:
        from cloudpickle import cloudpickle

        found = getattr(cloudpickle, name)
        if name in ("_make_skeleton_class", "_make_skeleton_enum"):
            known = cloudpickle._DYNAMIC_CLASS_TRACKER_BY_ID  # noqa: SLF001 - how classes keep their identity
            return lambda *args: self._made(found, args, known.get(args[-2]))
        if name == "_class_setstate":
            return lambda made, state: made if made in self._ours else found(made, state)
        return found

    def _made(self, make: Callable[..., type], args: tuple[Any, ...], ours: type | None) -> type:
        if ours is not None:
            self._ours.add(ours)
            return ours
        return make(*args)


class _Unpickler(pickle.Unpickler):
    def __init__(self, data: bytes | BinaryIO, home: _Home, arrived: Arrived, moved: set[str]) -> None:
        """`moved`: takes the job's GPUs that are not here."""
        super().__init__(io.BytesIO(data) if isinstance(data, bytes) else data)
        self._home = home
        self._arrived = arrived
        self._moved = moved

    def persistent_load(self, pid: tuple[str, int]) -> object:
        return self._arrived.find(*pid)

    def find_class(self, module: str, name: str) -> Any:
        if module in _REBUILD:
            return self._home.rebuilding(name)
        if module in _CLOUDPICKLE:
            return self._home.classes.find(name)
        if (module, name) == _TORCH and super().find_class(module, name):
            return self._memory
        if module != self._home.module:
            return super().find_class(module, name)
        root, *rest = name.split(".")
        value = self._home.find(root)
        for attribute in rest:
            value = getattr(value, attribute)
        return value

    def _memory(self, data: bytes) -> object:
        """As torch's own function makes it, but for a GPU that is not here: a hub's notebook seldom has one."""
        torch: Any = sys.modules["torch"]

        def place(memory: object, device: str) -> object:
            kind, _, number = device.partition(":")
            if kind != "cuda" or int(number or 0) < torch.cuda.device_count():
                return None  # as torch would
            self._moved.add(device)
            return memory

        return torch.load(io.BytesIO(data), map_location=place, weights_only=False)


class _Home:
    """The notebook's names, completed by the job's definitions where they are asked for."""

    def __init__(self, namespace: MutableMapping[str, Any], definitions: Definitions) -> None:
        self.module = definitions.module
        self.classes = _Classes()
        self._files = definitions.files
        self._returns = frozenset(definitions.program["returns"])
        self._namespace = namespace
        self._statements: dict[str, Statement] = {}
        self._settled: set[str] = set()
        for name, statement in by_name(definitions):
            self._statements[name] = statement
        self._changed: dict[str, set[str]] = {}
        for step in definitions.program["definitions"]:
            if step["do"] == "change":
                self._changed.setdefault(step["name"], set()).add(step["path"])

    def find(self, name: str) -> Any:
        """The notebook's value of a name that the job's program defines."""
        if name not in self._settled:
            self._settled.add(name)
            self._settle(name)
        return self._namespace[name]

    def rebuilding(self, name: str) -> Any:
        """A function of `runner/rebuild.py`, for the notebook's names and its cells."""
        own: dict[str, Any] = {"names_of": self._names_of, "code": self._code, "function": self._function}
        return own.get(name) or getattr(rebuild, name)

    def _names_of(self, module: str) -> Mapping[str, Any]:
        return self._namespace if module == self.module else rebuild.names_of(module)

    def _code(self, *args: Any) -> CodeType:
        made = rebuild.code(*args)
        return made.replace(co_filename=self._files.get(made.co_filename, made.co_filename))

    def _function(self, code: CodeType, names: dict[str, Any], closure: Any) -> FunctionType:
        """What it looks up is here, or comes with it."""
        for needed in sorted(looked_up(code)[0]) if names is self._namespace else ():
            if needed in self._statements:
                self.find(needed)
            elif needed not in {*names, *self._returns, *dir(builtins), *OF_THE_MODULE}:
                raise ResultError(
                    f"The value holds {code.co_name}, which looks up {needed}, and only the job computed that.",
                    hint=f"add {needed} to --returns, or return what {code.co_name} gives",
                )
        return rebuild.function(code, names, closure)

    def _settle(self, name: str) -> None:
        statement = self._statements.get(name)
        if name in self._namespace:
            live = self._namespace[name]
            if (
                statement is None
                or is_same(live, statement, self._namespace, self._changed.get(name, ()))
                or isinstance(live, ModuleType)
            ):
                return
            if PLACED.cell(live) is None:
                raise ResultError(
                    f"The value needs the job's {name}, and this notebook's {name} is another one.",
                    hint=f"rename yours, or run: del {name}   and then the job again",
                )
        if statement is None:
            raise ResultError(
                f"The value needs {name}, which neither this notebook nor the top level of the job's cell defines.",
                hint=f"define {name} at the top level of a cell, outside of functions and branches",
            )
        if name in self._changed:
            raise ResultError(
                f"The value needs {name} as it was changed after its statement, and it is gone from here.",
                hint=f"run the cells that define {name} and change it, then read the result again",
            )
        self._place(name, statement)

    def _place(self, name: str, statement: Statement) -> None:
        node = statement.node
        names = statement_names(node, future=statement.context.future)
        for needed in names.eager:
            if needed in self._statements:
                self.find(needed)
            elif needed not in self._namespace and not hasattr(builtins, needed):
                raise ResultError(
                    f"The value needs {name}, whose statement uses {needed}, and only the job computed that.",
                    hint=f"define {name} in a cell of its own, or add {needed} to --returns and read it back first",
                )
        flags = FUTURE if statement.context.future else 0
        code = compile(ast.Module([node], []), statement.cell.filename, "exec", flags=flags, dont_inherit=True)
        namespace: dict[str, Any] = self._namespace  # type: ignore[assignment]
        exec(code, namespace)  # noqa: S102 - the user's own statement, in the user's own names
        if isinstance(node, Definition):
            PLACED.add(self._namespace[name], statement.cell)
            for needed in sorted(names.later.reads):
                if needed in self._statements:
                    self.find(needed)
