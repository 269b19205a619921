"""The pages of a submitted sweep: a list of its points, each of which leads to the page of its store."""

from __future__ import annotations

import re
import time
from collections.abc import MutableMapping
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from framepipe.cluster.sweep_folder import SubmittedPoint, SweepFolder
from framepipe.core.summary import short_path
from framepipe.store.store import Store
from framepipe.sweeps.points import title_of
from framepipe.watching.store_pages import Page, fixed, routes_of

_PAGE_FILES = {
    "": ("sweep.html", "text/html"),
    "style.css": ("style.css", "text/css"),
    "sweep.js": ("sweep.js", "text/javascript"),
    "icon.svg": ("icon.svg", "image/svg+xml"),
}
#: Seconds between two looks at all points, and how many times as long as that took they rest.
_LOOK_S, _REST, _MAX_REST_S = 1.0, 20.0, 30.0
_POINT = re.compile(r"/point/(\d{1,6})(/.*)", re.DOTALL)
_WORDS = {
    "": "waits",
    "again": "submitted again",
    "built": "its movies are built",
    "done": "done",
    "failed": "failed",
    "cancelled": "cancelled",
}


class SweepPages:
    """What is served of a sweep; each point is looked at only while somebody asks.

    Parameters
    ----------
    sweep : SweepFolder
    """

    def __init__(self, sweep: SweepFolder) -> None:
        self._sweep = sweep
        self._points = [*sweep.points, *([sweep.grid_point] if sweep.grid_point else [])]
        self._pages = [Page(Store(point.store)) for point in self._points]
        self._apps: dict[int, Starlette] = {}
        self._document: dict[str, Any] = {}
        self._looks_at = 0.0
        names = [Route(f"/{name}", fixed(*file)) for name, file in _PAGE_FILES.items()]
        self._list = Starlette(routes=[*names, Route("/points.json", self._points_json)])

    def end(self) -> None:
        """See `Page.end`."""
        for page in self._pages:
            page.end()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Answer one request; see the ASGI specification."""
        match = _POINT.fullmatch(scope["path"])
        if not match or int(match[1]) >= len(self._pages):
            await self._list(scope, receive, send)
            return
        at, path = int(match[1]), match[2]
        if at not in self._apps:
            self._apps[at] = Starlette(routes=routes_of(self._pages[at]))
        await self._apps[at]({**scope, "path": path, "raw_path": path.encode()}, receive, send)

    async def _points_json(self, _: Request) -> Response:
        if time.monotonic() >= self._looks_at:
            began = time.monotonic()
            points = [await self._point(at) for at in range(len(self._points))]
            self._document = self._of_all(points)
            self._looks_at = time.monotonic() + min(
                _MAX_REST_S, max(_LOOK_S, _REST * (time.monotonic() - began))
            )
        return JSONResponse(self._document)

    async def _point(self, at: int) -> dict[str, Any]:
        """Return what the list says of a point."""
        point, (_, now) = self._points[at], await self._pages[at].after(-1)
        counts = now.get("counts", {})
        done, failed, total = counts.get("d", 0), counts.get("f", 0), sum(counts.values())
        if point.is_done:
            text, done, failed = "done", max(total, 1), 0
        else:
            is_drawn_now = not point.state and now.get("phase") == "drawing"
            text = "drawing" if is_drawn_now else _WORDS[point.state]
            text += f", {done} of {total} frames" if total else ""
            text += f", {failed} failed" if failed else ""
        is_grid = at >= len(self._sweep.points)
        return {
            "name": "side by side" if is_grid else title_of(point.values),
            "page": f"point/{at}/",
            "state": "failed" if failed and not point.state else point.state,
            "text": ", ".join([text, *_movies_of(point)]),
            "done": done,
            "failed": failed,
            "total": max(total, done),
            "is_done": point.is_done,
        }

    def _of_all(self, points: list[dict[str, Any]]) -> dict[str, Any]:
        """Return the document of the list. Points of which nothing is known yet are taken to be as long."""
        longest = max((each["total"] for each in points), default=0)
        own = points[: len(self._sweep.points)]
        finished = sum(each["is_done"] for each in own)
        bad = [each["name"] for each in points if each["state"] in ("failed", "cancelled")]
        done = sum(longest if each["is_done"] else each["done"] for each in own)
        return {
            "store": short_path(self._sweep.path),
            "points": points,
            "done": done,
            "failed": sum(each["failed"] for each in own),
            "total": longest * len(own),
            "headline": f"{finished} of {len(own)} points have their movies",
            "sub": f"failed or cancelled: {', '.join(bad[:5])}" if bad else "",
        }


def _movies_of(point: SubmittedPoint) -> list[str]:
    return [short_path(path) for path in point.outputs] if point.is_done else []
