"""Which signals count: real ones, to this very process."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from kube_magics import errors
from kube_magics.jobs import here
from kube_magics.jobs.interrupt import SETTLE_S, Waiting
from kube_magics.jobs.together import wait_all


class Told:
    """Something that can be stopped."""

    def __init__(self, name: str = "told", error: Exception | None = None) -> None:
        self.name = name
        self.stopped = 0
        self._error = error

    async def stopping(self) -> str:
        self.stopped += 1
        if self._error is not None:
            raise self._error
        return "stopped"

    def done(self, timeout: float) -> bool:
        time.sleep(timeout)
        return False


@pytest.fixture(autouse=True)
def usual() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
    present()


def present(*, answers: bool = True, leaving: bool = False, shows: bool = True) -> None:
    here.set_presence(lambda: answers, lambda: leaving, lambda: shows)


def press(waiting: Waiting) -> None:
    os.kill(os.getpid(), signal.SIGINT)
    waiting.look()


def look_often(waiting: Waiting) -> None:
    """Until it raises."""
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        waiting.look()
        time.sleep(0.01)


def until(waiting: Waiting, told: Told) -> None:
    """Look until it has been stopped."""
    while not told.stopped:
        waiting.look()
        time.sleep(0.01)


def test_an_echo_is_no_answer(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither to the question nor, once it is being stopped, a wish to wait no longer."""
    told = Told()
    with Waiting([told]) as waiting:
        press(waiting)
        press(waiting)
        time.sleep(SETTLE_S)
        waiting.look()
        assert not told.stopped
        press(waiting)
        press(waiting)
        until(waiting, told)
        press(waiting)
        time.sleep(SETTLE_S)
        waiting.look()
        with pytest.raises(errors.Detached, match="is being stopped"):
            press(waiting)
    assert capsys.readouterr().err.splitlines() == [
        "interrupt again to STOP job told; it goes on running otherwise",
        "stopping job told",
    ]
    assert told.stopped == 1


def test_all_are_stopped_though_one_cannot_be() -> None:
    """One that is over and gone needs no words; a refusal is said once all have been told."""
    gone, refused, told = Told("gone", errors.NotFound("no")), Told("refused", errors.Forbidden("no")), Told()
    with Waiting([gone, refused, told]) as waiting:
        press(waiting)
        time.sleep(SETTLE_S)
        press(waiting)
        with pytest.raises(errors.Detached, match="stop job refused, which goes on") as raised:
            look_often(waiting)
    assert raised.value.hint == "%kube stop refused   (or %kube attach refused)"
    assert (gone.stopped, refused.stopped, told.stopped) == (1, 1, 1)


class Loading(Told):
    """Over, and its value takes long to come."""

    duration_s = log_path = None

    def __init__(self) -> None:
        super().__init__("loading")
        self.begun = 0

    def done(self, timeout: float) -> bool:
        return True

    def failure(self) -> None:
        self.begun += 1
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
        time.sleep(30)


def test_a_value_on_its_way_does_not_make_the_button_deaf() -> None:
    loading = Loading()
    with pytest.raises(errors.Detached, match="the results of job loading were being loaded"):
        wait_all([loading])  # type: ignore[list-item]
    assert loading.begun == 1


def test_a_value_on_its_way_is_left_for_the_question_about_those_that_run(capsys: pytest.CaptureFixture[str]) -> None:
    loading, told = Loading(), Told()
    with pytest.raises(errors.Detached, match="no longer waits for jobs loading, told; the jobs go on"):
        wait_all([loading, told])  # type: ignore[list-item]
    assert loading.begun == 1
    assert capsys.readouterr().err == ("interrupt again to STOP jobs loading, told; they go on running otherwise\n")


def test_an_executor_is_not_asked(capsys: pytest.CaptureFixture[str]) -> None:
    """Its timeout strikes again and again, and nobody means a stop by it."""
    present(answers=False)
    with Waiting([Told()]) as waiting, pytest.raises(errors.Detached, match="the job goes on"):
        press(waiting)
    assert not capsys.readouterr().err


def test_where_nothing_shows_what_is_raised_it_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """In a widget's callback: the kernel writes an interrupt into its own log."""
    present(answers=False, shows=False)
    with pytest.raises(KeyboardInterrupt), Waiting([Told()]) as waiting:
        press(waiting)
    assert capsys.readouterr().err.splitlines() == [
        "This cell no longer waits for job told; the job goes on.",
        "  next: %kube attach told   (or %kube stop told)",
    ]


def test_a_process_that_ends_stops_nothing() -> None:
    """Whoever shuts a kernel down interrupts it first, and tells it only then."""
    told = Told()
    with Waiting([told]) as waiting:
        press(waiting)
        time.sleep(SETTLE_S)
        press(waiting)
        present(leaving=True)
        with pytest.raises(errors.Detached, match="the job goes on"):
            until(waiting, told)
    assert not told.stopped
