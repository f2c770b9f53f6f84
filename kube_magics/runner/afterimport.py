"""Something to do when a module has been imported, if it ever is: nothing is imported for it."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

    Action = Callable[[Any], None]

_actions: dict[str, Action] = {}


def when_imported(name: str, action: Action) -> None:
    """Call `action` with the module of that name: now, or as soon as it has been imported."""
    if name in sys.modules:
        action(sys.modules[name])
        return
    if not _actions:
        sys.meta_path.insert(0, _Finder())
    _actions[name] = action


class _Finder:
    """Stands before the real finders until there is nothing left to wait for."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name not in _actions:
            return None
        for finder in sys.meta_path:
            spec: Any = None if finder is self else finder.find_spec(name, path, target)
            if spec is not None:
                spec.loader = _Loader(spec.loader, self)
                return spec
        return None


class _Loader:
    """The module's own loader, and then the action."""

    def __init__(self, loader: Any, finder: _Finder) -> None:
        self._loader = loader
        self._finder = finder

    def create_module(self, spec: Any) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        spec = module.__spec__
        if spec is not None:
            spec.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        action = _actions.pop(module.__name__, None)
        if not _actions and self._finder in sys.meta_path:
            sys.meta_path.remove(self._finder)
        if action is not None:
            action(module)
