"""Login by OpenID Connect, with a sentence where the provider is away. Who is logged in stays so meanwhile."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from oauthenticator.generic import GenericOAuthenticator
from oauthenticator.oauth2 import OAuthLoginHandler
from tornado.httpclient import HTTPClientError

from .errors import ProviderAway

_PATIENCE_S = 10.0
_AWAY = (502, 503, 504, 599)
"""A gateway that has lost it; 599 is Tornado's, for no answer at all."""


class _Asking(OAuthLoginHandler):
    """Before the browser is sent away: it would show an error of its own, and the hub none."""

    async def get(self) -> None:
        await self.authenticator.ask()
        super().get()


class PatientLogin(GenericOAuthenticator):
    """Configured as `GenericOAuthenticator`."""

    login_handler = _Asking

    async def ask(self) -> None:
        """Whether the provider is there. Raises ProviderAway.

        At the address that the hub needs: browsers may reach the page of the login by another way.
        """
        times = {"connect_timeout": _PATIENCE_S, "request_timeout": _PATIENCE_S}
        checks = {"validate_cert": self.validate_server_cert}
        answer = await self.httpfetch(self.token_url, "asking", parse_json=False, raise_error=False, **times, **checks)
        if answer.code in _AWAY:
            raise self._away()

    async def httpfetch(self, url: str, *args: Any, **kwargs: Any) -> Any:
        """Raises ProviderAway."""
        try:
            return await super().httpfetch(url, *args, **kwargs)
        except (OSError, HTTPClientError) as error:
            if isinstance(error, HTTPClientError) and error.code not in _AWAY:
                raise
            raise self._away() from error

    def _away(self) -> ProviderAway:
        host = urlsplit(self.token_url).hostname
        return ProviderAway(
            f"The login of {self.login_service} ({host}) does not answer, so nobody can log in now. Who is logged in "
            "works on, and servers and jobs run. Try again in a minute.",
            503,
        )
