"""The device plugin, a process of its own: it gives the kubelet eight ``nvidia.com/gpu``.

Allocate does what NVIDIA's plugin and container toolkit do together: it names the devices in ``NVIDIA_VISIBLE_DEVICES``
and puts the management library where the loader finds it. Protocol: k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc

from . import numbers
from .stub import SONAME

RESOURCE = "nvidia.com/gpu"
_ENDPOINT = "kube-magics-test-gpu.sock"
_NUMBERS_IN_POD = "/run/kube-magics-nvml"
# Debian's loader searches here without asking its cache, so no ldconfig has to run in the pod.
_LIBRARY_IN_POD = f"/usr/lib/{platform.machine()}-linux-gnu/{SONAME}"
_POLL_S = 0.2

messages, services = grpc.protos_and_services("tests/cluster/gpu/deviceplugin.proto")


class Plugin(services.DevicePluginServicer):  # type: ignore[misc, name-defined]
    # Names and parameters are gRPC's.
    # ruff: noqa: N802

    def __init__(self, library: Path, numbers_file: Path) -> None:
        self._library = library
        self._numbers_file = numbers_file

    def GetDevicePluginOptions(self, request: Any, context: grpc.ServicerContext) -> Any:
        return messages.DevicePluginOptions()

    def ListAndWatch(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        """The devices now, and again whenever one appears, goes or changes its health."""
        told = None
        while context.is_active():
            now = self._health()
            if now != told:
                told = now
                devices = [messages.Device(ID=device, health=health) for device, health in now.items()]
                yield messages.ListAndWatchResponse(devices=devices)
            time.sleep(_POLL_S)

    def Allocate(self, request: Any, context: grpc.ServicerContext) -> Any:
        return messages.AllocateResponse(
            container_responses=[self._allocate(list(item.devices_ids)) for item in request.container_requests]
        )

    def _allocate(self, devices: list[str]) -> Any:
        return messages.ContainerAllocateResponse(
            envs={"NVIDIA_VISIBLE_DEVICES": ",".join(devices)},
            mounts=[
                messages.Mount(container_path=_LIBRARY_IN_POD, host_path=str(self._library), read_only=True),
                messages.Mount(
                    container_path=_NUMBERS_IN_POD, host_path=str(self._numbers_file.parent), read_only=True
                ),
            ],
        )

    def _health(self) -> dict[str, str]:
        devices = numbers.offered(numbers.read(self._numbers_file).devices)
        return {device.uuid: "Healthy" if device.healthy else "Unhealthy" for device in devices}


def serve(plugin: Plugin, folder: Path) -> grpc.Server:
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
    services.add_DevicePluginServicer_to_server(plugin, server)
    (folder / _ENDPOINT).unlink(missing_ok=True)
    server.add_insecure_port(f"unix://{folder / _ENDPOINT}")
    server.start()
    return server


def register(folder: Path) -> bool:
    """Tell the kubelet; False if it is not listening yet."""
    with grpc.insecure_channel(f"unix://{folder / 'kubelet.sock'}") as channel:
        request = messages.RegisterRequest(version="v1beta1", endpoint=_ENDPOINT, resource_name=RESOURCE)
        try:
            services.RegistrationStub(channel).Register(request, timeout=5)
        except grpc.RpcError as error:
            print(f"not registered: {error.code()}: {error.details()}", flush=True)
            return False
    print("registered", flush=True)
    return True


def run(library: Path, numbers_file: Path, folder: Path) -> None:
    """Serve and stay registered: a kubelet that starts makes its socket anew and deletes ours."""
    plugin = Plugin(library, numbers_file)
    server: grpc.Server | None = None
    registered_with: tuple[int, int] | None = None
    while True:
        kubelet = _identity(folder / "kubelet.sock")
        ours_is_there = (folder / _ENDPOINT).exists()
        if kubelet and (kubelet != registered_with or not ours_is_there):
            if server and not ours_is_there:
                server.stop(grace=0).wait()
                server = None
            server = server or serve(plugin, folder)
            registered_with = kubelet if register(folder) else None
        time.sleep(_POLL_S)


def _identity(socket: Path) -> tuple[int, int] | None:
    try:
        status = socket.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_ctime_ns


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--library", type=Path, required=True)
    parser.add_argument("--numbers", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    arguments = parser.parse_args()
    run(arguments.library, arguments.numbers, arguments.folder)


if __name__ == "__main__":
    main()
