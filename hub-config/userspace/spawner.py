"""KubeSpawner, with a sentence for each way in which a start fails, and patience with an API server that is away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from typing import Any

from aiohttp import ClientError
from kubernetes_asyncio.client import ApiException
from kubespawner import KubeSpawner
from kubespawner.reflector import ResourceReflector
from kubespawner.spawner import EventReflector, PodReflector

from .apply import WAIT_S, passing, said
from .errors import SpaceError

_SOONER_S = 5
"""Before JupyterHub's own start_timeout, after which it says no more than that there was no server."""
_COUNTED_S = 20.0
"""How long a quota may count a server that has gone."""


class PatientSpawner(KubeSpawner):
    """Configured as `KubeSpawner`."""

    def start(self) -> Awaitable[str]:
        return self._starting()

    async def _starting(self) -> str:
        """Raises SpaceError."""
        try:
            await self._remove_stray()
            return await asyncio.wait_for(self._created(), max(self.start_timeout - _SOONER_S, 1))
        except (ApiException, ClientError) as error:
            raise SpaceError(refused(error), 503 if passing(error) else 403) from error
        except TimeoutError as error:
            what = str(error) or f"it did not run after {self.start_timeout - _SOONER_S} s"
            raise SpaceError(f"Your server could not be started: {what}. {warned(self.events)}", 503) from error

    async def _created(self) -> str:
        """Where the last server has just gone, as soon as the quota has heard of it: it allows one."""
        until = time.monotonic() + _COUNTED_S
        while True:
            try:
                url: str = await super().start()
                return url
            except ApiException as error:
                if "exceeded quota: priority-server" not in said(error) or time.monotonic() > until:
                    raise
            await asyncio.sleep(WAIT_S)

    async def _remove_stray(self) -> None:
        """A server that this hub does not know of, as one has that has lost its database.

        KubeSpawner replaces it where its name is in the way. Here the quota is asked first, and it allows one server.
        """
        await self._start_watching_pods()
        if f"{self.namespace}/{self.pod_name}" in self.pod_reflector.pods:
            self.log.warning("A server of %s runs that this hub does not know of: it is replaced", self.user.name)
            await self.stop(now=True)

    async def _start_reflector(
        self, kind: str, reflector_class: type[ResourceReflector], replace: bool = False, **kwargs: Any
    ) -> ResourceReflector:
        return await super()._start_reflector(kind, _PATIENT[reflector_class], replace, **kwargs)


def refused(error: Exception) -> str:
    """What is told of a pod that the API server does not take."""
    words = said(error)
    if "exceeded quota" in words:
        return (
            "Your server does not fit into your quota, which your jobs share: choose a smaller server, and see there "
            f"what your jobs hold (%kube jobs). The cluster says: {words}"
        )
    return f"Your server could not be started: {words}"


def warned(events: list[dict[str, Any]]) -> str:
    """What the cluster has said of a pod that does not run: an image, a volume, no node."""
    warnings = [each["message"] for each in events if each["type"] == "Warning"]
    # "Error: ErrImagePull" and the like follow the event that says why.
    telling = [each for each in warnings if not each.startswith("Error: ")] or warnings
    return f"The cluster says: {telling[-1]}" if telling else "The cluster says nothing of it."


class _Patient(ResourceReflector):
    """KubeSpawner ends the whole hub when its watch has failed for 50 s, and at once when its first list fails.

    Whoever has a server would have to wait for the hub too. Here it asks on; only a refusal (a missing right) ends it.
    """

    async def start(self) -> None:
        while True:
            try:
                await self._list_and_update()
                break
            except (ApiException, ClientError, TimeoutError) as error:
                if not passing(error):
                    raise
                self.log.warning("The API server is away: %s", said(error))
            await asyncio.sleep(WAIT_S)
        self.watch_task = asyncio.create_task(self._watch_and_update())

    async def _watch_and_update(self) -> None:
        self.on_failure = None
        while not self._stopping:
            await super()._watch_and_update()


class _Pods(_Patient, PodReflector):
    pass


class _Events(_Patient, EventReflector):
    pass


_PATIENT: dict[type[ResourceReflector], type[ResourceReflector]] = {PodReflector: _Pods, EventReflector: _Events}
