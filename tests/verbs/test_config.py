"""What is set is shown also where it leads nowhere: which of it does is what people look for."""

from __future__ import annotations

import pytest

from kube_magics.errors import KubeMagicsError
from kube_magics.jobs import defaults
from kube_magics.jobs.debugging import Debugging
from kube_magics.verbs.call import call
from kube_magics.verbs.door import Door


def test_settings_that_lead_nowhere(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/none")
    monkeypatch.setenv("KUBE_MAGICS_GPUS", "2")
    with pytest.raises(KubeMagicsError, match="names no file"):
        call(["config"], Door(), Debugging())
    assert "environment (KUBE_MAGICS_GPUS)" in capsys.readouterr().out
    with pytest.raises(KubeMagicsError, match="names no file"):
        call(["config", "memory=1Gi"], Door(), Debugging())
    assert capsys.readouterr().out == ""
    assert "memory" not in defaults.configured
