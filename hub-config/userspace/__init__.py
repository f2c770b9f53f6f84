"""A user's own corner of the cluster: the objects of their namespace, and the hooks that make them before each spawn.

`space.py` is the list of all of them; `accounts.py`, `bounds.py`, `network.py` and `storage.py` build them (pure, a
file a topic) from what `settings.py` says of the site; `defaults.py` says what the user's server knows of them, and
`teams.py` who shares one. Only `apply.py` speaks to the cluster. Needs nothing that a hub with KubeSpawner does not
have, and nothing of kube_magics: it runs in the hub's image.
"""
