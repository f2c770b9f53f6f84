"""What the cluster changes on the machine outside its own folders: noted before the start, put back after the end.

kube-proxy, the kubelet and the CNI plugins write to the machine's one network stack and to fixed folders. What was
there before, and whatever others add meanwhile under other names, stays.
"""

from __future__ import annotations

import contextlib
import json
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

from .packages import search_path
from .paths import BEFORE, BRIDGE, CONTAINERD_ROOT, DEVICE_PLUGINS, NETWORK, STATE

# The kubelet, kube-proxy and the bridge plugin write these.
_SYSCTLS = (
    "kernel/keys/root_maxbytes",
    "kernel/keys/root_maxkeys",
    "kernel/panic",
    "kernel/panic_on_oops",
    "net/ipv4/ip_forward",
    "net/ipv4/vs/conn_reuse_mode",
    "net/netfilter/nf_conntrack_tcp_be_liberal",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
)
# Folders whose place is fixed by somebody's source code.
_FOLDERS = (
    Path("/var/lib/kubelet"), Path("/var/lib/cni"), Path("/var/log/containers"), Path("/run/containerd"),
    Path("/var/lib/containerd"), Path("/opt/containerd"), Path("/run/netns"),
)  # fmt: skip
_KUBELET_CHAINS = ("KUBE-KUBELET-CANARY", "KUBE-IPTABLES-HINT", "KUBE-FIREWALL")
# As iptables-save writes the bridge plugin's comments.
_OURS = rf"name: \"{NETWORK}\""
_CGROUPS = Path("/sys/fs/cgroup")


def remember() -> None:
    """Note what is there now. ``restore`` puts it back."""
    before = {
        "sysctls": {name: value for name in _SYSCTLS if (value := _sysctl(name)) is not None},
        "folders": [str(folder) for folder in _FOLDERS if folder.exists()],
        "chains": [f"{tool} {table} {chain}" for tool, table, chain in _chains()],
        "nft": sorted(_nft_tables()),
    }
    BEFORE.parent.mkdir(parents=True, exist_ok=True)
    BEFORE.write_text(json.dumps(before, indent=2))


def restore() -> None:
    """Everything but processes and the state folder. Harmless when nothing is left."""
    before = json.loads(BEFORE.read_text()) if BEFORE.exists() else {}
    unmount()
    _remove_links()
    _remove_rules(set(before.get("chains", ())))
    _remove_tables(set(before.get("nft", ())))
    _remove_cgroups()
    _remove_files(set(before.get("folders", ())))
    for name, value in before.get("sysctls", {}).items():
        if _sysctl(name) != value:
            Path("/proc/sys", name).write_text(value)


def mounts() -> list[str]:
    """Mount points of ours (containers' roots and shm, volumes, network namespaces), the innermost first."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = [line.split()[4].replace("\\040", " ") for line in lines]
    ours = (f"{STATE}/", f"{CONTAINERD_ROOT}/")
    return sorted((point for point in points if point.startswith(ours)), key=len, reverse=True)


def unmount() -> None:
    for point in mounts():
        _quiet("umount", "--lazy", point)


def leftovers() -> list[str]:
    """What of ours is still on the machine, a line each: empty after a complete tear-down."""
    rules = [f"{tool} {rule}" for tool, rule in _rules() if _OURS in rule]
    links = [f"link {name}" for name in _links()]
    tables = [f"nft table {table}" for table in _nft_tables() if table.endswith(" kube-proxy")]
    state = [str(STATE)] if STATE.exists() else []
    return [*(f"mount {point}" for point in mounts()), *links, *rules, *tables, *map(str, _cgroups()), *state]


def _sysctl(name: str) -> str | None:
    try:
        return Path("/proc/sys", name).read_text().strip()
    except OSError:
        return None


def _links() -> list[str]:
    """Our bridge and what hangs on it; the bridge last."""
    ports = Path(f"/sys/class/net/{BRIDGE}/brif")
    if not ports.exists():
        return []
    return [*(port.name for port in ports.iterdir()), BRIDGE]


def _remove_links() -> None:
    for name in _links():
        _quiet("ip", "link", "delete", name)


def _rules() -> Iterator[tuple[str, str]]:
    for tool in ("iptables", "ip6tables"):
        table = ""
        for line in _quiet(f"{tool}-save").splitlines():
            if line.startswith("*"):
                table = line[1:]
            elif line.startswith(("-A", ":")):
                yield tool, f"{table} {line}"


def _chains() -> Iterator[tuple[str, str, str]]:
    for tool, rule in _rules():
        table, line = rule.split(" ", 1)
        if line.startswith(":"):
            yield tool, table, line[1:].split()[0]


def _remove_rules(before: set[str]) -> None:
    """The CNI plugin's rules carry our network's name, its chains are theirs; the kubelet's chains have fixed names."""
    ours = {(tool, table, chain) for tool, table, chain in _chains() if chain in _KUBELET_CHAINS}
    ours -= {(tool, table, chain) for tool, table, chain in ours if f"{tool} {table} {chain}" in before}
    ours |= {_chain_of(tool, rule) for tool, rule in _rules() if _OURS in rule and " -A CNI-" in rule}
    for tool, rule in list(_rules()):
        table, line = rule.split(" ", 1)
        words = shlex.split(line)
        if words[0] == "-A" and (_OURS in line or (tool, table, words[-1]) in ours):
            _quiet(tool, "-t", table, "-D", *words[1:])
    for tool, table, chain in ours:
        _quiet(tool, "-t", table, "-F", chain)
        _quiet(tool, "-t", table, "-X", chain)


def _chain_of(tool: str, rule: str) -> tuple[str, str, str]:
    table, _, chain = rule.split()[:3]
    return tool, table, chain


def _nft_tables() -> list[str]:
    """For example ``ip kube-proxy``."""
    return [line.removeprefix("table ") for line in _quiet("nft", "list", "tables").splitlines()]


def _remove_tables(before: set[str]) -> None:
    for table in _nft_tables():
        if table in before:
            continue
        # iptables makes the others on first use and leaves them; they go only when nobody put a rule there.
        made_by_iptables = table.split()[-1] in ("filter", "nat", "mangle")
        if table.endswith(" kube-proxy") or (made_by_iptables and _is_empty(table)):
            _quiet("nft", "delete", "table", *table.split())


def _is_empty(table: str) -> bool:
    content = _quiet("nft", "list", "table", *table.split())
    inside = [line.strip() for line in content.splitlines()[1:]]
    return not [line for line in inside if line and not line.startswith(("chain ", "type ", "}"))]


def _cgroups() -> list[Path]:
    return sorted(_CGROUPS.glob("kubepods")) + sorted(_CGROUPS.glob("*/kubepods"))


def _remove_cgroups() -> None:
    for top in _cgroups():
        folders = sorted((path for path in top.rglob("*") if path.is_dir()), key=lambda path: -len(path.parts))
        for folder in [*folders, top]:
            # rmdir removes empty groups only: one with somebody's process in it stays.
            with contextlib.suppress(OSError):
                folder.rmdir()


def _remove_files(before: set[str]) -> None:
    for link in Path("/var/log/containers").glob("*.log"):
        if link.is_symlink() and str(link.readlink()).startswith(str(STATE)):
            link.unlink()
    _remove_cni_results()
    _remove_dead_sockets()
    for name in ("kube-magics-test-gpu.sock", "kubelet.sock", "kubelet_internal_checkpoint", "DEPRECATION"):
        if str(DEVICE_PLUGINS.parent) not in before:
            (DEVICE_PLUGINS / name).unlink(missing_ok=True)
    for top in _FOLDERS:
        if str(top) in before or not top.exists():
            continue
        folders = sorted((path for path in top.rglob("*") if path.is_dir()), key=lambda path: -len(path.parts))
        for folder in [*folders, top]:
            with contextlib.suppress(OSError):
                folder.rmdir()


def _remove_cni_results() -> None:
    results = Path("/var/lib/cni/results")
    for result in results.glob(f"{NETWORK}-*"):
        sandbox = result.name.removeprefix(f"{NETWORK}-").partition("-")[0]
        # The same sandbox's loopback is there under containerd's own network name.
        for file in results.glob(f"*-{sandbox}-*"):
            file.unlink()


def _remove_dead_sockets() -> None:
    """Sockets of shims that were killed: nobody listens there, whosever they were."""
    listening = Path("/proc/net/unix").read_text()
    for socket in Path("/run/containerd/s").glob("*"):
        if str(socket) not in listening:
            socket.unlink(missing_ok=True)


def _quiet(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": search_path()})
    except FileNotFoundError:
        # A new machine is cleared before its packages are installed: what has no program there, left nothing there.
        return ""
    return done.stdout
