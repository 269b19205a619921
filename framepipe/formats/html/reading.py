"""Read a page as a browser would: its facts, what it could load, and its pictures."""

from __future__ import annotations

import base64
import binascii
import io
import json
import re
from functools import cached_property
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np

from framepipe.core.images import Pixels
from framepipe.formats.html import assets
from framepipe.formats.html.page import is_page, policy

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

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.facts["width"], self.facts["height"]

    def file_names(self) -> set[str]:
        """Return the names of the files that its folder must have."""
        boxes = self.facts["boxes"]
        return {_name(None), *(_name(at) for at, box in enumerate(boxes) if box[2])}

    def frame(self, position: int) -> Pixels:
        """Compose a frame as the page does it; see ``draw`` in its script."""
        picture = self.facts["pictures"][position]
        left, top, width, height = self.facts["boxes"][picture]
        pixels: Pixels = self._base_image.copy()
        if width:
            part = _decoded(self._picture(picture))
            if part.shape[:2] != (height, width) or min(left, top) < 0:
                raise ValueError(f"picture {picture} has not the size of its box")
            pixels[top : top + height, left : left + width] = part
        return pixels

    @cached_property
    def _base_image(self) -> Pixels:
        return _decoded(self._picture(None))

    def _picture(self, number: int | None) -> bytes:
        """Return the bytes of a picture, None for the base image."""
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


def _decoded(data: bytes) -> Pixels:
    from PIL import Image

    with Image.open(io.BytesIO(data), formats=("WEBP",)) as image:
        return np.asarray(image.convert("RGBA"))


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
