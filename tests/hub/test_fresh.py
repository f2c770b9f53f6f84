"""`make hub` on a machine that has nothing but Python with venv, git and make: no Node, no JupyterHub."""

from __future__ import annotations

import re
import threading
import time

import pytest

from tests.demo import bare_machine
from tests.hub.running import free_row
from tests.hub.visitor import Visitor

pytestmark = pytest.mark.demo
JOB = "%%kubetrain --returns answer\nanswer = 6 * 7"
# As `make hub` says it is ended from another terminal, then what is still running.
END = 'kill $(cut -d" " -f2 ~/.local/state/kube_magics/hub/lock)'
SCRIPT = (
    "make hub HUB='--port {port}' & while [ ! -e enough ]; do sleep 0.2; done; {end}; wait $!; echo \"code $?\"; "
    "for i in 1 2 3 4 5 6 7 8 9 10; do left=; for p in /proc/[0-9]*; do case $p in /proc/1|/proc/$$) ;; "
    '*) left="$left $(tr "\\0" " " < $p/cmdline)";; esac; done 2>/dev/null; [ -z "$left" ] && break; sleep 0.5; done; '
    'echo "left behind:$left"'
)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_make_hub_on_a_bare_machine() -> None:
    if reason := bare_machine.why_not():
        pytest.skip(f"make hub on a bare machine: {reason}")
    port, lines = free_row(), []
    said = threading.Event()
    with (
        bare_machine.bare_machine() as machine,
        machine.start("sh", "-c", SCRIPT.format(port=port, end=END)) as process,
    ):
        checkout = machine.root / "home/reader/kube_magics"

        def read() -> None:
            assert process.stdout
            for line in process.stdout:
                lines.append(line)
                if "Ctrl-C ends it" in line:
                    said.set()

        reading = threading.Thread(target=read)
        reading.start()
        try:
            until = time.monotonic() + 1500
            while not said.wait(1):
                assert process.poll() is None, "".join(lines)
                assert time.monotonic() < until, "".join(lines)
            password = re.search(r"log in as any name, password (\S+)", "".join(lines))
            assert password
            with Visitor(f"http://127.0.0.1:{port}", "ada").log_in(password[1]) as ada:
                ada.start()
                notebook = ada.notebook("Untitled.ipynb")
                assert notebook.run(JOB).error is None
                assert notebook.run("print(answer)").text == "42\n"
            (checkout / "enough").touch()
            process.wait(120)
        finally:
            process.kill()
            reading.join()
    text = "".join(lines)
    print(text)
    assert "The proxy is the one in Python: node and npm not found." in text
    assert "code 0" in text
    assert text.endswith("left behind:\n")
