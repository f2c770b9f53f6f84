"""What is told to type, as it is typed where it is read."""

from __future__ import annotations

import pytest

from kube_magics.verbs.door import Door


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ("%kube jobs   (shows the names)", "kube-magics jobs   (shows the names)"),
        ("%kube attach x, or %kube stop x", "kube-magics attach x, or kube-magics stop x"),
        ("run the cell again", "run it again"),
        ("%kube?", "kube-magics help"),
        ("%%kubetrain? shows all options", "kube-magics run -h shows all options"),
        ("%%kubetrain --dry-run prints one", "kube-magics run --dry-run prints one"),
        ("--dry-run, behind %%kubetrain   (what", "--dry-run, behind kube-magics run   (what"),
        ("put %%kubetrain above its cells", "put %%kubetrain above its cells"),
        ("This cell no longer waits for job a", "Nobody here waits any longer for job a"),
        ("--gpus 1", "--gpus 1"),
        ("%kube config queue=   (takes it back)", "unset KUBE_MAGICS_QUEUE   (takes it back)"),
        ("(%kube config run-as=1001)", "(export KUBE_MAGICS_RUN_AS=1001)"),
        ("%kube config context=lab   (once)", "kube-magics config context=lab   (once)"),
        ("%env KUBE_MAGICS_GPUS=1", "export KUBE_MAGICS_GPUS=1"),
        ("%env KUBE_MAGICS_GPUS=   (takes it back)", "unset KUBE_MAGICS_GPUS   (takes it back)"),
        ('import os; os.environ["KUBE_MAGICS_STATE"] = "/a/folder"', 'export KUBE_MAGICS_STATE="/a/folder"'),
        ('import os, getpass; os.environ["KEY"] = getpass.getpass()   (a', "read -rs KEY; export KEY   (a"),
        ("%pip install -U kubernetes", "pip install -U kubernetes"),
    ],
)
def test_sentences(text: str, typed: str) -> None:
    assert Door(prog="kube-magics", lasting=False).typed(text) == typed
    assert Door().typed(text) == text
