"""hub-config/jupyterhub_config.py on a machine of its own: where hub, proxy and database are, which a chart says elsewhere,
and servers that fit on a small node."""

import os
import sys
from dataclasses import replace
from pathlib import Path

c = get_config()  # noqa: F821, JupyterHub's own
load_subconfig(os.environ["TEST_CONFIG"])  # noqa: F821, the same

import profiles  # noqa: E402, found by the line above

public, private, proxy = os.environ["TEST_PORTS"].split()
c.JupyterHub.bind_url = f"http://127.0.0.1:{public}"
c.JupyterHub.hub_bind_url = f"http://{os.environ['TEST_ADDRESS']}:{private}"
c.JupyterHub.db_url = "sqlite:///hub.sqlite"
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{proxy}"
c.ConfigurableHTTPProxy.command = [sys.executable, str(Path(sys.executable).with_name("configurable-http-proxy"))]
profiles.PROFILES = (replace(profiles.PROFILES[0], cpus="50m", memory="1G"), *profiles.PROFILES[1:])
