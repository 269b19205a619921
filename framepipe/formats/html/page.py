"""Write the HTML player: a self-contained page with the movie in it.

What most frames share (axes, ticks, legends) is one picture, the *base image*. A frame is the rectangle
in which it differs from the base image, as WebP; the page copies it over the base image, alpha included,
so the pixels are the store's own. Frames of equal pixels share one picture. Of 100 frames of 1000x700 px
with three lines this takes 2.9 MB, and 11.4 with a field in 256 colours; whole frames as WebP take
3.1 and 13.1, as PNG 6.2 and 19.5.
"""

from __future__ import annotations

import base64
import hashlib
import html
import io
import json
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

from framepipe.core import png
from framepipe.core.control import Control
from framepipe.core.cpus import usable_cpus
from framepipe.core.images import read_png
from framepipe.core.process import Tool
from framepipe.errors import ToolMissing, UsageError
from framepipe.formats.html import assets

Pixels = npt.NDArray[np.uint8]
_BASE_SAMPLES = 9  # frames, an odd number, from which the base image is computed
_FORECAST_SAMPLES = 8  # frames from which the size is forecast
_DRAFT_QUALITY = 75
# measured: lossless method 2 is as small as 4 and 6, and faster; quality means effort here
_LOSSLESS = {"lossless": True, "quality": 75, "method": 2, "exact": True}
_DRAFT = {"quality": _DRAFT_QUALITY, "method": 4, "exact": True}
_MB = 1_000_000
_PICTURE_BLOCK = re.compile(r'<script type="image/webp;base64" id="[a-z0-9-]+">[A-Za-z0-9+/=]*</script>\n')
_FACTS_BLOCK = re.compile(r'<script type="application/json" id="movie">[^<>]*</script>\n')


@dataclass(frozen=True)
class Part:
    """The rectangle of a frame that differs: its upper left corner, its size, its WebP file; may be empty."""

    left: int
    top: int
    width: int
    height: int
    data: bytes

    @property
    def box(self) -> list[int]:
        """The rectangle as the page stores it."""
        return [self.left, self.top, self.width, self.height]


def find_pillow() -> Tool:
    """Return Pillow, which encodes the pictures of the page.

    Raises
    ------
    ToolMissing
        Pillow was built without WebP.
    """
    import PIL
    from PIL import features

    if not features.check("webp"):
        raise ToolMissing("Pillow here cannot write WebP. Get one that can: pip install -U Pillow")
    return Tool("pillow", str(Path(PIL.__file__).parent), PIL.__version__)


def build(
    spec: Mapping[str, Any], folder: Path, output: Path, on_frame: Callable[[int], None], control: Control
) -> None:
    """Write a page.

    Parameters
    ----------
    spec : mapping
        See `framepipe.formats.html.recipe`.
    folder : Path
        The folder of the frames.
    output : Path
    on_frame : callable
        Called with the number of frames done.
    control : Control, optional

    Raises
    ------
    UsageError
        The page would be larger than ``spec["limit_mb"]``; the message says what to do.
    """
    names = list(dict.fromkeys(spec["frames"]))
    alike = _first_equal(names, folder, control)
    distinct = list(dict.fromkeys(alike.values()))
    base_image = base_image_of([read_png(folder / name) for name in _spread(distinct, _BASE_SAMPLES)])
    encode = Encode(folder, base_image, spec["lossless"])
    if not spec["assets"]:
        _refuse(forecast(distinct, encode, base_image), spec["limit_mb"], len(distinct), is_forecast=True)
    boxes: dict[str, list[int]] = {}
    with (_FolderSink if spec["assets"] else _EmbeddedSink)(spec, output, len(distinct)) as sink:
        sink.add_base_image(webp(base_image, lossless=True))
        for part, name in zip(_in_order(encode, distinct, control), distinct):
            if part.data:
                sink.add(len(boxes), part.data)
            boxes[name] = part.box
            on_frame(round(len(boxes) / len(distinct) * len(spec["frames"])))
        positions = {name: at for at, name in enumerate(boxes)}
        pictures = [positions[alike[name]] for name in spec["frames"]]
        sink.finish(movie_block(spec, pictures, list(boxes.values())))


class _EmbeddedSink:
    """Writes the pictures into the page."""

    def __init__(self, spec: Mapping[str, Any], output: Path, count: int) -> None:
        self._limit_mb, self._count = spec["limit_mb"], count
        before, self._after = page(spec["metadata"])
        self._file = output.open("w", encoding="ascii", newline="\n")
        self._file.write(before)

    def __enter__(self) -> _EmbeddedSink:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add_base_image(self, data: bytes) -> None:
        _write_picture(self._file, "still", data)

    def add(self, picture: int, data: bytes) -> None:
        _write_picture(self._file, f"picture-{picture}", data)
        _refuse(self._file.tell(), self._limit_mb, self._count, is_forecast=False)

    def finish(self, facts: str) -> None:
        self._file.write(facts + self._after)


class _FolderSink:
    """Writes each picture into its own file, then the page, which names their folder by their digest."""

    def __init__(self, spec: Mapping[str, Any], output: Path, _: int) -> None:
        self._metadata, self._output = spec["metadata"], output
        self._digests: dict[str, str] = {}
        self._folder = output.with_name("pictures")

    def __enter__(self) -> _FolderSink:
        self._folder.mkdir()
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def add_base_image(self, data: bytes) -> None:
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


def _first_equal(names: Sequence[str], folder: Path, control: Control) -> dict[str, str]:
    """Return for each frame the first one with the same pixels, by a digest of the compressed pixels."""
    by_digest: dict[bytes, str] = {}
    first_names = {}
    for name in names:
        control.check("building the page")
        data = (folder / name).read_bytes()
        digest = hashlib.sha256()
        for kind, start, end in png.chunks(data):
            if kind in (b"IHDR", b"PLTE", b"tRNS", b"IDAT"):
                digest.update(data[start:end])
        first_names[name] = by_digest.setdefault(digest.digest(), name)
    return first_names


def _spread(names: Sequence[str], max_count: int) -> list[str]:
    count = min(max_count, len(names))
    return [names[round(at * (len(names) - 1) / max(1, count - 1))] for at in range(count)]


def base_image_of(pictures: Sequence[Pixels]) -> Pixels:
    """Compute the picture of each pixel's majority colour, transparent where there is no majority.

    Parameters
    ----------
    pictures : sequence of ndarray
        All of the same shape (height, width, 4).
    """
    stack = np.sort(np.stack([_packed(each) for each in pictures]), axis=0)
    middle = stack[len(stack) // 2]  # of sorted values: the majority's, if there is one
    has_majority = (stack == middle).sum(axis=0) * 2 > len(stack)
    return _unpacked(np.where(has_majority, middle, np.uint32(0)))


def _packed(rgba: Pixels) -> npt.NDArray[np.uint32]:
    return np.ascontiguousarray(rgba).view(np.uint32)[..., 0]


def _unpacked(values: npt.NDArray[np.uint32]) -> Pixels:
    return np.ascontiguousarray(values)[..., None].view(np.uint8)


@dataclass(frozen=True)
class Encode:
    """Encodes the rectangle of a frame that differs from the base image."""

    folder: Path
    base_image: Pixels
    lossless: bool

    def __call__(self, name: str) -> Part:
        """Encode a frame, by its file name."""
        rgba = read_png(self.folder / name)
        differs = _packed(rgba) != _packed(self.base_image)
        rows, columns = np.flatnonzero(differs.any(axis=1)), np.flatnonzero(differs.any(axis=0))
        if not len(rows):
            return Part(0, 0, 0, 0, b"")
        top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
        rectangle = rgba[top:bottom, left:right]
        return Part(left, top, right - left, bottom - top, webp(rectangle, lossless=self.lossless))


def webp(rgba: Pixels, *, lossless: bool) -> bytes:
    """Encode a picture as WebP, without an alpha channel if all is opaque."""
    from PIL import Image

    pixels = rgba[..., :3] if rgba[..., 3].min() == 255 else rgba
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "WEBP", **(_LOSSLESS if lossless else _DRAFT))
    return file.getvalue()


def forecast(distinct: Sequence[str], encode: Callable[[str], Part], base_image: Pixels) -> int:
    """Forecast the bytes of the page from a few frames."""
    samples = _spread(distinct, _FORECAST_SAMPLES)
    mean_bytes = sum(len(encode(name).data) for name in samples) / len(samples)
    binary = mean_bytes * len(distinct) + len(webp(base_image, lossless=True))
    return int(binary * 4 / 3) + len("".join(page({}))) + 100 * len(distinct)


def _refuse(size_bytes: int, limit_mb: float, pictures: int, *, is_forecast: bool) -> None:
    if size_bytes <= limit_mb * _MB:
        return
    problem = f"would have about {size_bytes / _MB:.0f} MB" if is_forecast else "grew over the limit"
    raise UsageError(
        f"the page {problem} with {pictures} pictures; the limit is {limit_mb:g} MB\n"
        "Take fewer frames (--every 2), --quality draft, a smaller --dpi, or an .mp4; "
        "or allow it: --player-limit-mb N; or put the pictures beside the page: --html-assets"
    )


def _in_order(encode: Callable[[str], Part], names: Iterable[str], control: Control) -> Iterator[Part]:
    """Yield parts in the order of the names, encoded on all processors, only a few ahead."""
    workers = usable_cpus()
    with ThreadPoolExecutor(workers) as pool:
        ahead: deque[Future[Part]] = deque()
        try:
            for name in names:
                ahead.append(pool.submit(encode, name))
                if len(ahead) > 2 * workers:
                    yield ahead.popleft().result()
                control.check("building the page")
            while ahead:
                yield ahead.popleft().result()
                control.check("building the page")
        finally:
            for future in ahead:
                future.cancel()


def page(metadata: Mapping[str, str], files: str | None = None) -> tuple[str, str]:
    """Return the page before and after its pictures and facts: ASCII, all text of users escaped.

    Parameters
    ----------
    metadata : mapping
    files : str, optional
        Name of the folder with the pictures, if they are not embedded.
    """
    text = resources.files("framepipe.formats.html").joinpath("player.html").read_text(encoding="ascii")
    tags = "\n".join(
        f'<meta name="{_escaped(name)}" content="{_escaped(str(content))}">'
        for name, content in metadata.items()
        if name != "title"
    )
    attribute = f' data-files="{assets.address(files)}"' if files else ""
    fill = {
        "files": attribute,
        "policy": policy(text, images=bool(files)),
        "title": _escaped(metadata.get("title", "")),
        "metadata": tags,
    }
    for slot, filling in fill.items():
        text = text.replace(f"<!--framepipe:{slot}-->", filling)
    before, after = text.split("<!--framepipe:movie-->", 1)
    return before, after


def is_page(text: str, files: str | None) -> bool:
    """True if a text is a page as `build` writes it, with any title, metadata, pictures and facts."""
    before, after = page({"title": "@title@", "@": ""}, files)
    template = re.escape(before).replace("@title@", "(?P<title>[^<>]*)", 1).replace("@title@", "(?P=title)")
    template = template.replace(
        re.escape('<meta name="@" content="">'), r'(?:<meta name="[^"<>]*" content="[^"<>]*">\n?)*'
    )
    head = re.match(template, text)
    if not head or not text.endswith(after):
        return False
    at, end = head.end(), len(text) - len(after)
    while picture := _PICTURE_BLOCK.match(text, at, end):
        at = picture.end()
    return _FACTS_BLOCK.fullmatch(text, at, end) is not None


def _escaped(text: str) -> str:
    return html.escape(text).encode("ascii", "xmlcharrefreplace").decode()


def policy(page_text: str, *, images: bool) -> str:
    """Return the Content-Security-Policy: this style, this script, and nothing else.

    With ``images``, pictures of the page's own origin are permitted. For a page that is opened as a file,
    Chromium counts any file as such (tried in 156); the script requests only those in its folder.
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
    """Encode the movie's facts as a JSON block without characters that have a meaning in HTML."""
    fields = ("width", "height", "ground", "plays", "numbers", "labels", "ends_s")
    facts = {name: spec[name] for name in fields} | {"pictures": list(pictures), "boxes": list(boxes)}
    text = json.dumps(facts, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    for each in "<>&":
        text = text.replace(each, f"\\u{ord(each):04x}")
    return f'<script type="application/json" id="movie">{text}</script>\n'
