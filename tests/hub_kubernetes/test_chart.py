"""hub-config/values.yaml in the real chart, Zero to JupyterHub, which KUBE_MAGICS_Z2JH_CHART names as a folder."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster import Cluster, Namespace
from tests.cluster.paths import CHECKOUT

VARIABLE = "KUBE_MAGICS_Z2JH_CHART"
CHART = Path(os.environ.get(VARIABLE, ""))
VALUES = CHECKOUT / "hub-config" / "values.yaml"
pytestmark = pytest.mark.skipif(VARIABLE not in os.environ, reason=f"{VARIABLE} names no folder of the chart")


def joined(defaults: dict[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
    """As helm does it: by key, lists as a whole."""
    for key, value in ours.items():
        both = isinstance(value, Mapping) and isinstance(defaults.get(key), dict)
        defaults[key] = joined(defaults[key], value) if both else value
    return defaults


def test_the_chart_knows_every_value() -> None:
    """Its schema refuses unknown keys."""
    import jsonschema

    values = joined(yaml.safe_load((CHART / "values.yaml").read_text()), yaml.safe_load(VALUES.read_text()))
    schema = yaml.safe_load((CHART / "values.schema.yaml").read_text())
    wrong = jsonschema.Draft7Validator(schema).iter_errors(values)
    assert [(list(each.path), each.message) for each in wrong] == []


@pytest.mark.cluster
def test_what_it_renders_is_accepted_and_has_no_roles_of_its_own(cluster: Cluster, namespace: Namespace) -> None:
    helm = shutil.which("helm")
    if helm is None:
        pytest.skip("no helm on this machine")
    command = [helm, "template", "jupyterhub", str(CHART), f"--namespace={namespace.name}", f"--values={VALUES}"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    parts = [each for each in yaml.safe_load_all(text) if each]
    kinds = {each["kind"] for each in parts}
    assert "Deployment" in kinds
    assert not kinds & {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "DaemonSet"}
    cluster.kubectl("apply", "--dry-run=server", f"--namespace={namespace.name}", "--filename=-", input=text)
    [hub] = [each for each in parts if (each["kind"], each["metadata"]["name"]) == ("Deployment", "hub")]
    spec = hub["spec"]["template"]["spec"]
    mounts = {each["mountPath"] for each in spec["containers"][0]["volumeMounts"]}
    assert spec["serviceAccountName"] == "hub"
    assert {"/srv/kube-magics/config", "/srv/kube-magics/lib/userspace"} <= mounts
