"""The page of a store: what it is sent when it asks, from the store alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from framepipe.store.failures import FailureLog
from framepipe.store.store import Store
from framepipe.watching.document import details, document, newest_frames
from framepipe.watching.snapshot import Snapshot, Watcher
from framepipe.watching.thumbnails import Thumbnails, read_frame

#: Seconds between two looks, and how many times as long as the last look took it rests at least.
_LOOK_S, _REST, _MAX_REST_S = 1.0, 60.0, 30.0
#: Small pictures rest too: new ones are shown after so many times what those before cost.
_PICTURES_S, _PICTURES_REST = 1.0, 60.0
#: Seconds that a request for news waits for them.
_WAIT_S = 20.0
_NAP_S = 0.5
_PAGE = Path(__file__).with_name("page")
_PAGE_FILES = {
    "": ("index.html", "text/html"),
    "style.css": ("style.css", "text/css"),
    "page.js": ("page.js", "text/javascript"),
    "icon.svg": ("icon.svg", "image/svg+xml"),
}


class Page:
    """The state that the page shows, looked at only while somebody asks for it.

    Parameters
    ----------
    store : Store
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.snapshot = Snapshot()
        self.version = 0
        self.document: dict[str, Any] = {}
        self.is_over = self._has_ended = False
        self.thumbnails = Thumbnails()
        self.failure_log = FailureLog(store.path)
        self._watcher = Watcher(store)
        self._newest: tuple[int, ...] = ()
        self._pictures_at, self._owes_pictures = 0.0, False
        self._looks_at = 0.0
        self._lock = asyncio.Lock()

    def end(self) -> None:
        """Let those who wait for news go: the server ends."""
        self.is_over = True

    async def after(self, version: int) -> tuple[int, dict[str, Any]]:
        """Return the version and the state once it is not ``version`` any more, or after a while."""
        end_s = time.monotonic() + _WAIT_S
        while True:
            async with self._lock:  # all that wait share a look
                if time.monotonic() >= self._looks_at:
                    await asyncio.to_thread(self._look)
                if self.is_over and not self._has_ended:
                    self._has_ended = True
                    await asyncio.to_thread(self._look)  # how it was left
            if self.version != version or time.monotonic() >= end_s or self.is_over:
                return self.version, self.document
            await asyncio.sleep(min(max(0.05, self._looks_at - time.monotonic()), _NAP_S))

    def _look(self) -> None:
        began_s = time.thread_time()
        before, self.snapshot = self.snapshot, self._watcher.look()
        if self.snapshot is not before or self._owes_pictures:
            self._describe()
        # a look at all frames comes seldom, and has its own rest
        cost_s = time.thread_time() - began_s - self._watcher.anew_s
        self._looks_at = time.monotonic() + max(_LOOK_S, min(_MAX_REST_S, _REST * cost_s))

    def _describe(self) -> None:
        self._owes_pictures = time.monotonic() < self._pictures_at
        if not self._owes_pictures:
            newest = newest_frames(self.snapshot)
            if newest != self._newest:
                self._newest = newest
                cost_s = self.thumbnails.spent_s / max(1, self.thumbnails.count) * len(newest)
                self._pictures_at = time.monotonic() + max(_PICTURES_S, _PICTURES_REST * cost_s)
        now = document(self.store, self.snapshot, self._newest)
        if now != self.document:
            self.document, self.version = now, self.version + 1


def routes_of(page: Page) -> list[Route]:
    """Return what is served of a store."""
    answers = Answers(page)
    return [
        *(Route(f"/{name}", fixed(*file)) for name, file in _PAGE_FILES.items()),
        Route("/state", answers.state),
        Route("/frame/{number}.png", answers.frame),
        Route("/frame/{number}.json", answers.about),
        Route("/small/{number}.jpg", answers.thumbnail),
    ]


class Answers:
    """What the page is sent when it asks: an endpoint a method.

    Parameters
    ----------
    page : Page
    """

    def __init__(self, page: Page) -> None:
        self._page = page

    async def state(self, request: Request) -> Response:
        """Return the state once it is newer than ``?since=``."""
        since = request.query_params.get("since", "")
        version, about = await self._page.after(int(since) if since.isdecimal() and len(since) < 16 else -1)
        return JSONResponse({"version": version, "now_s": time.time(), "over": self._page.is_over, **about})

    def frame(self, request: Request) -> Response:
        """Return a frame's file as it is."""
        snapshot = self._page.snapshot
        number = _number(request, snapshot)
        if number is None or not snapshot.can_be_shown(number):
            return _absent()
        file = snapshot.files.get(number)
        headers = {"etag": f'"{file.inode}-{file.time_s}"'} if file else {}
        if file and request.headers.get("if-none-match") == headers["etag"]:
            return Response(status_code=304, headers=headers)
        try:
            data = read_frame(self._page.store.frame_path(number))
        except (OSError, ValueError):
            return _absent()
        return Response(data, media_type="image/png", headers=headers)

    def thumbnail(self, request: Request) -> Response:
        """Return a frame's small picture."""
        snapshot = self._page.snapshot
        number = _number(request, snapshot)
        if number is None or not snapshot.can_be_shown(number) or number not in snapshot.files:
            return _absent()
        path, inode = self._page.store.frame_path(number), snapshot.files[number].inode
        picture = self._page.thumbnails.of(path, number, inode, snapshot.background)
        if picture is None:
            return _absent()
        return Response(picture, media_type="image/jpeg", headers={"cache-control": "private, max-age=86400"})

    def about(self, request: Request) -> Response:
        """Return what is known of a frame."""
        number = _number(request, self._page.snapshot)
        if number is None:
            return _absent()
        return JSONResponse(details(self._page.store, self._page.snapshot, number, self._page.failure_log))


def fixed(file: str, kind: str) -> Callable[[Request], Response]:
    """Return an endpoint for a file of the page."""
    data = (_PAGE / file).read_bytes()

    def endpoint(_: Request) -> Response:
        return Response(data, media_type=kind)

    return endpoint


def _number(request: Request, snapshot: Snapshot) -> int | None:
    """Return the number of a frame of the plan, as an address names it; None if there is no such frame."""
    text = request.path_params["number"]
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 20 and snapshot.record):
        return None
    number = int(text)
    return number if number in snapshot.plan else None


def _absent() -> Response:
    return PlainTextResponse("there is no such frame\n", 404)
