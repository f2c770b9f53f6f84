"""`make demo` on a bare machine, from setting itself up to the last word."""

from __future__ import annotations

import itertools
import re
import time

import pytest

from tests.demo import bare_machine

pytestmark = pytest.mark.demo
# What is still running at the end, for five seconds at most; the shell itself and its children are numbers 1 and $$.
LOOK_AROUND = (
    "make demo; code=$?; for i in 1 2 3 4 5 6 7 8 9 10; do left=; for p in /proc/[0-9]*; do "
    'case $p in /proc/1|/proc/$$) ;; *) left="$left $(tr "\\0" " " < $p/cmdline)";; esac; done 2>/dev/null; '
    '[ -z "$left" ] && break; sleep 0.5; done; echo "left behind:$left"; exit $code'
)


@pytest.mark.timeout(1200)
def test_make_demo_on_a_machine_with_nothing_but_python_git_and_make() -> None:
    if reason := bare_machine.why_not():
        pytest.skip(f"make demo on a bare machine: {reason}")
    lines: list[tuple[float, str]] = []
    with bare_machine.bare_machine() as machine, machine.start("sh", "-c", LOOK_AROUND) as process:
        assert process.stdout
        try:
            for line in process.stdout:
                lines.append((time.monotonic(), line.rstrip("\n")))  # noqa: PERF401 - a failure keeps what came
            code = process.wait()
        finally:
            process.kill()
    text = "\n".join(line for _, line in lines)
    print(text)
    assert code == 0

    score = re.search(r"^accuracy (\d\.\d+)$", text, re.MULTILINE)
    assert score
    assert float(score[1]) >= 0.95
    assert re.search(r"^job quickstart-\w+ on local\b", text, re.MULTILINE)
    assert re.search(r"^quickstart-\w+ +succeeded\b", text, re.MULTILINE)
    assert "make lab" in lines[-2][1]
    assert lines[-1][1] == "left behind:"

    arrived = [moment for moment, line in lines if line.startswith("epoch ")]
    assert len(arrived) == 20
    bursts = 1 + sum(later - earlier > 0.05 for earlier, later in itertools.pairwise(arrived))
    assert bursts >= 3, "the job's lines came all at once, not while it ran"
