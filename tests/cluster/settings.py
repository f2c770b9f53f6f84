"""What differs from one start to the next: address and ports. Written once, read by every later command."""

from __future__ import annotations

import dataclasses
import json
import socket
from dataclasses import dataclass
from pathlib import Path

from .paths import SETTINGS

# Below the range that outgoing connections take their ports from (32768 up), so a port found free stays free.
_FIRST_PORT = 21000
_LAST_PORT = 32000


@dataclass(frozen=True)
class Settings:
    address: str
    """The node's IP address, for example ``192.0.2.2``: pods reach the API server there, so never loopback."""
    api: int
    etcd: int
    etcd_peer: int
    kubelet: int
    kubelet_health: int
    controller_manager: int
    scheduler: int
    proxy_health: int
    proxy_metrics: int
    cni_folder: str
    """Where the machine has its CNI plugins, for example ``/usr/lib/cni``."""

    @property
    def server(self) -> str:
        return f"https://127.0.0.1:{self.api}"


_PORTS = [field.name for field in dataclasses.fields(Settings) if field.type == "int"]


def choose(cni_folder: Path) -> Settings:
    """Ports in one row, all free now; the address from which this machine would speak to the outside."""
    for base in range(_FIRST_PORT, _LAST_PORT, 20):
        if all(_is_free(base + offset) for offset in range(len(_PORTS))):
            ports = {name: base + offset for offset, name in enumerate(_PORTS)}
            return Settings(address=own_address(), cni_folder=str(cni_folder), **ports)
    raise RuntimeError(f"no {len(_PORTS)} free ports in a row between {_FIRST_PORT} and {_LAST_PORT}")


def own_address() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        # A UDP connect sends nothing: it only makes the kernel choose a route.
        try:
            probe.connect(("192.0.2.254", 9))
        except OSError as error:
            raise RuntimeError("this machine has no address but loopback, which pods cannot reach") from error
        return str(probe.getsockname()[0])


def write(settings: Settings) -> None:
    SETTINGS.parent.mkdir(parents=True, exist_ok=True)
    SETTINGS.write_text(json.dumps(dataclasses.asdict(settings), indent=2) + "\n")


def read() -> Settings:
    return Settings(**json.loads(SETTINGS.read_text()))


def answers(port: int) -> bool:
    """Whether something on this machine listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))
        except OSError:
            return False
    return True
