"""Check HTML pages: their facts, what they could load, and every picture in them or in their folder."""

from __future__ import annotations

import base64
import binascii
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from framepipe.core.control import Control
from framepipe.core.images import PERFECT_DB, Pixels
from framepipe.formats.html import assets
from framepipe.formats.html.page import is_page, policy
from framepipe.verification.blocks import BlockComparison
from framepipe.verification.check import Check, failure, plays, requirement, same, same_size
from framepipe.verification.expected import Expected
from framepipe.verification.judge import picture_checks
from framepipe.verification.likeness import AtPictures, find_foreign_frame, frame_scores

if TYPE_CHECKING:
    from PIL.Image import Image

_PICTURE = re.compile(r'<script type="image/webp;base64" id="([a-z0-9-]+)">([A-Za-z0-9+/=]*)</script>\n')
#: The fields of the page's JSON block; labels may be null.
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


def checks(movie: Path, expected: Expected, control: Control) -> Iterator[Check]:
    """Yield the checks of a page; see `framepipe.formats.measure`."""
    try:
        page = Page(movie.read_text(encoding="ascii"), movie.parent)
    # html.parser asserts that "<![" is followed by one of a few words
    except (OSError, ValueError, KeyError, TypeError, AssertionError, RecursionError) as error:
        yield failure("structure", "a whole page", error)
        return
    facts, count = page.facts, len(expected.timeline.numbers)
    yield Check("structure", True, "a whole page", f"{movie.stat().st_size:,} bytes")
    network = "only its own pictures are loaded" if page.folder else "nothing is loaded"
    yield requirement("network", network, "; ".join(page.loads)[:200])
    yield requirement(
        "page", "as framepipe writes it", "" if page.is_ours else "damaged, or of another version"
    )
    yield same("frames", count, len(facts["pictures"]))
    yield same_size(expected.size, (facts["width"], facts["height"]))
    yield _times(expected, facts["ends_s"])
    yield same("plays", plays(expected.timeline.loop), plays(facts["plays"]))
    yield _labels(expected, facts)
    yield _files(page) if page.folder or expected.options.html_assets else _file_size(movie, expected)
    if len(facts["pictures"]) != count or (facts["width"], facts["height"]) != expected.size:
        return
    try:
        picture_results = _compare(page, expected, control)
    except (OSError, ValueError, LookupError, TypeError, SyntaxError) as error:
        yield failure("decodes", "every frame", error)
        return
    yield requirement("decodes", "every frame")
    yield from picture_results


class Page:
    """A parsed page.

    Attributes
    ----------
    facts : dict
        The contents of its JSON block.
    folder : Path or None
        The folder of its pictures, if they are not embedded.
    embedded : dict of str to str
        Its embedded pictures in base64, by id.
    files : dict of str to Path
        The pictures in the folder, by name.
    loads : list of str
        Everything that might load something, or permits it.
    is_ours : bool
        It is as framepipe writes it: no tag, style or line of its script differs.
    """

    def __init__(self, text: str, place: Path) -> None:
        if not text.startswith("<!DOCTYPE html>") or not text.endswith("</html>\n"):
            raise ValueError("does not begin and end as a page")
        name = assets.folder_named_in(text)
        self.folder = place / name if name else None
        self.files = assets.pictures(self.folder) if self.folder and self.folder.is_dir() else {}
        pictures = _PICTURE.findall(text)
        self.embedded = dict(pictures)
        if len(self.embedded) < len(pictures):
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
        """Return the bytes of a picture, None for the base image; read as the page does it."""
        if self.folder:
            return self.files[_name(number)].read_bytes()
        try:
            text = self.embedded["still" if number is None else f"picture-{number}"]
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
    """Examines every tag, attribute, script and style."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.loads: list[str] = []
        self.data: dict[str, str] = {}
        self.scripts = 0
        self._within: str | None = None  # the id of a data block, or "" in executable code

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag in _LOADING_TAGS or (tag == "meta" and attributes.get("http-equiv", "").lower() == "refresh"):  # type: ignore[union-attr]
            self.loads.append(f"<{tag}>")
        for name in attributes:
            if name in _LOADING_ATTRIBUTES or name.startswith("on") or name.endswith(":href"):
                self.loads.append(f"{name} of <{tag}>")
        if tag in ("script", "style"):
            self._within = attributes.get("id", "") if tag == "script" and "type" in attributes else ""
            self.scripts += tag == "script" and "type" not in attributes
        self.loads += [f"style of <{tag}>"] if "style" in attributes else []

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
    """Check that the folder holds exactly the pictures of the page, with the digest in its name."""
    if not page.folder:
        return Check("files", False, "pictures beside the page", "in the page")
    boxes = page.facts["boxes"]
    numbers: list[int | None] = [None, *(at for at, box in enumerate(boxes) if box[2])]
    required, names = {_name(number) for number in numbers}, set(page.files)
    problems = [
        _counted("missing", required - names),
        _counted("more", names - required),
        _counted("inside", page.embedded),
    ]
    if not any(problems) and not assets.is_intact(page.folder):
        problems.append("other bytes than when they were written")
    return requirement(
        "files", f"{len(required)} pictures as they were written", "; ".join(filter(None, problems))
    )


def _counted(what: str, names: Iterable[str]) -> str:
    ordered = sorted(names)
    return f"{len(ordered)} {what}, first {ordered[0]}" if ordered else ""


def _times(expected: Expected, actual: list[float]) -> Check:
    required = expected.timeline.ends_s
    position = next((at for at, (a, b) in enumerate(zip(required, actual)) if a != b), None)
    if position is None and len(required) == len(actual):
        return Check("times", True, f"{required[-1]:.3f} s, each exact", f"{required[-1]:.3f} s, each exact")
    where = "" if position is None else f"; frame {position} ends at {actual[position]!s:.20} s"
    return Check(
        "times", False, f"{len(required)} exact ends, {required[-1]:.3f} s", f"{len(actual)} ends{where}"
    )


def _labels(expected: Expected, facts: Mapping[str, Any]) -> Check:
    numbers, labels = list(expected.timeline.numbers), facts["labels"]
    expected_labels = expected.options.labels
    if facts["numbers"] != numbers:
        return Check("labels", False, "each frame's number", "other numbers")
    if isinstance(expected_labels, str):  # labels are unknown when a page is verified separately
        ok = labels is None or len(labels) == len(numbers)
        return Check(
            "labels", ok, "a label a frame", "each frame's number" if labels is None else f"{len(labels)}"
        )
    position = next((at for at, (a, b) in enumerate(zip(expected_labels, labels or ())) if a != b), None)
    ok = position is None and labels is not None and len(labels) == len(expected_labels)
    result = "as given" if ok else f"frame {position or 0} has another"
    return Check("labels", ok, "as given", result)


def _compare(page: Page, expected: Expected, control: Control) -> list[Check]:
    """Compare every frame with its PNG: exactly, or by similarity in a draft."""
    base_image = _decoded(page.picture(None))
    all_positions = range(len(expected.sources))
    pictures = _pictures(page, base_image, all_positions, control)
    comparison = None if expected.lossless else BlockComparison(expected.tolerance.grain)
    scores = list(frame_scores(pictures, expected.sources, expected.to_planes, comparison=comparison))
    if comparison:
        look = AtPictures(
            expected.sources, expected.to_planes, lambda at: _pictures(page, base_image, at, control)
        )
        shows = find_foreign_frame(comparison, look)
        return list(picture_checks(scores, expected, shows, comparison.alike_mse))
    other = [position for position, frame in enumerate(scores) if frame.own_db < PERFECT_DB]
    problem = f"other pixels in {len(other)} frames, first {other[0]}" if other else ""
    return [requirement("pixels", "every pixel of every frame", problem)]


def _pictures(page: Page, base_image: Pixels, positions: Sequence[int], control: Control) -> Iterator[Image]:
    from PIL import Image as Images

    for position in positions:
        control.check("verifying the page")
        yield Images.fromarray(_compose(page, base_image, page.facts["pictures"][position]))


def _decoded(data: bytes) -> Pixels:
    from PIL import Image

    with Image.open(io.BytesIO(data), formats=("WEBP",)) as image:
        return np.asarray(image.convert("RGBA"))


def _compose(page: Page, base_image: Pixels, picture: int) -> Pixels:
    """Compose a picture as the page does it; see ``draw`` in its script."""
    left, top, width, height = page.facts["boxes"][picture]
    picture_pixels: Pixels = base_image.copy()
    if width:
        part = _decoded(page.picture(picture))
        if part.shape[:2] != (height, width) or min(left, top) < 0:
            raise ValueError(f"picture {picture} has not the size of its box")
        picture_pixels[top : top + height, left : left + width] = part
    return picture_pixels
