"""KubeSpawner's hooks: before the claim and the pod the namespace that they are made in, and what differs by user."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from . import defaults, teams
from .accounts import namespace
from .apply import apply, found
from .errors import SpaceError
from .settings import Site, User
from .space import objects


def prepare(site: Site) -> Callable[[Any], Awaitable[None]]:
    """`pre_spawn_hook`; raises SpaceError, whose message JupyterHub shows."""

    async def before_spawn(spawner: Any) -> None:
        _check(spawner)
        api, user = spawner.api.api_client, user_of(site, spawner)
        made = objects(site, user, await found(api, site))
        await apply(api, made)
        # KubeSpawner asks for the namespace again: as it is, since the hub is held to such (rbac/bounds.yaml).
        meta = namespace(site, user)["metadata"]
        spawner.user_namespace_labels, spawner.user_namespace_annotations = meta["labels"], meta["annotations"]
        spawner.log.info("Namespace %s is ready: %d objects", spawner.namespace, len(made))

    return before_spawn


def complete(site: Site) -> Callable[[Any, Any], Any]:
    """`modify_pod_hook`: the shares of this user, and whether several edit their notebooks at once."""

    def before_create(spawner: Any, pod: Any) -> Any:
        user, main = user_of(site, spawner), pod.spec.containers[0]
        for volume, place in defaults.volumes(site, user):
            pod.spec.volumes = [*(pod.spec.volumes or []), volume]
            main.volume_mounts = [*(main.volume_mounts or []), place]
        main.args = [*(main.args or []), *teams.arguments(site, user)]
        return pod

    return before_create


def environment(site: Site) -> dict[str, Callable[[Any], str]]:
    """`environment`: each variable is worked out at the spawn, from the groups that the user then has."""

    def of(name: str) -> Callable[[Any], str]:
        return lambda spawner: defaults.variables(site, user_of(site, spawner))[name]

    return {name: of(name) for name in defaults.names(site)}


def _check(spawner: Any) -> None:
    """Raises SpaceError: what the page does not offer can be asked for all the same, as by a bookmark."""
    wanted = (spawner.user_options or {}).get("profile")
    offered = [each["slug"] for each in spawner.profile_list(spawner)]
    if wanted and wanted not in offered:
        raise SpaceError(f"There is no server {wanted} in your quota, which has room for: {', '.join(offered)}.")


def user_of(site: Site, spawner: Any) -> User:
    """Whose server it is; a team is of its own group, since nobody logs in as it and brings groups along."""
    name, team = spawner.user.name, site.team_of(spawner.user.name)
    groups = {team.group} if team else {group.name for group in spawner.user.groups}
    return User(name, spawner.namespace, frozenset(groups))
