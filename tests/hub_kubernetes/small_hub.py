"""hub-config/jupyterhub_config.py on a machine of its own: where hub, proxy and database are, which a chart says elsewhere,
and servers that fit on a small node."""

import os
import shlex
import sys
from dataclasses import replace
from pathlib import Path

c = get_config()  # noqa: F821, JupyterHub's own
load_subconfig(os.environ["TEST_CONFIG"])  # noqa: F821, the same

import profiles  # noqa: E402, found by the line above
from userspace.settings import Quota  # noqa: E402, the same

public, private, proxy = os.environ["TEST_PORTS"].split()
c.JupyterHub.bind_url = f"http://127.0.0.1:{public}"
c.JupyterHub.hub_bind_url = f"http://{os.environ['TEST_ADDRESS']}:{private}"
c.JupyterHub.db_url = "sqlite:///hub.sqlite"
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{proxy}"
c.ConfigurableHTTPProxy.command = [sys.executable, str(Path(sys.executable).with_name("configurable-http-proxy"))]
small = replace(profiles.PROFILES[0], cpus="50m", memory="1G")
profiles.PROFILES = (small, *profiles.PROFILES[1:], replace(small, slug="nowhere", product="none-such"))
profiles.GROUP_QUOTAS["no-gpus"] = Quota(gpus=0)
if "TEST_START_TIMEOUT" in os.environ:
    c.KubeSpawner.start_timeout = int(os.environ["TEST_START_TIMEOUT"])
if "TEST_CULLER" in os.environ:
    # As the chart has it, started by the test.
    scopes = ["list:users", "read:users:activity", "read:servers", "delete:servers"]
    c.JupyterHub.services = [{"name": "idle-culler", "api_token": os.environ["TEST_CULLER"]}]
    c.JupyterHub.load_roles.append({"name": "idle-culler", "scopes": scopes, "services": ["idle-culler"]})
if "TEST_SUBDOMAIN_HOST" in os.environ:
    c.JupyterHub.subdomain_host = os.environ["TEST_SUBDOMAIN_HOST"]
    # The one in Python does not tell names apart.
    c.ConfigurableHTTPProxy.command = shlex.split(os.environ["TEST_PROXY"])
