"""The same through Python: `train(fn, …)` gives a `Job`, `@remote(…)` makes a function run as one."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Generic, ParamSpec, TypeVar, overload

from kube_magics.cells.capture import capture_call
from kube_magics.errors import CaptureError, OptionError
from kube_magics.jobs import defaults, here
from kube_magics.jobs import submit as submitting
from kube_magics.jobs.debugging import debugging
from kube_magics.jobs.job import Job
from kube_magics.jobs.origin import VALUE, Origin
from kube_magics.jobs.show import show, warn
from kube_magics.spec.job import JobSpec
from kube_magics.spec.options import OPTIONS
from kube_magics.spec.pages import keywords_text
from kube_magics.spec.parse import checked

NOT_FOR_CALLS = ("returns", "dry_run")
"""Options that mean nothing to a function: its value comes back, all of it."""
P = ParamSpec("P")
T = TypeVar("T")


def train(
    fn: Callable[..., Any], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None, **asked: Any
) -> Job:
    """Submit `fn(*args, **kwargs)` as a job and return at once.

    `asked` are the options of `%%kubetrain` as keywords: `gpus=1, memory="16Gi", name="digits"`. The function, and
    only what it uses, travels; `.result()` blocks for its value or raises its exception. Raises OptionError,
    CaptureError or what the cluster says, before anything is left behind.
    """
    if isinstance(fn, Remote):
        fn = fn._fn  # noqa: SLF001 - of this module; its options are those of `fn(…)`; here they are given anew
    spec = defaults.spec(checked(asked))
    with debugging(spec.debug):
        return _train(fn, args, kwargs, spec)


def _train(fn: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any] | None, spec: JobSpec) -> Job:
    if spec.returns or spec.dry_run:
        raise OptionError("train() gives the function's value, all of it.", hint="leave returns= and dry_run= out")
    if not isinstance(args, Sequence) or isinstance(args, (str, bytes)):
        # `train(fn, data)` is what one types first, and a string would be taken apart in silence.
        raise OptionError("train() takes the arguments of the function as a tuple.", hint="train(fn, args=(data,))")
    if not isinstance(kwargs or {}, Mapping) or not all(isinstance(name, str) for name in kwargs or {}):
        raise OptionError("train() takes keywords of the function as a dict.", hint='train(fn, kwargs={"lr": 0.1})')
    _check_comes_back(fn)
    captured = submitting.with_files(
        spec, capture_call(fn, tuple(args), dict(kwargs or {}), here.notebook(), allowed=spec.capture, gpus=spec.gpus)
    )
    warn(captured.warnings)
    spec = replace(spec, returns=(VALUE,))
    backend = submitting.place(spec)
    warn(submitting.left_here(spec, backend.kind, captured))
    stem = getattr(fn, "__name__", "call")
    prepared = submitting.prepare(spec, backend, captured, stem=stem, notebook=here.notebook_path())
    namespace = sys.modules["__main__"].__dict__
    origin = Origin(namespace, captured.definitions(None), (VALUE,), spec.timeout)
    return submitting.submit(prepared, origin)


def _check_comes_back(fn: Any) -> None:
    """A coroutine or a generator cannot travel, and does nothing before somebody runs it."""
    name = getattr(fn, "__name__", "fn")
    if inspect.iscoroutinefunction(fn):
        kind, run = "a coroutine", f"asyncio.run({name}(…))"
    elif inspect.isgeneratorfunction(fn):
        kind, run = "a generator", f"list({name}(…))"
    else:
        return
    what = f"A call of {name} gives {kind}, which cannot come back."
    raise CaptureError(what, hint=f"a function around it: def run(): return {run}")


class Remote(Generic[P, T]):
    """A function that runs as a job: `f(x)` blocks and gives the value, `f.submit(x)` gives the Job."""

    def __init__(self, fn: Callable[P, T], asked: Mapping[str, Any]) -> None:
        functools.update_wrapper(self, fn)
        self._fn = fn
        self._asked = dict(asked)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run the call as a job, show its output, and give its value or raise its exception."""
        job = self.submit(*args, **kwargs)
        print(f"job {job.name} on {job.where}")  # noqa: T201 - a blocking call says where it blocks
        pane = show(job)
        if job.lost:
            print(job.lost)  # noqa: T201 - as above
        try:
            value: T = job.result()
        finally:
            pane.update(last=True)
        if job.moved:
            print(job.moved)  # noqa: T201 - as above
        return value

    def submit(self, *args: P.args, **kwargs: P.kwargs) -> Job:
        """Submit the call and return at once."""
        return train(self._fn, args, kwargs, **self._asked)


@overload
def remote(fn: Callable[P, T], /) -> Remote[P, T]: ...
@overload
def remote(**asked: Any) -> Callable[[Callable[P, T]], Remote[P, T]]: ...
def remote(fn: Callable[..., Any] | None = None, /, **asked: Any) -> Any:
    """`@kube_magics.remote(gpus=1)`, or bare `@kube_magics.remote`: calls of the function below run as jobs.

    Raises OptionError at the definition for a wrong option.
    """
    if fn is not None and not callable(fn):
        raise OptionError(f"remote() got {fn!r}, which cannot be called.", hint="@remote(gpus=1), above a function")
    if checked(asked).get("detach"):
        raise OptionError("A call of a remote function gives its value.", hint="NAME.submit(…) gives the Job at once")
    return Remote(fn, asked) if fn is not None else lambda fn: Remote(fn, asked)


def _describe(function: Any, without: Sequence[str]) -> None:
    """What Python, and an editor's completion, can tell of the options as keywords: they stand in one table."""
    given = inspect.signature(function)
    fixed = [each for each in given.parameters.values() if each.kind is not inspect.Parameter.VAR_KEYWORD]
    keywords = [
        inspect.Parameter(each.field, inspect.Parameter.KEYWORD_ONLY, default=each.default)
        for each in OPTIONS
        if each.field not in without
    ]
    function.__doc__ = f"{inspect.cleandoc(function.__doc__ or '')}\n\n{keywords_text(without)}\n"
    vars(function)["__signature__"] = given.replace(parameters=[*fixed, *keywords])


_describe(train, NOT_FOR_CALLS)
_describe(remote, (*NOT_FOR_CALLS, "detach"))
