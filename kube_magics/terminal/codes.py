"""What a command ends with: the job's own exit code where one ran, as `docker run` and `timeout` have the others."""

from __future__ import annotations

from kube_magics import errors

FAILED, USAGE = 1, 2
TIMEOUT = 124
NOT_RUN = 125
"""It did not run, or how it ended is not known."""
INTERRUPTED, PIPE = 130, 141
KILLED, STOPPED = 137, 143


def of(error: BaseException, *, waited: bool) -> int:
    """The exit code of an error; `waited`: of a verb that waits for a job's end, and ends as the job did."""
    if isinstance(error, errors.Detached):
        return INTERRUPTED
    if isinstance(error, (errors.OptionError, errors.CellError)):
        return USAGE
    if not isinstance(error, errors.KubeMagicsError):
        return FAILED  # the job's own exception
    return _of_job(error) if waited else FAILED


def _of_job(error: errors.KubeMagicsError) -> int:
    if isinstance(error, errors.JobFailed):
        return error.exit_code if error.exit_code and 0 < error.exit_code < 256 else FAILED
    if isinstance(error, errors.JobKilled):
        return 128 + error.signal if error.signal else FAILED
    if isinstance(error, (errors.RemoteError, errors.ImportMissing)):
        return FAILED
    for kind, code in (
        (errors.JobTimeout, TIMEOUT),
        (errors.JobOutOfMemory, KILLED),
        (errors.JobStopped, STOPPED),
        (errors.ResultError, FAILED),
    ):
        if isinstance(error, kind):
            return code
    return NOT_RUN
