"""A user's own corner of the cluster: the objects of their namespace, and the hooks that make them before each spawn.

`space.py` is the list of all of them; `accounts.py`, `bounds.py`, `network.py` and `storage.py` build them (pure, a
file a topic) from what `settings.py` says of the site; `defaults.py` says what the user's server knows of them, and
`teams.py` who shares one. Only `apply.py` speaks to the cluster, and KubeSpawner, of which `spawner.py` is one.
`login.py` and `spawner.py` tell in words (`errors.py`) what is away and what is refused. Needs nothing that a hub with
KubeSpawner and oauthenticator does not have, and nothing of kube_magics: it runs in the hub's image.
"""
