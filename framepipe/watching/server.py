"""Serves the pages of a store or of a submitted sweep: GET only, to those who know the token."""

from __future__ import annotations

import hmac
import socket
from collections.abc import Awaitable, Callable, Generator, MutableMapping
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response

from framepipe.cluster.sweep_folder import SweepFolder
from framepipe.store.store import Store
from framepipe.watching.address import Address
from framepipe.watching.store_pages import Page, routes_of
from framepipe.watching.sweep_pages import SweepPages

#: Seconds in which answers may still be sent when the server ends.
_END_S = 3
#: Nothing from elsewhere, no script or style in the page itself, no frame around it, no form.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",  # the address is the secret
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-cache",
}
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Gate:
    """Lets through who may ask, and adds the headers that say what the page may do.

    Parameters
    ----------
    inner : ASGI application
    address : Address
    """

    def __init__(self, inner: Any, address: Address) -> None:
        self._inner, self._address = inner, address

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request; see the ASGI specification."""
        if scope["type"] != "http":
            return  # no web socket, no lifespan

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name for name, _ in message["headers"]}
                more = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
                message["headers"] = [*message["headers"], *(pair for pair in more if pair[0] not in present)]
            await send(message)

        if (refusal := self._refusal(scope)) is not None:
            await refusal(scope, receive, send_with_headers)
            return
        path = scope["path"].removeprefix(f"/{self._address.token}")
        await self._inner({**scope, "path": path, "raw_path": path.encode()}, receive, send_with_headers)

    def _refusal(self, scope: Message) -> Response | None:
        if scope["method"] != "GET":
            return PlainTextResponse("this page can only be read: GET\n", 405, {"allow": "GET"})
        hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1 or not self._address.allows(hosts[0]):
            return PlainTextResponse("this page is not served under that host's name\n", 421)
        given, slash, _ = scope["path"].removeprefix("/").partition("/")
        token = self._address.token.encode()
        if not slash or not hmac.compare_digest(given.encode("utf-8", "replace"), token):
            return PlainTextResponse("take the whole address that framepipe watch has printed\n", 404)
        return None


class PageServer:
    """Serves a store's page, or those of a submitted sweep, in this thread.

    Parameters
    ----------
    store : Store
        Or the folder of the sweep.
    listener : socket
        It listens; it is closed in the end.
    address : Address
    """

    def __init__(self, store: Store, listener: socket.socket, address: Address) -> None:
        sweep = SweepFolder.read(store.path)
        self._pages, self._listener = SweepPages(sweep) if sweep else Page(store), listener
        config = uvicorn.Config(
            Gate(
                self._pages
                if isinstance(self._pages, SweepPages)
                else Starlette(routes=routes_of(self._pages)),
                address,
            ),
            log_config=None,
            access_log=False,
            lifespan="off",
            loop="asyncio",
            http="h11",
            ws="none",
            server_header=False,
            date_header=False,
            limit_concurrency=100,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=_END_S,
        )
        self._server = _Server(config)

    def run(self) -> None:
        """Serve until `stop` is called."""
        try:
            self._server.run(sockets=[self._listener])
        finally:
            self._listener.close()

    def stop(self) -> None:
        """End it soon: from a signal handler, or another thread."""
        self._pages.end()
        self._server.should_exit = True


class _Server(uvicorn.Server):
    """A server that leaves signals to its caller."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Do nothing."""
        yield
