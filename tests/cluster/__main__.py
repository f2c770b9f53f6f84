"""``python -m tests.cluster up | down | status | env``: the cluster for a person, running from ``up`` to ``down``."""

from __future__ import annotations

import argparse
import shlex
import sys

from . import lifecycle
from .cluster import Cluster, ours


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description="A real one-node Kubernetes.")
    parser.add_argument("command", choices=_COMMANDS)
    return _COMMANDS[parser.parse_args().command]()


def _up() -> int:
    if reason := lifecycle.why_not():
        print(reason, file=sys.stderr)
        return 1
    cluster = lifecycle.up(keep=True)
    print(f"restricted user, as a data scientist has it: {cluster.user_kubeconfig}", file=sys.stderr)
    print(_export(cluster))
    return 0


def _down() -> int:
    lifecycle.down()
    return 0


def _status() -> int:
    if not lifecycle.is_running():
        print("not running")
        return 3
    print(ours().kubectl("get", "nodes,pods", "--all-namespaces", "--output=wide").stdout, end="")
    return 0


def _env() -> int:
    if not lifecycle.is_running():
        print("not running: `make cluster-up` starts it", file=sys.stderr)
        return 3
    print(_export(ours()))
    return 0


def _export(cluster: Cluster) -> str:
    return "export " + " ".join(f"{name}={shlex.quote(value)}" for name, value in cluster.environment().items())


_COMMANDS = {"up": _up, "down": _down, "status": _status, "env": _env}

if __name__ == "__main__":
    sys.exit(main())
