"""One object after the other into the pickle: by reference to what the job defines or imports, else by value.

What the notebook's statements define is a reference to `__main__`; what has no source there travels by value. Live
things that cannot travel are refused.
"""

from __future__ import annotations

import enum
import importlib
import operator
import pickle
import sys
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kube_magics.cells.definitions import modules
from kube_magics.cells.notebook import Notebook
from kube_magics.cells.values.culprits import describe
from kube_magics.runner import byvalue, pickling, rebuild
from kube_magics.runner.byvalue import CACHED, Globals
from kube_magics.runner.views import Views

PROTOCOL = 5
REBUILD, CLOUDPICKLE = rebuild.__name__, "cloudpickle.cloudpickle"
SHIPPED = {REBUILD: "rebuild", CLOUDPICKLE: "cloudpickle"}
"Modules that pickles refer to -> the fields of spec.json by which they travel."
Reduced = tuple[Any, ...]
Handler = Callable[[Any], Any]
Apart = Callable[[pickle.PickleBuffer], bool]


class Refused(Exception):
    """A part of a value cannot travel: what it is, and what to do instead."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint


class NeedsFirst(Exception):
    """The value refers to a definition that does not stand yet."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


@dataclass(frozen=True)
class Standing:
    """What the pickler asks about the names of the notebook; by default all of them stand already."""

    stands: Callable[[str], bool] = lambda name: True
    underway: Callable[[str], bool] = lambda name: False
    "whether this name's value, which no statement makes, is what is being pickled"
    given: Callable[[str], bool] = lambda name: False
    "whether what has this dotted name was put there since the definition's statement, which makes something else"
    gpus: int | None = None
    "how many the job has; None: that is not looked at"
    file: Callable[[types.CodeType], str] = lambda code: code.co_filename
    "the name of a code's file in the job"
    views: Views = field(default_factory=Views)
    "of numpy arrays"


class Pickler(pickle.Pickler):
    """Tells, beside the pickle, what it refers to and what travelled by value."""

    def __init__(self, file: Any, notebook: Notebook, standing: Standing, apart: Apart | None = None) -> None:
        super().__init__(file, protocol=PROTOCOL, buffer_callback=apart)
        self.modules: set[str] = set()
        "modules that were referred to"
        self.shipped: set[str] = set()
        "modules of the runner that the pickle needs"
        self.by_value: list[types.FunctionType | type] = []
        self._notebook = notebook
        self._standing = standing
        self._handlers: dict[type, Handler | None] = {}
        self._globals: dict[str | int, Globals] = {}

    def reducer_override(self, obj: Any) -> Any:
        kind = type(obj)
        try:
            handler = self._handlers[kind]
        except KeyError:
            handler = self._handlers[kind] = self._handler(kind)
        return NotImplemented if handler is None else handler(obj)

    def _handler(self, kind: type) -> Handler | None:
        """What takes objects of one type apart; None: pickle's own way."""
        if issubclass(kind, type | types.FunctionType | types.BuiltinFunctionType):
            return self._global
        if issubclass(kind, types.ModuleType):
            return self._module
        own: dict[type, Handler] = {
            types.CodeType: self._code,
            types.MethodType: self._method,
            CACHED: self._cached,
        }
        if kind.__module__ == "typing" and kind.__name__ in byvalue.TYPING:
            return self._typing
        if str(kind.__module__).partition(".")[0] == modules.OURS and kind not in (_ModuleReference, Globals):
            return self._ours
        if issubclass(kind, BaseException):
            return pickling.exception
        if byvalue.is_sentinel(kind):
            return lambda obj: byvalue.sentinel(obj) or NotImplemented
        if self._standing.gpus is not None and _is_tensor(kind):
            return self._tensor
        own_way = own.get(kind) or byvalue.REDUCERS.get(kind) or self._standing.views.handler(kind)
        return own_way or self._of_own_class(kind)

    # Functions and classes

    def _global(self, obj: Any) -> Any:
        module = getattr(obj, "__module__", None)
        if not isinstance(module, str):
            return self._by_value(obj) if isinstance(obj, types.FunctionType) else NotImplemented
        if module == self._notebook.module:
            return self._of_notebook(obj, module)
        if module in SHIPPED:
            self.shipped.add(SHIPPED[module])
            return NotImplemented
        if module.partition(".")[0] == modules.OURS:
            if obj.__name__ in modules.IN_JOBS:
                return operator.attrgetter(obj.__name__), (_ModuleReference(modules.OURS),)
            raise Refused(f"part of kube_magics ({obj.__qualname__})", "use it in the notebook, around the job")
        if isinstance(obj, types.BuiltinFunctionType):
            self.modules.add(module)
            return NotImplemented
        return self._of_module(obj, module)

    def _of_module(self, obj: Any, module: str) -> Any:
        """Importing the module gives it, or else it travels by value."""
        loaded = sys.modules.get(module)
        name: str = obj.__qualname__
        found = lookup(vars(loaded), name) if loaded is not None else None
        if found is not obj:
            if str(type(found).__module__).partition(".")[0] == modules.OURS and _wrapped(found) is obj:
                return self._under_remote(name, module)
            if module == "builtins" and isinstance(obj, type):
                return byvalue.builtin_type(obj) or NotImplemented
            if modules.kind(module) == "local" and found is not None and self._from(obj, loaded):
                raise Refused(
                    f"made by an older definition of {module}.{obj.__qualname__}: the module was loaded again since",
                    "run the cell that makes it again, then this one",
                )
            if isinstance(obj, types.FunctionType) or "<locals>" in obj.__qualname__ or module == "types":
                return self._by_value(obj)
        self.modules.add(module)
        return NotImplemented

    def _from(self, obj: Any, module: types.ModuleType | None) -> bool:
        """Whether the module's own code made it, not a wrapper that only bears its name."""
        return isinstance(obj, type) or (module is not None and obj.__globals__ is vars(module))

    def _of_notebook(self, obj: Any, module: str) -> Any:
        name = obj.__qualname__
        live = lookup(self._notebook.namespace, name)
        ours = live is not obj and type(live).__module__.partition(".")[0] == modules.OURS
        if live is not obj and not (ours and getattr(live, "__wrapped__", None) is obj):
            older = isinstance(obj, type) and isinstance(live, type) and "<locals>" not in name
            if older and not _is_draft(obj, live):
                raise Refused(
                    f"made by an older definition of {name}", "run the cell that makes it again, then this one"
                )
            return self._by_value(obj)
        if not self._reachable(name) or self._standing.given(name):
            return self._by_value(obj)
        if not ours and lookup(vars(importlib.import_module(module)), name) is obj:
            return NotImplemented
        return rebuild.found, (self._names(module), name)

    def _reachable(self, name: str) -> bool:
        """Whether the job has this dotted name; False while its own value is being pickled."""
        root = name.partition(".")[0]
        if self._standing.stands(root):
            return True
        if self._standing.underway(root):
            return False
        raise NeedsFirst(root)

    def _by_value(self, obj: Any) -> Reduced:
        self.by_value.append(obj)
        if isinstance(obj, type):
            return byvalue.klass(obj)
        return byvalue.function(obj, self._globals_of(obj))

    def _globals_of(self, function: types.FunctionType) -> Globals:
        module = sys.modules.get(function.__module__ or "")
        if function.__globals__ is self._notebook.namespace:
            return self._names(self._notebook.module)
        if module is not None and vars(module) is function.__globals__:
            if module.__name__ != self._notebook.module:
                self.modules.add(module.__name__)
            return self._names(module.__name__)
        return self._globals.setdefault(id(function.__globals__), Globals(None))

    def _names(self, module: str) -> Globals:
        return self._globals.setdefault(module, Globals(module))

    def _code(self, code: types.CodeType) -> Reduced:
        return byvalue.code(code.replace(co_filename=self._standing.file(code)))

    # Objects

    def _module(self, module: types.ModuleType) -> Reduced:
        if sys.modules.get(module.__name__) is not module:
            raise Refused(f"the module {module.__name__}, which importing does not give", "import it in the cell")
        self.modules.add(module.__name__)
        return importlib.import_module, (module.__name__,)

    def _of_own_class(self, kind: type) -> Handler | None:
        """Instances of what the notebook's cells define, where pickle's own way would not bring them back."""
        if kind.__module__ != self._notebook.module:
            return None
        if issubclass(kind, enum.Enum) and not issubclass(kind, enum.Flag):
            return lambda obj: (getattr, (kind, obj.name))  # its value may be anything, as a lambda
        plain = all(getattr(kind, name) is getattr(object, name) for name in ("__reduce__", "__reduce_ex__"))
        if plain and issubclass(kind, dict):
            return self._own_dict
        if plain and hasattr(kind, "__getattr__") and not hasattr(kind, "__setstate__"):
            self.shipped.add(SHIPPED[REBUILD])
            return _by_state
        return None

    def _own_dict(self, obj: Any) -> Any:
        reduced = pickling.own_dict(obj)
        if reduced is NotImplemented and hasattr(type(obj), "__getattr__") and not hasattr(type(obj), "__setstate__"):
            self.shipped.add(SHIPPED[REBUILD])
            return _by_state(obj)
        return reduced

    def _method(self, method: types.MethodType) -> Any:
        """A method that its object has under another name, or not at all, is bound again."""
        name = getattr(method.__func__, "__name__", None)
        found = getattr(method.__self__, name, None) if isinstance(name, str) else None
        return NotImplemented if found == method else (types.MethodType, (method.__func__, method.__self__))

    def _cached(self, obj: Any) -> Any:
        """A function under lru_cache; pickle itself would name it and not tell us."""
        name = obj.__qualname__
        if obj.__module__ == self._notebook.module:
            if lookup(self._notebook.namespace, name) is obj and self._reachable(name):
                return rebuild.found, (self._names(obj.__module__), name)
            return byvalue.lru_cached(obj)
        loaded = sys.modules.get(obj.__module__)
        if loaded is not None and lookup(vars(loaded), name) is obj:
            self.modules.add(obj.__module__)
            return NotImplemented
        return byvalue.lru_cached(obj)

    def _typing(self, obj: Any) -> Any:
        if obj.__module__ == self._notebook.module:
            return byvalue.typing_name(obj)
        self.modules.add(obj.__module__)
        return NotImplemented

    def _tensor(self, tensor: Any) -> Any:
        """A job's GPUs are counted from 0, whichever they are."""
        if not tensor.is_cuda or _number(tensor.device) < (gpus := self._standing.gpus or 0):
            return NotImplemented
        hint = "bring it to memory first: x = x.cpu(), model = model.cpu()"
        if not gpus:
            raise Refused(f"a tensor on {tensor.device}, and the job has no GPU", f"--gpus 1, or {hint}")
        has = "one GPU, its cuda:0" if gpus == 1 else f"{gpus} GPUs, cuda:0 to cuda:{gpus - 1}"
        hint = f'x = x.to("cuda:0"), model = model.to("cuda:0"); or {hint}'
        raise Refused(f"a tensor on {tensor.device}, and the job has {has}", hint)

    def _under_remote(self, name: str, module: str) -> Any:
        """A local module's function under @remote: in the job that is the function itself."""
        self.modules.add(module)
        return operator.attrgetter(name), (_ModuleReference(module),)

    def _ours(self, obj: Any) -> Any:
        """A function under @kube_magics.remote: in the job it is the function alone."""
        name = getattr(_wrapped(obj), "__qualname__", "")
        module = str(getattr(_wrapped(obj), "__module__", ""))
        if module != self._notebook.module and module in sys.modules and lookup(vars(sys.modules[module]), name) is obj:
            return self._under_remote(name, module)
        if not name or lookup(self._notebook.namespace, name) is not obj:
            raise Refused(describe(obj)[0] or "part of kube_magics", "pass its value: job.result()")
        self._reachable(name)
        return rebuild.found, (self._names(self._notebook.module), name)


def _by_state(obj: Any) -> Reduced:
    """Loading does not ask the object for a __setstate__: its __getattr__ may need what it has not got yet."""
    reduced = obj.__reduce_ex__(PROTOCOL)
    return (*reduced[:5], rebuild.set_state) if reduced[2] is not None else reduced


def _is_draft(one: Any, live: Any) -> bool:
    """Whether a class is what dataclass(slots=True) made `live` of: the methods that it wrote still refer to it."""
    fields = vars(one).get("__dataclass_fields__")
    return fields is not None and vars(live).get("__dataclass_fields__") is fields


def _is_tensor(kind: type) -> bool:
    """torch.Tensor and its subclasses; torch is not imported to ask."""
    known = getattr(sys.modules.get("torch"), "Tensor", None)
    return isinstance(known, type) and issubclass(kind, known)


def _number(device: object) -> int:
    """3 of `cuda:3`."""
    return int(str(device).partition(":")[2] or 0)


def _wrapped(value: object) -> object:
    return getattr(value, "__wrapped__", None)


class _ModuleReference:
    """Pickles as `importlib.import_module(name)`."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __reduce__(self) -> Any:
        return importlib.import_module, (self._name,)


def lookup(namespace: Mapping[str, Any], qualified: str) -> Any:
    """What a dotted name stands for, or None."""
    root, *rest = qualified.split(".")
    value = namespace.get(root)
    for attribute in rest:
        value = getattr(value, attribute, None)
    return value
