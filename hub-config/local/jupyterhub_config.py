"""What JupyterHub is told on one machine, each value with its reason. `make hub` starts it.

Change it as any JupyterHub's configuration; what `make hub` can be asked for is in `onemachine/options.py`.
"""

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from onemachine import before, hub, options, passwords, people  # noqa: E402 - found by the line above

c = get_config()  # noqa: F821 - JupyterHub's own
asked = options.Options.decode(os.environ[options.VARIABLE])
state = Path(asked.state)
kept = passwords.passwords(state)

# --- where it listens -------------------------------------------------------------------------------------------------
# Only the proxy faces the network; hub, servers and the proxy's own door stay on loopback.
c.JupyterHub.bind_url = asked.bind_url
c.JupyterHub.hub_ip = "127.0.0.1"
# Fixed, not any free one: servers that outlive a killed hub look for the next one here.
c.JupyterHub.hub_port = asked.hub_port
if asked.tls_cert:
    c.JupyterHub.ssl_cert = asked.tls_cert
    c.JupyterHub.ssl_key = asked.tls_key
c.ConfigurableHTTPProxy.command = os.environ[hub.PROXY_VARIABLE].split("\n")
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{asked.proxy_port}"
c.ConfigurableHTTPProxy.pid_file = str(state / before.PROXY_PID)

# --- what it keeps ----------------------------------------------------------------------------------------------------
# All below the one folder of mode 700, not wherever it was started.
c.JupyterHub.db_url = f"sqlite:///{state / 'jupyterhub.sqlite'}"
c.JupyterHub.cookie_secret_file = str(state / "cookie_secret")

# --- who may log in ---------------------------------------------------------------------------------------------------
c.JupyterHub.authenticator_class = options.LOGINS[asked.login]
c.Authenticator.username_pattern = people.PATTERN
c.Authenticator.admin_users = {asked.admin} if asked.admin else set()
if asked.users:
    c.Authenticator.allowed_users = {*asked.users}
elif asked.system_users:
    # Never root, and none of the system's own: a server of theirs could do anything.
    c.Authenticator.allowed_users = people.accounts()
else:
    c.Authenticator.allow_all = True
if asked.login == "password":
    c.SharedPasswordAuthenticator.user_password = kept.user
    c.SharedPasswordAuthenticator.admin_password = kept.admin if asked.admin else None
else:
    # A PAM session needs what containers lack, and would end with the hub, not with the server.
    c.PAMAuthenticator.open_sessions = False

# --- a server per user ------------------------------------------------------------------------------------------------
if asked.system_users:
    c.JupyterHub.spawner_class = "jupyterhub.spawner.LocalProcessSpawner"
else:
    # One account for all: their folders are apart, but who wants to can look into the others' (README.md).
    c.JupyterHub.spawner_class = "jupyterhub.spawner.SimpleLocalProcessSpawner"
    c.SimpleLocalProcessSpawner.home_dir_template = people.homes(state)
c.Spawner.cmd = [sys.executable, str(HERE / "user_server.py")]
c.Spawner.default_url = "/lab"
c.Spawner.environment = {
    # No cluster is asked for, also where the machine has a kubeconfig: it would be everybody's.
    "KUBE_MAGICS_BACKEND": "local",
    # Their kernel has kube_magics loaded, so %%kubetrain works in the first cell; and no news pop up.
    "JUPYTER_PATH": str(HERE / "jupyter"),
    "JUPYTER_CONFIG_PATH": str(HERE / "jupyter"),
}
c.Spawner.args = [
    # A kernel's sockets are on loopback, where every account of the machine could read what cells print.
    "--KernelManager.transport_encryption=auto",
    # JupyterLab refuses root unless told; who runs the hub as root without --system-users has chosen it.
    *(["--allow-root"] if os.geteuid() == 0 and not asked.system_users else []),
]
# Twenty people who log in at once on two cores wait a minute and more for the last server, and the defaults (60 s and
# 30 s) would stop what is about to be ready.
c.Spawner.start_timeout = 300
c.Spawner.http_timeout = 300

# --- what ends by itself ----------------------------------------------------------------------------------------------
if asked.cull_after_s:
    # The hub hears of what people do every five minutes (the defaults): where less time counts as idle, it would stop
    # the servers of people who work.
    heard_every_s = max(1, min(300, asked.cull_after_s // 4))
    c.JupyterHub.last_activity_interval = heard_every_s
    c.Spawner.environment["JUPYTERHUB_ACTIVITY_INTERVAL"] = str(heard_every_s)
    c.JupyterHub.services = [
        {
            "name": "idle-culler",
            "command": [sys.executable, "-m", "jupyterhub_idle_culler", f"--timeout={asked.cull_after_s}"],
            # Left by a hub that was killed, it is known by this.
            "environment": {options.VARIABLE: asked.encode()},
        }
    ]
    c.JupyterHub.load_roles = [
        {
            "name": "idle-culler",
            # To see who is idle and to stop their server: nothing else.
            "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
            "services": ["idle-culler"],
        }
    ]
