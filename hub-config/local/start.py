"""`make hub`: JupyterHub with kube_magics on this machine, from one command to Ctrl-C."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from onemachine import before, hub
from onemachine.options import Options, Refused, parse, refuse
from onemachine.passwords import FILE, Passwords, passwords
from onemachine.proxy import proxy


def main() -> int:
    options = parse(sys.argv[1:])
    try:
        serve(options)
        return 0
    except Refused as refused:
        print(f"make hub: {refused}", file=sys.stderr)
        return 1


def serve(options: Options) -> None:
    """What a hub needs, in the order in which it can fail without having changed anything; then the hub."""
    refuse(options, is_root=os.geteuid() == 0)
    if options.system_users:
        before.refuse_private_checkout()
    state = before.state_folder(options)
    with before.lock(state) as lock:
        if stale := before.end_stale(state):
            print(f"Ended what a hub that had died had left: {', '.join(stale)}.")
        before.free_ports(options)
        taken = proxy()
        if taken.instead:
            print(f"The proxy is the one in Python: {taken.instead}.")
        kept = passwords(state)
        hub.run(options, taken.command, lock, lambda: print(welcome(options, kept), flush=True))


def welcome(options: Options, kept: Passwords) -> str:
    """What people read when it runs; the passwords only the first time."""
    file = Path(options.state) / FILE
    lines = [f"\nThe hub runs at {options.url}\n"]
    if options.login == "pam":
        lines += ["  log in with an account of this machine and its password"]
    elif kept.new:
        who = ", ".join(options.users) or ("an account of this machine" if options.system_users else "any name")
        lines += [f"  log in as {who}, password {kept.user}"]
        if options.admin:
            lines += [f"  administrator: {options.admin}, password {kept.admin}"]
        lines += [f"  shown this once, kept in {file}"]
    else:
        lines += [f"  its passwords are in {file}"]
    lines += [f"  its log is {Path(options.state) / hub.LOG}", "\nCtrl-C ends it."]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
