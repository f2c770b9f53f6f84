"""kubectl with a kubeconfig, as a function."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Kubectl:
    program: Path
    kubeconfig: Path

    def __call__(
        self,
        *args: str,
        input: str | None = None,  # noqa: A002, subprocess.run's name for it
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run it; with ``check``, a failure is an error that holds what kubectl said."""
        command = [str(self.program), *args]
        environment = os.environ | {"KUBECONFIG": str(self.kubeconfig)}
        done = subprocess.run(command, env=environment, input=input, capture_output=True, text=True, check=False)
        if check and done.returncode:
            raise RuntimeError(f"kubectl {' '.join(args)} failed ({done.returncode}):\n{done.stdout}{done.stderr}")
        return done

    def get(self, *args: str) -> Any:
        """The object or list, as JSON read."""
        return json.loads(self("get", *args, "--output=json").stdout)

    def apply(self, *manifests: Mapping[str, Any]) -> None:
        content = {"apiVersion": "v1", "kind": "List", "items": list(manifests)}
        self("apply", "--server-side", "--filename=-", input=json.dumps(content))
