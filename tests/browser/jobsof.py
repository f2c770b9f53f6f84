"""Jobs of this machine that have ended, as their folders are: as many as wanted, with whatever in them, none of them run."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

NOBODY = 2**22 + 1
"""No Linux gives a process such a number."""


def ended(state: Path, name: str, *, log: str = "", age_s: float = 60.0, code: int = 0, **facts: Any) -> Path:
    """One job below the state folder; `facts` as a backend keeps them."""
    home = state / "jobs" / name
    (home / "results").mkdir(parents=True)
    (home / "bundle").mkdir()
    known: dict[str, Any] = {"submission_id": f"id of {name}"[:60], "created_at": time.time() - age_s, "gpus": 0}
    _write(home / "job.json", known | {"pid": NOBODY, "pid_started": "never", "returns": []} | facts)
    _write(home / "end.json", {"e": "end", "code": code, "reason": "completed" if code == 0 else "failed"})
    (home / "log").write_text(log, "utf-8")
    return home


def _write(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content), "utf-8")
