"""The HTML player: what the page says, what it could load, and every picture in it or beside it."""

from __future__ import annotations

import base64
import binascii
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from framepipe import assets
from framepipe.control import Stop
from framepipe.encoders.player import is_page, policy
from framepipe.errors import Interrupted
from framepipe.pictures import PERFECT_DB, Pixels
from framepipe.recipes.html import ends_s
from framepipe.verify.expected import Expected
from framepipe.verify.judge import picture_checks
from framepipe.verify.likeness import likenesses
from framepipe.verify.report import Check, plays, same

if TYPE_CHECKING:
    from PIL.Image import Image

_PICTURE = re.compile(r'<script type="image/webp;base64" id="([a-z0-9-]+)">([A-Za-z0-9+/=]*)</script>\n')
#: What the page's JSON block says; labels may be null.
_FACTS = {"width": int, "height": int, "plays": int, "numbers": list, "ends_s": list, "pictures": list}
_LOADING_TAGS = {
    "audio",
    "base",
    "embed",
    "form",
    "frame",
    "iframe",
    "img",
    "link",
    "object",
    "source",
    "video",
}
_LOADING_ATTRIBUTES = {
    "action",
    "background",
    "data",
    "formaction",
    "href",
    "ping",
    "poster",
    "src",
    "srcset",
}
_LOADING_CODE = re.compile(
    r"url\(|@import|image-set|\bimport\b|\bfetch\(|XMLHttp|WebSocket|EventSource|sendBeacon|Worker|RTC|://|\.\./"
)


def checks(movie: Path, expected: Expected, stop: Stop | None) -> Iterator[Check]:
    """Measure a page; see `framepipe.verify.measure`."""
    try:
        page = Page(movie.read_text(encoding="ascii"), movie.parent)
    # html.parser asserts that "<![" goes on in one of a few ways
    except (OSError, ValueError, KeyError, TypeError, AssertionError, RecursionError) as error:
        yield Check("structure", False, "a whole page", f"{type(error).__name__}: {error}"[:200])
        return
    facts, count = page.facts, len(expected.timeline.numbers)
    yield Check("structure", True, "a whole page", f"{movie.stat().st_size:,} bytes")
    due = "only its own pictures are loaded" if page.folder else "nothing is loaded"
    yield Check("network", not page.loads, due, "; ".join(page.loads)[:200] or due)
    own = "as framepipe writes it"
    yield Check("page", page.is_ours, own, own if page.is_ours else "harmed, or of another version")
    yield same("frames", count, len(facts["pictures"]))
    yield same("size", "{}x{}".format(*expected.size), f"{facts['width']}x{facts['height']}")
    yield _times(expected, facts["ends_s"])
    yield same("plays", plays(expected.timeline.loop), plays(facts["plays"]))
    yield _labels(expected, facts)
    yield _files(page) if page.folder or expected.options.html_assets else _file_size(movie, expected)
    if len(facts["pictures"]) != count or (facts["width"], facts["height"]) != expected.size:
        return
    try:
        found = _compare(page, expected, stop)
    except (OSError, ValueError, LookupError, TypeError, SyntaxError) as error:
        yield Check("decodes", False, "every frame", f"{type(error).__name__}: {error}"[:200])
        return
    yield Check("decodes", True, "every frame", "every frame")
    yield from found


class Page:
    """A page taken apart.

    Attributes
    ----------
    facts : dict
        What its JSON block says.
    folder : Path or None
        With its pictures, if they stand beside it.
    inside : dict of str to str
        Its own pictures in base64, by id.
    beside : dict of str to Path
        Those in the folder, by name.
    loads : list of str
        Everything that might load something, or that lets it.
    is_ours : bool
        It is as framepipe writes it: no tag, style or line of its script is another.
    """

    def __init__(self, text: str, place: Path) -> None:
        if not text.startswith("<!DOCTYPE html>") or not text.endswith("</html>\n"):
            raise ValueError("does not begin and end as a page")
        name = assets.named_in(text)
        self.folder = place / name if name else None
        self.beside = assets.pictures(self.folder) if self.folder and self.folder.is_dir() else {}
        pictures = _PICTURE.findall(text)
        self.inside = dict(pictures)
        if len(self.inside) < len(pictures):
            raise ValueError("two pictures have one name")
        self.is_ours = is_page(text, name)
        shell = _PICTURE.sub("", text)
        reader = _Reader()
        reader.feed(shell)
        reader.close()
        self.facts = _facts(reader.data["movie"])
        self.loads = reader.loads
        if policy(shell, images=bool(name)) not in shell.partition("<style>")[0]:
            self.loads.append("its Content-Security-Policy is not of its own script and style")
        if reader.scripts != 1:
            self.loads.append(f"{reader.scripts} scripts")

    def picture(self, number: int | None) -> bytes:
        """The file of a picture, None for the still; read as the page does it."""
        if self.folder:
            return self.beside[_name(number)].read_bytes()
        try:
            text = self.inside["still" if number is None else f"picture-{number}"]
            return base64.b64decode(text, validate=True)
        except binascii.Error as error:
            raise ValueError(str(error)) from None


def _facts(text: str) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(text)
    kinds = [isinstance(facts[name], kind) for name, kind in _FACTS.items()]
    kinds.append(isinstance(facts["labels"], (list, type(None))))
    kinds += [isinstance(each, int) and each >= 0 for each in facts["pictures"]]
    kinds += [len(box) == 4 and all(isinstance(side, int) for side in box) for box in facts["boxes"]]
    if not all(kinds):
        raise TypeError("its facts are of other kinds")
    return facts


def _name(number: int | None) -> str:
    return assets.STILL if number is None else assets.picture_name(number)


class _Reader(HTMLParser):
    """Looks at every tag, attribute, script and style."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.loads: list[str] = []
        self.data: dict[str, str] = {}
        self.scripts = 0
        self._within: str | None = None  # a data block's id, or "" in what is executed

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag in _LOADING_TAGS or (tag == "meta" and named.get("http-equiv", "").lower() == "refresh"):  # type: ignore[union-attr]
            self.loads.append(f"<{tag}>")
        for name in named:
            if name in _LOADING_ATTRIBUTES or name.startswith("on") or name.endswith(":href"):
                self.loads.append(f"{name} of <{tag}>")
        if tag in ("script", "style"):
            self._within = named.get("id", "") if tag == "script" and "type" in named else ""
            self.scripts += tag == "script" and "type" not in named
        self.loads += [f"style of <{tag}>"] if "style" in named else []

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._within = None

    def handle_data(self, data: str) -> None:
        if self._within:
            self.data[self._within] = self.data.get(self._within, "") + data
        elif self._within == "":
            self.loads += sorted({f"{each} in code" for each in _LOADING_CODE.findall(data)})


def _file_size(movie: Path, expected: Expected) -> Check:
    limit_mb, has_mb = expected.options.player_limit_mb, movie.stat().st_size / 1e6
    return Check("file size", has_mb <= limit_mb, f"at most {limit_mb:g} MB", f"{has_mb:.3g} MB")


def _files(page: Page) -> Check:
    """The folder holds the pictures of the page, no others, and their bytes are those of its name."""
    if not page.folder:
        return Check("files", False, "pictures beside the page", "in the page")
    boxes = page.facts["boxes"]
    numbers: list[int | None] = [None, *(at for at, box in enumerate(boxes) if box[2])]
    due, found = {_name(number) for number in numbers}, set(page.beside)
    wrong = [_counted("missing", due - found), _counted("more", found - due), _counted("inside", page.inside)]
    if not any(wrong) and not assets.as_written(page.folder):
        wrong.append("other bytes than when they were written")
    text = f"{len(due)} pictures as they were written"
    return Check("files", not any(wrong), text, "; ".join(filter(None, wrong)) or text)


def _counted(what: str, names: Iterable[str]) -> str:
    listed = sorted(names)
    return f"{len(listed)} {what}, first {listed[0]}" if listed else ""


def _times(expected: Expected, seen: list[float]) -> Check:
    due = ends_s(expected.timeline)
    wrong = next((at for at, (a, b) in enumerate(zip(due, seen)) if a != b), None)
    if wrong is None and len(due) == len(seen):
        return Check("times", True, f"{due[-1]:.3f} s, each exact", f"{due[-1]:.3f} s, each exact")
    where = "" if wrong is None else f"; frame {wrong} ends at {seen[wrong]!s:.20} s"
    return Check("times", False, f"{len(due)} exact ends, {due[-1]:.3f} s", f"{len(seen)} ends{where}")


def _labels(expected: Expected, facts: Mapping[str, Any]) -> Check:
    numbers, labels = list(expected.timeline.numbers), facts["labels"]
    told = expected.options.labels
    if facts["numbers"] != numbers:
        return Check("labels", False, "each frame's number", "other numbers")
    if isinstance(told, str):  # labels are not told when a page is verified on its own
        ok = labels is None or len(labels) == len(numbers)
        return Check(
            "labels", ok, "a label a frame", "each frame's number" if labels is None else f"{len(labels)}"
        )
    wrong = next((at for at, (a, b) in enumerate(zip(told, labels or ())) if a != b), None)
    ok = wrong is None and labels is not None and len(labels) == len(told)
    seen = "as given" if ok else f"frame {wrong or 0} has another"
    return Check("labels", ok, "as given", seen)


def _compare(page: Page, expected: Expected, stop: Stop | None) -> list[Check]:
    """Every frame against its PNG: all pixels, but in a draft how like it is."""
    still = _decoded(page.picture(None))
    pictures = _pictures(page, still, stop)
    found = list(likenesses(pictures, expected.sources, expected.seen))
    if not expected.lossless:
        return list(picture_checks(found, expected))
    other = [position for position, frame in enumerate(found) if frame.own_db < PERFECT_DB]
    text = f"other pixels in {len(other)} frames, first {other[0]}" if other else "every pixel of every frame"
    return [Check("pixels", not other, "every pixel of every frame", text)]


def _pictures(page: Page, still: Pixels, stop: Stop | None) -> Iterator[Image]:
    from PIL import Image as Images

    for picture in page.facts["pictures"]:
        _stop_if_asked(stop)
        yield Images.fromarray(_shown(page, still, picture))


def _decoded(data: bytes) -> Pixels:
    from PIL import Image

    with Image.open(io.BytesIO(data), formats=("WEBP",)) as image:
        return np.asarray(image.convert("RGBA"))


def _shown(page: Page, still: Pixels, picture: int) -> Pixels:
    """A picture as the page puts it together; see ``draw`` in its script."""
    left, top, width, height = page.facts["boxes"][picture]
    whole: Pixels = still.copy()
    if width:
        part = _decoded(page.picture(picture))
        if part.shape[:2] != (height, width) or min(left, top) < 0:
            raise ValueError(f"picture {picture} has not the size of its box")
        whole[top : top + height, left : left + width] = part
    return whole


def _stop_if_asked(stop: Stop | None) -> None:
    if stop and stop.requested:
        raise Interrupted(
            f"stopped{stop.by} while the page was verified: the frames are safe. Run the same again to go on",
            signal_name=stop.signal_name,
        )
