"""What keeps somebody from their server or from logging in, in words that the hub's page shows."""

from __future__ import annotations

from http.client import responses

from tornado.web import HTTPError


class Told(HTTPError):
    """An HTTPError: of any other exception JupyterHub's page says "Unhandled error" and not a word more."""

    def __init__(self, message: str, status: int = 403) -> None:
        super().__init__(status, "%s", message, reason=responses[status])
        self.jupyterhub_message = message
        """What JupyterHub shows the user."""

    def __str__(self) -> str:
        return self.jupyterhub_message


class SpaceError(Told):
    """The user's namespace could not be made ready, or their server not be started in it."""


class ProviderAway(Told):
    """Who knows the users does not answer."""
