"""What can be asked of the hub, and which of it is refused before anything starts."""

from __future__ import annotations

import argparse
import dataclasses
import ipaddress
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import platformdirs

VARIABLE = "KUBE_MAGICS_HUB_OPTIONS"
"""How they reach jupyterhub_config.py, and what proxy and culler of a hub that was killed are known by."""
LOGINS = {"password": "shared-password", "pam": "pam"}
"""The names of JupyterHub's own authenticators."""


class Refused(Exception):
    """Why there is no hub, and what to type instead."""


@dataclass(frozen=True)
class Options:
    host: str = "127.0.0.1"
    """The address that the proxy listens on: `0.0.0.0` is every one of this machine."""
    port: int = 8000
    """The proxy's; the hub itself and the proxy's own door take the next two, on loopback."""
    tls_cert: str | None = None
    """A PEM file: the certificate, and those between it and its authority."""
    tls_key: str | None = None
    without_tls: bool = False
    """Beyond loopback without TLS: for who has something with TLS in front, and told us so."""
    system_users: bool = False
    login: str = "password"
    users: tuple[str, ...] = ()
    """Who may log in; empty: everyone who has the password, or with system users every account of a person."""
    admin: str | None = None
    """Logs in with the administrator's password; None: nobody does."""
    cull_after_s: int = 3600
    """A server that nobody has used for so long is stopped; 0: never."""
    state: str = ""
    """Absolute path of the folder with passwords, database, log, and the users' homes."""

    @property
    def url(self) -> str:
        """For people; an address that stands for every one of this machine is no place to go to."""
        every = self.host in ("", "0.0.0.0", "::")  # noqa: S104 - compared, not bound
        return self._url("localhost" if is_loopback(self.host) else "THIS-MACHINE" if every else self.host)

    @property
    def bind_url(self) -> str:
        """For JupyterHub."""
        return self._url(self.host)

    def _url(self, host: str) -> str:
        return f"{'https' if self.tls_cert else 'http'}://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def hub_port(self) -> int:
        return self.port + 1

    @property
    def proxy_port(self) -> int:
        return self.port + 2

    def encode(self) -> str:
        return json.dumps(dataclasses.asdict(self))

    @staticmethod
    def decode(text: str) -> Options:
        found = json.loads(text)
        return Options(**{**found, "users": tuple(found["users"])})


def parse(line: Sequence[str]) -> Options:
    """What stands in `make hub HUB='…'`; a mistake ends the process with argparse's own words."""
    said = _parser().parse_args(line)
    return Options(
        host=said.host,
        port=said.port,
        tls_cert=_absolute(said.tls_cert),
        tls_key=_absolute(said.tls_key),
        without_tls=said.without_tls,
        system_users=said.system_users,
        login=said.login,
        users=tuple(said.user),
        # On a machine with accounts nobody is called that: who is to rule there has to be named.
        admin=said.admin or (None if said.system_users else "admin"),
        cull_after_s=said.cull_after,
        state=str((said.state or default_state()).expanduser().absolute()),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make hub HUB=", description="JupyterHub with kube_magics on this machine.")
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    add("--port", type=int, default=8000, help="this one and the next two (default: 8000)")
    add("--tls-cert", metavar="FILE", help="certificate, as PEM")
    add("--tls-key", metavar="FILE", help="its private key, as PEM")
    add("--without-tls", action="store_true", help="beyond this machine; TLS is somebody else's in front of it")
    add("--system-users", action="store_true", help="servers as accounts of this machine; needs root")
    add("--login", choices=LOGINS, default="password", help="pam: with --system-users, each by their own password")
    add("--user", action="append", default=[], metavar="NAME", help="only these may log in; can be repeated")
    add("--admin", metavar="NAME", help="logs in with the administrator's password (default: admin)")
    add("--cull-after", type=int, default=3600, metavar="SECONDS", help="stop servers idle so long (3600); 0: never")
    add("--state", type=Path, metavar="FOLDER", help=f"passwords, database, log, homes (default: {default_state()})")
    return parser


def default_state() -> Path:
    return Path(platformdirs.user_state_dir("kube_magics", appauthor=False)) / "hub"


def refuse(options: Options, is_root: bool) -> None:
    """Raises `Refused` for what cannot be, or should not be by mistake."""
    if not 1 <= options.port <= 65533:
        raise Refused(f"--port {options.port}: a number from 1 to 65533, since the hub takes the next two as well")
    if options.cull_after_s < 0:
        raise Refused(f"--cull-after {options.cull_after_s}: seconds, or 0 for never")
    _refuse_tls(options)
    if options.system_users and not is_root:
        raise Refused("--system-users: only root may start servers as other accounts: sudo make hub HUB=--system-users")
    if options.login == "pam" and not options.system_users:
        raise Refused("--login pam: passwords of this machine's accounts go with --system-users")


def _refuse_tls(options: Options) -> None:
    if bool(options.tls_cert) != bool(options.tls_key):
        raise Refused("TLS needs both: --tls-cert FILE and --tls-key FILE")
    for option, file in (("--tls-cert", options.tls_cert), ("--tls-key", options.tls_key)):
        if file and not Path(file).is_file():
            raise Refused(f"{option} {file}: no such file")
    if not (is_loopback(options.host) or options.tls_cert or options.without_tls):
        raise Refused(
            f"--host {options.host}: others on the network could read the passwords, and all that people do.\n"
            "Add --tls-cert FILE --tls-key FILE, or --without-tls where something in front of the hub speaks TLS."
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches it. A name other than localhost may mean anything, so it does not count."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _absolute(file: str | None) -> str | None:
    return file and str(Path(file).expanduser().absolute())
