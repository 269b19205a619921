"""The HTML player: a page with the movie in it, that needs nothing else.

What most frames share (axes, ticks, legends) is one picture, the *still*. A frame is the rectangle
in which it differs from the still, as WebP; the page copies it over the still, alpha and all, so the
pixels are the store's own. Frames of equal pixels share one picture. Of 100 frames of 1000x700 px
with three lines this takes 2.9 MB, and 11.4 with a field in 256 colours; whole frames as WebP take
3.1 and 13.1, as PNG 6.2 and 19.5.
"""

from __future__ import annotations

import base64
import hashlib
import html
import io
import json
import os
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from framepipe import assets, png
from framepipe.control import Stop
from framepipe.encoders.tools import Tool
from framepipe.errors import Interrupted, ToolMissing, UsageError
from framepipe.pictures import read_png

Pixels = npt.NDArray[np.uint8]
_STILL_FROM = 9  # frames, an odd number, from which the still is taken
_TRIED = 8  # frames from which the size is forecast
_DRAFT_QUALITY = 75
# measured: lossless method 2 is as small as 4 and 6, and faster; quality is the effort here
_LOSSLESS = {"lossless": True, "quality": 75, "method": 2, "exact": True}
_DRAFT = {"quality": _DRAFT_QUALITY, "method": 4, "exact": True}
_MB = 1_000_000
_PICTURE_BLOCK = re.compile(r'<script type="image/webp;base64" id="[a-z0-9-]+">[A-Za-z0-9+/=]*</script>\n')
_FACTS_BLOCK = re.compile(r'<script type="application/json" id="movie">[^<>]*</script>\n')


@dataclass(frozen=True)
class Part:
    """A frame's own rectangle: its left upper corner, its size, and its WebP file; or nothing."""

    left: int
    top: int
    width: int
    height: int
    data: bytes

    @property
    def box(self) -> list[int]:
        """As the page keeps it."""
        return [self.left, self.top, self.width, self.height]


def find_pillow() -> Tool:
    """Pillow, which makes the pictures in the page.

    Raises
    ------
    ToolMissing
        It was built without WebP.
    """
    import PIL
    from PIL import features

    if not features.check("webp"):
        raise ToolMissing("Pillow here cannot write WebP. Get one that can: pip install -U Pillow")
    return Tool("pillow", str(Path(PIL.__file__).parent), PIL.__version__)


def build(
    spec: Mapping[str, Any], folder: Path, output: Path, on_frame: Callable[[int], None], stop: Stop | None
) -> None:
    """Write a page.

    Parameters
    ----------
    spec : mapping
        See `framepipe.recipes.html`.
    folder : Path
        Of the frames.
    output : Path
    on_frame : callable
        Called with the number of frames done.
    stop : Stop, optional

    Raises
    ------
    UsageError
        The page would be larger than ``spec["limit_mb"]``; says what to do.
    """
    names = list(dict.fromkeys(spec["frames"]))
    alike = _alike(names, folder, stop)
    distinct = list(dict.fromkeys(alike.values()))
    still = still_of([read_png(folder / name) for name in _spread(distinct, _STILL_FROM)])
    encode = Encode(folder, still, spec["lossless"])
    if not spec["assets"]:
        _refuse(forecast(distinct, encode, still), spec["limit_mb"], len(distinct), tried=True)
    boxes: dict[str, list[int]] = {}
    with (_Beside if spec["assets"] else _Inside)(spec, output, len(distinct)) as sink:
        sink.add_still(webp(still, lossless=True))
        for part, name in zip(_in_order(encode, distinct, stop), distinct):
            if part.data:
                sink.add(len(boxes), part.data)
            boxes[name] = part.box
            on_frame(round(len(boxes) / len(distinct) * len(spec["frames"])))
        place = {name: at for at, name in enumerate(boxes)}
        pictures = [place[alike[name]] for name in spec["frames"]]
        sink.finish(movie_block(spec, pictures, list(boxes.values())))


class _Inside:
    """Writes the pictures into the page, one after the other."""

    def __init__(self, spec: Mapping[str, Any], output: Path, count: int) -> None:
        self._limit_mb, self._count = spec["limit_mb"], count
        before, self._after = page(spec["metadata"])
        self._file = output.open("w", encoding="ascii", newline="\n")
        self._file.write(before)

    def __enter__(self) -> _Inside:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add_still(self, data: bytes) -> None:
        _write_picture(self._file, "still", data)

    def add(self, picture: int, data: bytes) -> None:
        _write_picture(self._file, f"picture-{picture}", data)
        _refuse(self._file.tell(), self._limit_mb, self._count, tried=False)

    def finish(self, facts: str) -> None:
        self._file.write(facts + self._after)


class _Beside:
    """Writes each picture into its own file; the page, which names their folder by their digest, last."""

    def __init__(self, spec: Mapping[str, Any], output: Path, _: int) -> None:
        self._metadata, self._output = spec["metadata"], output
        self._digests: dict[str, str] = {}
        self._folder = output.with_name("pictures")

    def __enter__(self) -> _Beside:
        self._folder.mkdir()
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def add_still(self, data: bytes) -> None:
        self._write(assets.STILL, data)

    def add(self, picture: int, data: bytes) -> None:
        self._write(assets.picture_name(picture), data)

    def _write(self, name: str, data: bytes) -> None:
        path = self._folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        self._digests[name] = hashlib.sha256(data).hexdigest()

    def finish(self, facts: str) -> None:
        name = assets.folder_name(self._output.stem, self._digests)
        self._folder.rename(self._output.with_name(name))
        before, after = page(self._metadata, name)
        self._output.write_text(before + facts + after, encoding="ascii", newline="\n")


def _alike(names: Sequence[str], folder: Path, stop: Stop | None) -> dict[str, str]:
    """For each frame the first that has the same pixels: told by the compressed pixels, all of them."""
    first: dict[bytes, str] = {}
    found = {}
    for name in names:
        _stop_if_asked(stop)
        data = (folder / name).read_bytes()
        digest = hashlib.sha256()
        for kind, start, end in png.chunks(data):
            if kind in (b"IHDR", b"PLTE", b"tRNS", b"IDAT"):
                digest.update(data[start:end])
        found[name] = first.setdefault(digest.digest(), name)
    return found


def _spread(names: Sequence[str], most: int) -> list[str]:
    count = min(most, len(names))
    return [names[round(at * (len(names) - 1) / max(1, count - 1))] for at in range(count)]


def still_of(pictures: Sequence[Pixels]) -> Pixels:
    """Each pixel as most of the pictures have it, transparent where no colour has a majority.

    Parameters
    ----------
    pictures : sequence of ndarray
        Of shape (height, width, 4), all alike.
    """
    stack = np.sort(np.stack([_packed(each) for each in pictures]), axis=0)
    middle = stack[len(stack) // 2]  # of sorted values it is that of the majority, if there is one
    most = (stack == middle).sum(axis=0) * 2 > len(stack)
    return _unpacked(np.where(most, middle, np.uint32(0)))


def _packed(rgba: Pixels) -> npt.NDArray[np.uint32]:
    return np.ascontiguousarray(rgba).view(np.uint32)[..., 0]


def _unpacked(values: npt.NDArray[np.uint32]) -> Pixels:
    return np.ascontiguousarray(values)[..., None].view(np.uint8)


@dataclass(frozen=True)
class Encode:
    """Make a frame's own part of a picture."""

    folder: Path
    still: Pixels
    lossless: bool

    def __call__(self, name: str) -> Part:
        """Of one frame, by its file name."""
        rgba = read_png(self.folder / name)
        other = _packed(rgba) != _packed(self.still)
        rows, columns = np.flatnonzero(other.any(axis=1)), np.flatnonzero(other.any(axis=0))
        if not len(rows):
            return Part(0, 0, 0, 0, b"")
        top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
        own = rgba[top:bottom, left:right]
        return Part(left, top, right - left, bottom - top, webp(own, lossless=self.lossless))


def webp(rgba: Pixels, *, lossless: bool) -> bytes:
    """A picture as a WebP file, without an alpha channel where all is opaque."""
    from PIL import Image

    pixels = rgba[..., :3] if rgba[..., 3].min() == 255 else rgba
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "WEBP", **(_LOSSLESS if lossless else _DRAFT))
    return file.getvalue()


def forecast(distinct: Sequence[str], encode: Callable[[str], Part], still: Pixels) -> int:
    """Bytes that the page will have, from a few frames."""
    tried = _spread(distinct, _TRIED)
    each = sum(len(encode(name).data) for name in tried) / len(tried)
    binary = each * len(distinct) + len(webp(still, lossless=True))
    return int(binary * 4 / 3) + len("".join(page({}))) + 100 * len(distinct)


def _refuse(size_bytes: int, limit_mb: float, pictures: int, *, tried: bool) -> None:
    if size_bytes <= limit_mb * _MB:
        return
    about = f"would have about {size_bytes / _MB:.0f} MB" if tried else "grew over the limit"
    raise UsageError(
        f"the page {about} with {pictures} pictures; the limit is {limit_mb:g} MB\n"
        "Take fewer frames (--every 2), --quality draft, a smaller --dpi, or an .mp4; "
        "or allow it: --player-limit-mb N; or put the pictures beside the page: --html-assets"
    )


def _in_order(encode: Callable[[str], Part], names: Iterable[str], stop: Stop | None) -> Iterator[Part]:
    """Parts in the order of the names, made by all processors, only a few ahead."""
    workers = _processors()
    with ThreadPoolExecutor(workers) as pool:
        ahead: deque[Future[Part]] = deque()
        try:
            for name in names:
                ahead.append(pool.submit(encode, name))
                if len(ahead) > 2 * workers:
                    yield ahead.popleft().result()
                _stop_if_asked(stop)
            while ahead:
                yield ahead.popleft().result()
                _stop_if_asked(stop)
        finally:
            for waiting in ahead:
                waiting.cancel()


def _processors() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        return os.cpu_count() or 1


def _stop_if_asked(stop: Stop | None) -> None:
    if stop and stop.requested:
        raise Interrupted(
            f"stopped{stop.by} while the page was built: the frames are safe. Run the same again to go on",
            signal_name=stop.signal_name,
        )


def page(metadata: Mapping[str, str], files: str | None = None) -> tuple[str, str]:
    """The page before and after its pictures and its facts; ASCII, all text of users escaped.

    Parameters
    ----------
    metadata : mapping
    files : str, optional
        Name of the folder beside the page that has the pictures.
    """
    text = resources.files("framepipe.encoders").joinpath("player.html").read_text(encoding="ascii")
    named = "\n".join(
        f'<meta name="{_escaped(name)}" content="{_escaped(str(said))}">'
        for name, said in metadata.items()
        if name != "title"
    )
    attribute = f' data-files="{assets.address(files)}"' if files else ""
    fill = {
        "files": attribute,
        "policy": policy(text, images=bool(files)),
        "title": _escaped(metadata.get("title", "")),
        "metadata": named,
    }
    for slot, filling in fill.items():
        text = text.replace(f"<!--framepipe:{slot}-->", filling)
    before, after = text.split("<!--framepipe:movie-->", 1)
    return before, after


def is_page(text: str, files: str | None) -> bool:
    """Whether a text is a page as `build` writes it, whatever its title, metadata, pictures and facts are."""
    before, after = page({"title": "@title@", "@": ""}, files)
    own = re.escape(before).replace("@title@", "(?P<title>[^<>]*)", 1).replace("@title@", "(?P=title)")
    own = own.replace(
        re.escape('<meta name="@" content="">'), r'(?:<meta name="[^"<>]*" content="[^"<>]*">\n?)*'
    )
    head = re.match(own, text)
    if not head or not text.endswith(after):
        return False
    at, end = head.end(), len(text) - len(after)
    while picture := _PICTURE_BLOCK.match(text, at, end):
        at = picture.end()
    return _FACTS_BLOCK.fullmatch(text, at, end) is not None


def _escaped(text: str) -> str:
    return html.escape(text).encode("ascii", "xmlcharrefreplace").decode()


def policy(page_text: str, *, images: bool) -> str:
    """The Content-Security-Policy: this style, this script, and nothing from anywhere.

    With ``images``, pictures from where the page is. For a page that is opened as a file, Chromium
    takes any file for that (tried in 156); the script asks only for those in its folder.
    """
    parts = ["default-src 'none'", "base-uri 'none'", "form-action 'none'"]
    parts += ["img-src 'self'"] if images else []
    for kind in ("style", "script"):
        inline = re.findall(rf"<{kind}>(.*?)</{kind}>", page_text, re.DOTALL)
        digests = [base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in inline]
        parts.append(f"{kind}-src " + " ".join(f"'sha256-{digest}'" for digest in digests))
    return f'<meta http-equiv="Content-Security-Policy" content="{"; ".join(parts)}">'


def _write_picture(file: IO[str], name: str, data: bytes) -> None:
    text = base64.b64encode(data).decode()
    file.write(f'<script type="image/webp;base64" id="{name}">{text}</script>\n')


def movie_block(spec: Mapping[str, Any], pictures: Sequence[int], boxes: Sequence[Sequence[int]]) -> str:
    """The movie's facts as a JSON block that holds no character which HTML could take for its own."""
    kept = ("width", "height", "ground", "plays", "numbers", "labels", "ends_s")
    facts = {name: spec[name] for name in kept} | {"pictures": list(pictures), "boxes": list(boxes)}
    text = json.dumps(facts, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    for each in "<>&":
        text = text.replace(each, f"\\u{ord(each):04x}")
    return f'<script type="application/json" id="movie">{text}</script>\n'
