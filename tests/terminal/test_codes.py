"""What a command ends with."""

from __future__ import annotations

import pytest

from kube_magics import errors
from kube_magics.terminal import codes


def failed(code: int | None) -> errors.JobFailed:
    error = errors.JobFailed("it ended")
    error.exit_code = code
    return error


def killed(number: int) -> errors.JobKilled:
    error = errors.JobKilled("it was killed")
    error.signal = number
    return error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (failed(3), 3),
        (failed(None), 1),
        (failed(256), 1),
        (killed(11), 139),
        (errors.JobOutOfMemory(""), 137),
        (errors.JobTimeout(""), 124),
        (errors.JobStopped(""), 143),
        (errors.JobDeleted(""), 143),
        (errors.RemoteError(""), 1),
        (errors.ImportMissing(""), 1),
        (errors.ResultTooLarge(""), 1),
        (ValueError("the job's own"), 1),
        (errors.JobNotStarted(""), 125),
        (errors.PodLost(""), 125),
        (errors.Unreachable(""), 125),
        (errors.SubmitError(""), 125),
        (errors.ConfigError(""), 125),
        (errors.Detached(""), 130),
        (errors.OptionError(""), 2),
        (errors.CellError(""), 2),
    ],
)
def test_of_a_verb_that_waits(error: BaseException, code: int) -> None:
    assert codes.of(error, waited=True) == code


@pytest.mark.parametrize(
    ("error", "code"), [(errors.NotFound(""), 1), (errors.OptionError(""), 2), (errors.Unreachable(""), 1)]
)
def test_of_the_others(error: BaseException, code: int) -> None:
    assert codes.of(error, waited=False) == code
