"""What a shell is told that completes a line."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from kube_magics.spec.verbs import VERBS
from kube_magics.terminal import completion
from tests.terminal.test_command import COMMAND, environment, kube_magics


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["jobs", "--status", "pending,runn"], "pending,running\n"),
        (["jobs", "--status", "=", "pending,runn"], "pending,running\n"),  # as bash takes it apart
        (["jobs", "--status=runn"], "--status=running\n"),
        (["jobs", "--backend", "="], "kubernetes\nlocal\n"),
        (["config", "backend", "=", "lo"], "local\n"),
        (["config", "backend=lo"], "backend=local\n"),
        (["config", "backen"], "backend=\n"),
        (["logs", "--fol"], "--follow\n"),
        ([], "help\n" + "".join(f"{name}\n" for name in VERBS)),
    ],
)
def test_what_is_offered_stands_in_the_place_of_the_shells_word(
    words: list[str], offered: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert completion.offer(words) == 0
    assert capsys.readouterr().out == offered


@pytest.mark.jobs
@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_completion_scripts(tmp_path: Path, shell: str) -> None:
    script = kube_magics(tmp_path, "completion", shell).stdout
    assert "complete -o filenames -F _kube_magics kube-magics" in script
    if shell == "bash":
        (tmp_path / "kube-magics").write_text(f'#!/bin/sh\nexec {" ".join(COMMAND)} "$@"\n')
        (tmp_path / "kube-magics").chmod(0o755)
        asked = f'PATH={tmp_path}:$PATH; {script}\nCOMP_WORDS=(kube-magics logs --fol); COMP_CWORD=2; _kube_magics; echo "${{COMPREPLY[@]}}"'
        done = subprocess.run(
            ["bash", "-c", asked], env=environment(tmp_path), capture_output=True, text=True, check=False
        )
        assert done.stdout == "--follow\n", done
