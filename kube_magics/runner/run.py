"""A bundle from its folder to its end event."""

from __future__ import annotations

import os
import sys

from . import launch, quickjson, signals


def main(folder: str) -> int:
    """Run the bundle in `folder` to its end; the exit code."""
    signals.hold()
    folder = os.path.abspath(folder)
    spec = quickjson.read_file(os.path.join(folder, "spec.json"))
    if os.getpid() != 1:
        launch.adopt_orphans()
    launcher = launch.Launcher(folder, spec)
    if spec.get("guarded"):
        from . import guard

        launcher.guard = guard.watch(launcher.mark)
    before = spec.get("before")
    child = launcher.step(before[0]) if before else launcher.program()
    # Nobody else imports what follows, and on a disk that the program fills its bytecode would take the last room.
    sys.dont_write_bytecode = True
    # Only now: the user's interpreter starts while these are imported.
    from .supervisor import Supervisor

    return Supervisor(folder, spec, launcher, child).run()
