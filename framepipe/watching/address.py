"""Where a page is served: its port and its secret token, and how to reach it from elsewhere."""

from __future__ import annotations

import contextlib
import getpass
import hashlib
import ipaddress
import json
import os
import re
import secrets
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from framepipe.core import files
from framepipe.core.signing import state_folder
from framepipe.errors import UsageError

LOOPBACK = "127.0.0.1"
_REMEMBERED_S = 7 * 86400.0
_TOKEN = re.compile(r"[A-Za-z0-9_-]{32,64}")
_MAX_BYTES = 10_000


@dataclass(frozen=True)
class Address:
    """A port and a token.

    Attributes
    ----------
    host : str
        The address of the interface that listens.
    port : int
    token : str
        The first part of the path; who does not know it is not served.
    """

    host: str
    port: int
    token: str

    def url(self, host: str = "") -> str:
        """Return the page's address as text, at another host's name if one is given."""
        name = host or (self.host if self.host not in ("0.0.0.0", "::") else socket.gethostname())  # noqa: S104
        return f"http://{f'[{name}]' if ':' in name else name}:{self.port}/{self.token}/"

    def allows(self, host: str) -> bool:
        """True if a request may name this host.

        A page of somebody else's whose name leads here (DNS rebinding) names another one. The port does not
        count, since ssh may forward another.
        """
        name = host.rpartition(":")[0] if re.search(r":\d*$", host) and not host.endswith("]") else host
        name = name.strip("[]").lower()
        if name in (LOOPBACK, "localhost", "::1", self.host.lower()):
            return True
        if is_loopback(self.host):
            return False
        with contextlib.suppress(ValueError):  # no name that anybody could have pointed here
            return bool(ipaddress.ip_address(name))
        return name in (socket.gethostname().lower(), socket.getfqdn().lower())


def is_loopback(host: str) -> bool:
    """True for an address that only this machine reaches."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def listen(store: Path, host: str = LOOPBACK, port: int = 0) -> tuple[socket.socket, Address]:
    """Open a socket to serve a store's page at, where it was served before if that is possible.

    So a page that is open goes on when its server is started again, and so does ``ssh -L``.

    Parameters
    ----------
    store : Path
    host : str
    port : int
        0 for the port of the last time, or any.

    Raises
    ------
    UsageError
        The address is no one of this machine, or the port is taken.
    """
    remembered, token = _remembered(store)
    for each in [port] if port else [remembered, 0]:
        try:
            listener = _bound(host, each)
        except OSError as error:
            if each == remembered and not port:
                token = secrets.token_urlsafe(24)  # whoever has the port now may have been sent the other one
                continue
            raise UsageError(
                f"cannot listen at {host}{f' port {port}' if port else ''}: {error.strerror or error}. "
                "Give another --port or --host"
            ) from None
        address = Address(host, listener.getsockname()[1], token)
        _remember(store, address)
        return listener, address
    raise AssertionError("port 0 is always tried")


def _bound(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # its connections of before are closing
        listener.bind(where)
        listener.listen(64)
    except BaseException:
        listener.close()
        raise
    return listener


def _file_for(store: Path) -> Path | None:
    try:
        return state_folder() / f"watch-{hashlib.sha256(os.fsencode(store)).hexdigest()[:24]}.json"
    except RuntimeError:  # an account without a home
        return None


def _remembered(store: Path) -> tuple[int, str]:
    """Return the port and the token of the last time, or 0 and a new token."""
    path = _file_for(store)
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        if path is not None and 0 <= time.time() - path.stat().st_mtime < _REMEMBERED_S:
            data = json.loads(files.read_file(path, _MAX_BYTES))
            port, token = data["port"], data["token"]
            if type(port) is int and 0 < port < 65536 and _TOKEN.fullmatch(token):
                return port, token
    return 0, secrets.token_urlsafe(24)


def _remember(store: Path, address: Address) -> None:
    if (path := _file_for(store)) is not None:
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            data = json.dumps({"port": address.port, "token": address.token}).encode()
            files.write_atomic(path, data, mode=0o600)


def tunnel(address: Address, env: Mapping[str, str] = os.environ) -> str:
    """Return the command that makes the page reachable from the user's own computer.

    Empty if this seems to be the user's own: neither ssh nor a scheduler has started this process.
    """
    is_remote, is_job = env.get("SSH_CONNECTION"), env.get("SLURM_JOB_ID")
    if not (is_remote or is_job) or not is_loopback(address.host):
        return ""
    port = address.port
    forward = f"-L {port}:{LOOPBACK}:{port}"
    host = socket.gethostname()
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # an account without a name
        user = "USER"
    login = env.get("SLURM_SUBMIT_HOST", "")
    if is_job and login and login != host:  # a node, which only the login host reaches
        return f"ssh {forward} -J {user}@{login} {user}@{host}"
    return f"ssh {forward} {user}@{host}"
