"""JupyterHub on Kubernetes, each user with a namespace of their own: each value with its reason.

What a site edits is in profiles.py; what differs from one installation to the next comes from the environment (HUB_…,
and OAUTH…, which oauthenticator reads itself), so that these files can be replaced by newer ones. With Zero to
JupyterHub it is loaded after the chart's own configuration (values.yaml), which says where hub, proxy and database are.
"""

from __future__ import annotations

import os
import sys
from ipaddress import ip_network
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import profiles
from userspace import hook, teams
from userspace.settings import NAMESPACE_TEMPLATE, NOTEBOOK_ACCOUNT, Site

c = get_config()  # noqa: F821, JupyterHub's own


def given(name: str, default: str = "") -> str:
    """An environment variable of this hub."""
    return os.environ.get(f"HUB_{name}", default)


def listed(name: str) -> tuple[str, ...]:
    """The same of several, commas between."""
    return tuple(part.strip() for part in given(name).split(",") if part.strip())


# ---- The site ----
site = Site(
    hub_namespace=given("NAMESPACE") or os.environ.get("POD_NAMESPACE") or "jupyterhub",
    user_role=given("USER_ROLE", "kube-magics-user"),
    gpu_resource=given("GPU_RESOURCE", "nvidia.com/gpu"),
    quota=profiles.QUOTA,
    group_quotas=profiles.GROUP_QUOTAS,
    shares=profiles.SHARES,
    teams=profiles.TEAMS,
    internet=tuple(ip_network(each) for each in listed("INTERNET")) if "HUB_INTERNET" in os.environ else Site.internet,
    reachable=tuple(ip_network(each) for each in listed("REACHABLE")),
    cluster_queue=given("CLUSTER_QUEUE") or None,
    pull_secret=given("PULL_SECRET") or None,
    server_priority=given("SERVER_PRIORITY", "kube-magics-server") or None,
    job_priority=given("JOB_PRIORITY", "kube-magics-batch") or None,
    job_image=given("JOB_IMAGE") or None,
    allowed_images=listed("ALLOWED_IMAGES"),
    job_selector=listed("JOB_SELECTOR"),
    job_tolerations=listed("JOB_TOLERATIONS"),
    contact=given("CONTACT") or None,
)

# ---- The hub ----
c.JupyterHub.spawner_class = "userspace.spawner.PatientSpawner"
# Users work on while the hub is restarted or upgraded; servers and jobs are pods of their own.
c.JupyterHub.cleanup_servers = False
# One namespace and one quota a user: a second server would share them, and the priority of a server is given once.
c.JupyterHub.allow_named_servers = False
if given("CONNECT_URL"):
    # Whole: a server in another namespace does not find a hub that is called by the service's name alone.
    c.JupyterHub.hub_connect_url = given("CONNECT_URL")
# A proxy that has been started again sends everybody to the hub until the hub looks what it knows: by the chart every
# minute, by JupyterHub itself every five.
c.JupyterHub.last_activity_interval = 10
# A hub that went while a server started finds it again.
c.JupyterHub.init_spawners_timeout = 30
# The chart's default ends the hub after five starts that failed one after the other: anybody's, on purpose or not.
c.Spawner.consecutive_failure_limit = 0

# ---- Login ----
if given("LOGIN", "oidc") == "oidc":
    c.JupyterHub.authenticator_class = "userspace.login.PatientLogin"
    # The URLs and the client: OAUTH2_AUTHORIZE_URL, OAUTH2_TOKEN_URL, OAUTH2_USERDATA_URL, OAUTH_CALLBACK_URL,
    # OAUTH_CLIENT_ID, OAUTH_CLIENT_SECRET. Not found out at start: a hub must start while its provider is away.
    c.GenericOAuthenticator.scope = list(listed("OIDC_SCOPES") or ("openid", "profile", "email", "groups"))
    c.GenericOAuthenticator.username_claim = given("OIDC_USERNAME_CLAIM", "preferred_username")
    c.GenericOAuthenticator.login_service = given("LOGIN_SERVICE", "your organisation")
    # Groups come with the login, and say who may in, who is an administrator, and how many GPUs somebody has.
    c.GenericOAuthenticator.manage_groups = True
    c.GenericOAuthenticator.auth_state_groups_key = f"oauth_user.{given('OIDC_GROUPS_CLAIM', 'groups')}"
    c.GenericOAuthenticator.allowed_groups = set(listed("ALLOWED_GROUPS"))
    c.GenericOAuthenticator.admin_groups = set(listed("ADMIN_GROUPS"))
elif given("LOGIN") == "shared-password":
    # For trials: whoever knows the password is whoever they say.
    c.JupyterHub.authenticator_class = "shared-password"
    c.SharedPasswordAuthenticator.user_password = given("USER_PASSWORD")
    c.SharedPasswordAuthenticator.admin_password = given("ADMIN_PASSWORD")
    c.Authenticator.admin_users = set(listed("ADMINS"))
    c.Authenticator.allow_all = True
else:
    raise SystemExit(f"HUB_LOGIN={given('LOGIN')}: it is oidc or shared-password")

# ---- Teams: several people in one server ----
# Added to those that are there: the chart has one for its culler.
c.JupyterHub.load_roles.extend(teams.roles(site))
c.Authenticator.post_auth_hook = teams.refused(site)

# ---- A namespace for each user ----
c.KubeSpawner.enable_user_namespaces = True
c.KubeSpawner.user_namespace_template = NAMESPACE_TEMPLATE
c.KubeSpawner.pre_spawn_hook = hook.prepare(site)
c.KubeSpawner.modify_pod_hook = hook.complete(site)
c.KubeSpawner.environment = hook.environment(site)
# Names of before KubeSpawner 7: looking for their claims needs a right more.
c.KubeSpawner.handle_legacy_names = False
c.KubeSpawner.remember_pvc_name = False

# ---- The server's pod ----
c.KubeSpawner.image = given("SERVER_IMAGE", "ghcr.io/example/kube-magics-server:set-HUB_SERVER_IMAGE")
c.KubeSpawner.image_pull_policy = "IfNotPresent"
c.KubeSpawner.image_pull_secrets = [site.pull_secret] if site.pull_secret else []
# By its module: an image may have Python's scripts wherever it likes.
c.KubeSpawner.cmd = ["python3", "-m", "jupyterhub.singleuser"]
c.Spawner.default_url = "/lab"
# With its token, which kube_magics in the server speaks to the cluster by. Without this line there is none.
c.KubeSpawner.service_account = NOTEBOOK_ACCOUNT
# What Pod Security `restricted` asks for. 1000 and 100 are Jupyter's own images' user and group, and those of the jobs:
# files in a shared folder belong to the same.
c.KubeSpawner.uid = 1000
c.KubeSpawner.gid = 100
c.KubeSpawner.fs_gid = 100
c.KubeSpawner.allow_privilege_escalation = False
c.KubeSpawner.container_security_context = {
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}
# Who sits at a notebook is not moved to another node: nothing would start the pod again there. Idle ones are culled.
c.KubeSpawner.extra_annotations = {
    "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
    "karpenter.sh/do-not-disrupt": "true",
}
# Without it a namespace with many services fills the environment.
c.KubeSpawner.extra_pod_config = {"enableServiceLinks": False}
if site.server_priority:
    # Above the jobs': a full cluster pushes out a batch job, never a notebook.
    c.KubeSpawner.priority_class_name = site.server_priority
# A node may have to be added first.
c.KubeSpawner.start_timeout = 600
c.KubeSpawner.http_timeout = 120


def of_user(spawner):
    """The profiles that fit into the user's quota."""
    return profiles.profile_list(site.gpu_resource, site.quota_of(hook.user_of(site, spawner).groups))


c.KubeSpawner.profile_list = of_user

# ---- The home ----
HOME = "/home/jovyan"
c.KubeSpawner.working_dir = HOME
c.KubeSpawner.storage_pvc_ensure = given("HOME_SIZE", "10Gi") != "none"
c.KubeSpawner.pvc_name_template = "home"
# A user who is removed by mistake comes back to their files.
c.KubeSpawner.delete_pvc = False
c.KubeSpawner.storage_access_modes = ["ReadWriteOnce"]
if given("STORAGE_CLASS"):
    c.KubeSpawner.storage_class = given("STORAGE_CLASS")
if c.KubeSpawner.storage_pvc_ensure:
    c.KubeSpawner.storage_capacity = given("HOME_SIZE", "10Gi")
    c.KubeSpawner.volumes = [{"name": "home", "persistentVolumeClaim": {"claimName": "home"}}]
else:
    # A trial: files are gone with the pod.
    c.KubeSpawner.volumes = [{"name": "home", "emptyDir": {}}]
c.KubeSpawner.volume_mounts = [{"name": "home", "mountPath": HOME}]
c.KubeSpawner.environment["HOME"] = HOME
