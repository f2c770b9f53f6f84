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
    │   └── Rejected           400, 413, 422: quota, admission, an invalid manifest
    ├── SubmitError            the job could not be handed over: bundle too large, no free GPU on this machine
    ├── Detached               the cell stopped waiting; the job goes on
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

Standard library only: this is the ground that every layer may import.
"""

from __future__ import annotations


class KubeMagicsError(Exception):
    """Base of all errors of this package.

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
        lines = [self.message]
        if self.said:
            lines += ["  said: " + line for line in self.said.splitlines()]
        if self.hint:
            lines += ["  next: " + line for line in self.hint.splitlines()]
        return lines

    def _render_traceback_(self) -> list[str]:
        # IPython shows these lines instead of its forty; subclassing its UsageError would not shorten anything.
        notes: list[str] = getattr(self, "__notes__", [])
        first, *rest = [*self._lines(), *notes]
        return [f"{type(self).__name__}: {first}", *rest]


def _rebuild(cls: type[KubeMagicsError], args: tuple[object, ...], state: dict[str, object]) -> KubeMagicsError:
    error = cls.__new__(cls, *args)
    Exception.__init__(error, *args)
    error.__dict__.update(state)
    return error


class OptionError(KubeMagicsError):
    """A wrong option or value on the line."""


class NotAllowed(OptionError):
    """A limit of the site refuses it; the message names the rule, the hint whom to ask."""


class CellError(KubeMagicsError):
    """The cell cannot be a job. A syntax error is the `__cause__`, with the cell's own line numbers."""


class CaptureError(KubeMagicsError):
    """A value that the cell uses cannot travel; the message names it by its path inside the notebook."""


class UndefinedName(CaptureError, NameError):
    """The cell is sure to use a name that nobody has: here as there a NameError, told before anything is created."""


class ConfigError(KubeMagicsError):
    """No cluster, context or namespace is configured, or it is not clear which is meant."""


class ClusterError(KubeMagicsError):
    """The API server refused or failed; `status` is the HTTP status code, or None when there was no answer."""

    status: int | None = None
    retry_after_s: float | None = None
    """When the server wants to be asked again, as it said."""


class Unreachable(ClusterError):
    """No answer: wrong address, no network, TLS not trusted, or the server is down."""


class Unauthorized(ClusterError):
    """401: the credentials are missing, expired or unknown."""


class Forbidden(ClusterError):
    """403: the account lacks a right; the message names verb and resource as the cluster does."""


class NotFound(ClusterError):
    """404: no such object or namespace."""


class Conflict(ClusterError):
    """409: an object of that name exists."""


class Gone(ClusterError):
    """410: the resource version is no longer kept by the server."""


class Rejected(ClusterError):
    """400, 413 or 422, or a refusal by an admission plugin."""


class SubmitError(KubeMagicsError):
    """The job could not be handed over; nothing is left behind."""


class Detached(KubeMagicsError):
    """The cell stopped waiting for its job, which goes on."""


class JobError(KubeMagicsError):
    """The job ended without its value."""


class JobFailed(JobError):
    """The job's process ended with `exit_code`."""

    exit_code: int | None = None


class JobExited(JobFailed):
    """The job called `sys.exit(code)`; `code` is what it was called with, as a text where that is no number."""

    code: int | str | None = None


class JobKilled(JobError):
    """The job's process was killed by the signal of number `signal`, which neither the user nor a limit explains."""

    signal: int | None = None


class JobTimeout(JobError):
    """`--timeout` ran out."""


class JobStopped(JobError):
    """The job was told to end: stopped, or suspended."""


class JobDeleted(JobStopped):
    """The job, or its pod, was deleted before it had ended."""


class JobOutOfMemory(JobError):
    """The job was killed at its memory limit."""


class JobNotStarted(JobError):
    """The job never ran: its image, the quota, the scheduler or a policy stood in the way."""


class ImportMissing(JobError):
    """The job's image lacks a package that the cell imports."""


class PythonMismatch(JobError):
    """What has no source (lambdas, closures) travelled as bytecode, and the job's Python has another minor version."""


class InstallFailed(JobError):
    """Packages could not be installed before the program began: `--pip`, `-r`, or what the image lacks."""


class PodLost(JobError):
    """The pod ended, or went away, without the runner's last word."""


class RemoteError(JobError):
    """The job raised an exception whose class cannot be imported here; `remote_type` is its original name."""

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
    """A value is larger than the log can carry."""


class ResultMissing(ResultError):
    """A name of --returns was never set, or its value cannot be pickled."""


class Untrusted(ResultError):
    """A value of a job that this user's records do not know: to load it is to run the code of whoever made it."""
