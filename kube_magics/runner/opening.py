"""The first words of a job, before anything that its program writes: who runs, where, and on which devices."""

from __future__ import annotations

import os
import time

from . import protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .gpus import Gpus
    from .launch import Child
    from .messages import Messages
    from .pump import Pump


class Opening:
    """The start event of one job."""

    def __init__(self, pump: Pump, messages: Messages, with_gpus: bool) -> None:
        self.said = False
        self.gpus: Gpus | None = None
        """What finds the devices, once it has been started."""
        self._pump = pump
        self._messages = messages
        self._devices_open = with_gpus

    def start(self, pid: int, now: float) -> None:
        """With what the process `pid` has said of itself, if it has."""
        self.said = True
        hello = self._messages.hello or {}
        event = {
            "e": "start",
            "v": protocol.VERSION,
            "python": hello.get("python"),
            "host": os.uname().nodename,
            "pid": pid,
            "devices": (self.gpus.devices if self.gpus else None) or [],
            "versions": hello.get("versions") or {},
        }
        self._pump.event(event, now)

    def stage(self, name: str, now: float) -> None:
        self._pump.event({"e": "stage", "name": name, "t": time.time()}, now)

    def devices(self, child: Child, now: float) -> None:
        """Finding devices may take the driver many seconds: the start event is repeated with them."""
        found = self.gpus.devices if self.gpus else []
        if not self._devices_open or found is None:
            return
        self._devices_open = False
        if found:
            self.start(child.pid, now)
