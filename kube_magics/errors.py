"""Every error that kube_magics raises; each says what happened, what the cluster said, and what to type next.

    KubeMagicsError
    ├── OptionError            the line: an unknown option, a bad value, an undefined $name
    │   └── NotAllowed         more than the site allows, or something else
    ├── CellError              the cell cannot be a job: empty, a syntax error
    ├── CaptureError           a value that the cell uses cannot travel
    │   └── UndefinedName      a name that neither the cell nor the notebook defines; also a NameError
    ├── ConfigError            which cluster, which namespace, which backend: nothing is configured, or not clearly
    ├── ClusterError           the cluster's answer
    │   ├── Unreachable        no answer at all: address, network, TLS
    │   ├── Unauthorized       401: the credentials are not accepted
    │   ├── Forbidden          403: the credentials lack a right
    │   ├── NotFound           404
    │   ├── Conflict           409: the name is taken
    │   ├── Gone               410: the version asked for is no longer kept
    │   └── Rejected           400, 413, 422: quota, admission, an invalid manifest; 429, 5xx: it cannot answer now
    ├── SubmitError            the job could not be handed over: bundle too large, no free GPU on this machine
    ├── JobError               the job ended without its value
    │   ├── JobFailed          its process ended with an exit code: os._exit, a crashing interpreter
    │   │   └── JobExited      it called sys.exit
    │   ├── JobKilled          by a signal
    │   ├── JobTimeout         --timeout ran out
    │   ├── JobStopped         %kube stop, or it was suspended
    │   │   └── JobDeleted     it, or its pod, was deleted while it ran
    │   ├── JobOutOfMemory     the kernel killed it at its memory limit
    │   ├── JobNotStarted      it never ran: image, quota, scheduling, policy
    │   ├── ImportMissing      the image lacks a package that the cell imports
    │   ├── PythonMismatch     captured bytecode belongs to another minor of Python than the job's
    │   ├── InstallFailed      what --pip asks for, or the image lacks, could not be installed
    │   ├── PodLost            the pod ended without a word from the runner
    │   └── RemoteError        its exception has a class that does not exist here; a subclass carries its name
    └── ResultError            the job succeeded, and a value did not arrive
        ├── ResultTooLarge
        ├── ResultMissing
        └── Untrusted          it is of a job that this user did not submit: loading it takes --trust
    Detached                   the cell stopped waiting; the job goes on. As KeyboardInterrupt it is no Exception

Standard library only: this is the ground that every layer may import.
"""

from __future__ import annotations

import re

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
TOO_MANY_REQUESTS = 429


class Told(BaseException):
    """What all errors of this package tell.

    `message` is one sentence that says what happened; `said` is what the cluster or the job said, verbatim, or None;
    `hint` is what to type next, or None.
    """

    def __init__(self, message: str, *, hint: str | None = None, said: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.said = said

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def __reduce__(self) -> tuple[object, ...]:
        # BaseException.__reduce__ would lose the keyword-only arguments.
        return (_rebuild, (type(self), self.args, self.__dict__))

    def _lines(self) -> list[str]:
        lines = [harmless(self.message)]
        if self.said:
            lines += ["  said: " + harmless(line) for line in self.said.splitlines()]
        if self.hint:
            lines += ["  next: " + line for line in self.hint.splitlines()]
        return lines

    def _render_traceback_(self) -> list[str]:
        # IPython shows these lines instead of its forty; subclassing its UsageError would not shorten anything.
        notes: list[str] = getattr(self, "__notes__", [])
        first, *rest = [*self._lines(), *notes]
        return [f"{type(self).__name__}: {first}", *rest]


def harmless(text: str) -> str:
    """`text`, whoever wrote it, with nothing that does something to a terminal."""
    return _CONTROL.sub(lambda found: repr(found[0])[1:-1], text)


def _rebuild(cls: type[Told], args: tuple[object, ...], state: dict[str, object]) -> Told:
    error = cls.__new__(cls, *args)
    BaseException.__init__(error, *args)
    error.__dict__.update(state)
    return error


class KubeMagicsError(Told, Exception):
    """Base of all errors of this package; only an interrupt is none."""


class OptionError(KubeMagicsError):
    """A wrong option or value on the line.

    Why: an option that does not exist, a value that it cannot have, or a `$name` that the notebook does not define.
    Fix: type what the hint says; `%%kubetrain?` shows all options.
    """


class NotAllowed(OptionError):
    """A limit of the site refuses it; the message names the rule, the hint whom to ask.

    Why: more GPUs, cores, memory or time than the site allows a job, or another image.
    Fix: ask for less, or ask whoever the hint names.
    """


class CellError(KubeMagicsError):
    """The cell cannot be a job. A syntax error is the `__cause__`, with the cell's own line numbers.

    Why: an empty cell, one of comments alone, a syntax error, or a `--returns` that is no list of names.
    Fix: correct the cell; a syntax error points at its line.
    """


class CaptureError(KubeMagicsError):
    """A value that the cell uses cannot travel; the message names it by its path inside the notebook.

    Why: generators, open files, locks, sockets, connections, the shell and running jobs belong to their process; an
    object's class may have been defined again since; and what looks like a credential must not travel as a copy.
    Fix: make the object inside the cell, run the cell again that makes it, or name a Secret (`--secret`). If it is no
    credential: `--capture NAME`.
    """


class UndefinedName(CaptureError, NameError):
    """The cell is sure to use a name that nobody has: here as there a NameError, told before anything is created.

    Why: it is mistyped, or the cell that defines it has not been run in this kernel.
    Fix: run that cell, or correct the name.
    """


class ConfigError(KubeMagicsError):
    """No cluster, context or namespace is configured, or it is not clear which is meant.

    Why: there is no kubeconfig, a context that it does not have was named, or this is the first job on a cluster and
    nobody has said that it is meant.
    Fix: `%kube config context=NAME` once, or `--backend local`.
    """


class ClusterError(KubeMagicsError):
    """The API server refused or failed; `status` is the HTTP status code, or None when there was no answer."""

    status: int | None = None
    retry_after_s: float | None = None
    """When the server wants to be asked again, as it said."""


class Unreachable(ClusterError):
    """No answer at all.

    Why: wrong address, no network or VPN, a certificate that nobody vouches for, or the server is down.
    Fix: see whether kubectl reaches it with the same kubeconfig, then run the cell again. Jobs go on meanwhile.
    """


class Unauthorized(ClusterError):
    """401: the credentials are missing, expired or unknown.

    Why: a login that has expired, a log-in program that failed, or the kubeconfig of another cluster.
    Fix: log in again as for kubectl, and run the cell again; a running job is taken up by `%kube attach NAME`.
    """


class Forbidden(ClusterError):
    """403: the account lacks a right; the message names verb and resource as the cluster does.

    Why: your account may not do this in this namespace.
    Fix: show the message to your administrator (`hub-config/rbac/user-role.yaml` has all rights that are needed), or
    `--namespace` with one where you may.
    """


class NotFound(ClusterError):
    """404: no such object or namespace.

    Why: a mistyped name, another namespace or context, or a job that was deleted or kept as long as its `--ttl` says.
    Fix: `%kube jobs` shows the names.
    """


class Conflict(ClusterError):
    """409: an object of that name exists.

    Why: you or a colleague has a job of this name.
    Fix: another `--name`, none at all, or `%kube delete NAME` first.
    """


class Gone(ClusterError):
    """410: the resource version is no longer kept by the server.

    Why: the connection was away longer than the cluster keeps its history.
    Fix: run the line again; following a job gets over this by itself.
    """


class Rejected(ClusterError):
    """400, 413 or 422, or a refusal by an admission plugin; 429 or 5xx of a server that cannot answer now.

    Why: an admission policy, a quota, or an object that the cluster finds invalid; or a server, a node or a webhook
    that has too much to do, or is at fault itself.
    Fix: change what it names; what it said stands in the error, word by word. 429 and 5xx pass, or are for an
    administrator.
    """

    @property
    def passes(self) -> bool:
        """Whether it may pass by itself: the server has too much to do, or is at fault itself."""
        status = self.status or 500
        return status >= 500 or status == TOO_MANY_REQUESTS


class SubmitError(KubeMagicsError):
    """The job could not be handed over; nothing is left behind.

    Why: what travels is too large, the log folder cannot be written to, a store cannot be reached, or this machine
    has no such GPUs.
    Fix: `--artifacts URL` for large values, `--cpu-ok` for a machine without GPUs; the hint says which.
    """


class Detached(Told):
    """The cell stopped waiting for its job, which goes on. No `except Exception` keeps it from ending the cell.

    Why: an interrupt, the timeout of nbclient or papermill, or a kernel that shuts down.
    Fix: `%kube attach NAME` takes it up again, `%kube stop NAME` ends it.
    """

    # No Exception, so that no `except Exception` around a loop of jobs swallows the interrupt and submits the next; no
    # KeyboardInterrupt either: one that leaves a task of asyncio ends the whole kernel.


class JobError(KubeMagicsError):
    """The job ended without its value."""


class JobFailed(JobError):
    """The job's process ended with `exit_code`.

    Why: `os._exit`, a crash, or, for an image that runs as it is, its program's own failure.
    Fix: read the end of its log: `%kube logs NAME`.
    """

    exit_code: int | None = None


class JobExited(JobFailed):
    """The job called `sys.exit(code)`; `code` is what it was called with, as a text where that is no number.

    Why: its own decision: an argument parser, a launcher, a framework.
    Fix: read what it printed before; leave `sys.exit` out, or catch `JobExited` where the code is what you want.
    """

    code: int | str | None = None


class JobKilled(JobError):
    """The job's process was killed by the signal of number `signal`, which neither the user nor a limit explains.

    Why: a crash in native code (SEGV, ABRT, BUS), or somebody or something on its node.
    Fix: the message names the signal and what usually sends it.
    """

    signal: int | None = None


class JobTimeout(JobError):
    """`--timeout` ran out.

    Why: it took longer than it was given.
    Fix: a longer `--timeout`, or none; save on the way (`should_stop()`, `--grace`), so that the next one can go on.
    """


class JobStopped(JobError):
    """The job was told to end: stopped, or suspended.

    Why: `%kube stop`, a second interrupt, or somebody with kubectl.
    Fix: run the cell again when it shall run after all; what it had kept by then has come back.
    """


class JobDeleted(JobStopped):
    """The job, or its pod, was deleted before it had ended.

    Why: `%kube delete`, kubectl, or the cluster: a drained node, a job of higher priority.
    Fix: run the cell again.
    """


class JobOutOfMemory(JobError):
    """The job was killed at its memory limit.

    Why: its processes held more than `--memory` together, or more than the node had.
    Fix: the hint names a `--memory`, twice the peak that was seen; or a smaller batch, fewer workers.
    """


class JobNotStarted(JobError):
    """The job never ran: its image, the quota, the scheduler or a policy stood in the way.

    Why: an image that cannot be pulled, a quota, a policy, a claim or Secret that is not there.
    Fix: the message says which, the hint what to type. Of a cell's job nothing is left.
    """


class ImportMissing(JobError):
    """The job's image lacks a package that the cell imports.

    Why: neither the image nor the notebook has it, or `--pip none` kept it from being installed.
    Fix: `--pip PACKAGE`, or an image that has it.
    """


class PythonMismatch(JobError):
    """What has no source (lambdas, closures) travelled as bytecode, and the job's Python has another minor version.

    Why: lambdas, closures and what else has no source run on one minor version of Python only.
    Fix: an image with the notebook's Python, or a `def` at the top level of a cell in place of the lambda.
    """


class InstallFailed(JobError):
    """Packages could not be installed before the program began: `--pip`, `-r`, or what the image lacks.

    Why: no such package or version, versions that exclude each other, no network in the pod, or no uv and no pip in
    the image.
    Fix: what the installer said stands in the error; an image that has the packages needs no installer.
    """


class PodLost(JobError):
    """The pod ended, or went away, without the runner's last word.

    Why: its node is gone, or the container was killed together with the runner.
    Fix: run the cell again; the message says what is known.
    """


class RemoteError(JobError):
    """The job raised an exception whose class cannot be imported here; `remote_type` is its original name.

    Why: the class lives in a package that only the job's image has.
    Fix: read the traceback, which is the job's; install the package here to get the class itself.
    """

    remote_type: str = "Exception"

    @classmethod
    def named(cls, module: str, name: str, message: str) -> RemoteError:
        """A RemoteError of a subclass that carries the original's name, as `module.name`."""
        subclass = type(name, (cls,), {"__module__": module, "remote_type": f"{module}.{name}"})
        error: RemoteError = subclass(message)
        return error

    def __reduce__(self) -> tuple[object, ...]:
        # The subclass exists in no module: pickled by name and made again.
        module, _, name = self.remote_type.rpartition(".")
        return (RemoteError.named, (module, name, self.message), self.__dict__)


class ResultError(KubeMagicsError):
    """The job succeeded, and a value did not arrive as it should."""


class ResultTooLarge(ResultError):
    """A value is larger than the log can carry.

    Why: more than 1 MiB, and the job was given no `--artifacts`.
    Fix: `--artifacts URL`, and run the cell again; or return less.
    """


class ResultMissing(ResultError):
    """A name of --returns was never set, or its value cannot be pickled.

    Why: the cell never came to set the name, its value cannot be pickled, or the log that carried it is lost.
    Fix: the message says which of them, for each name.
    """


class Untrusted(ResultError):
    """A value of a job that this user's records do not know: to load it is to run the code of whoever made it.

    Why: loading a pickle runs code, and labels of a shared namespace prove nothing.
    Fix: `%kube attach NAME --trust`, if you trust whoever made the job.
    """
