"""Teams: what the hub is told of them, and their servers. `Team` in settings.py says what one is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tornado.web import HTTPError

from .settings import Site, User


def roles(site: Site) -> list[dict[str, Any]]:
    """For `load_roles`: JupyterHub makes the users and groups that are named here and are not there yet."""
    return [
        {
            "name": team.user,
            "description": f"The server that the group {team.group} works in together",
            "scopes": [f"access:servers!user={team.user}", f"servers!user={team.user}"],
            "groups": [team.group],
            "users": [team.user],
        }
        for team in site.teams
    ]


def refused(site: Site) -> Callable[[Any, Any, dict[str, Any]], dict[str, Any]]:
    """`post_auth_hook`: a person who is called as a team would be the team. Not by `blocked_users`, which takes a
    user's roles away at each start of the hub, and with them what the team's server may ask of it."""

    def after_login(_authenticator: Any, _handler: Any, model: dict[str, Any]) -> dict[str, Any]:
        if site.team_of(model["name"]):
            raise HTTPError(403, f"{model['name']} is a team's server: log in as yourself, and open it from there.")
        return model

    return after_login


def arguments(site: Site, user: User) -> list[str]:
    """Of the server. Off in a person's own, where it would only cost, although their image has the extension too; none
    where there are no teams, whose image need not have it."""
    alone = site.team_of(user.name) is None
    return [f"--YDocExtension.disable_rtc={alone}"] if site.teams else []
