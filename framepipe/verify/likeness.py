"""Pictures as Pillow holds them, and how far they are apart: a few milliseconds a megapixel.

A picture here is a list of Pillow's images: one in colour; with alpha kept, a second of mode L; where a
format halves the resolution of colour, luma and the two halved chroma planes.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from framepipe.engines.cpus import usable_cpus
from framepipe.pictures import PATCH_PX, PERFECT_DB

if TYPE_CHECKING:
    from PIL.Image import Image

_MOST_THREADS = 4  # GIF and WebP are decoded in one
Shown = list["Image"]
#: Above it there is nothing to compare with the frames beside: no source of theirs is closer by a dB.
_AS_GOOD_AS_EQUAL_DB = 70.0
_NEARLY_DB = PERFECT_DB - 0.1  # one pixel of a million is not equal


@dataclass(frozen=True)
class Likeness:
    """How close the picture of one frame is to sources; PSNR in dB, 99 for equal pictures.

    Attributes
    ----------
    own_db : float
        To its own source.
    off : float
        Of the worst patch: greatest difference of means of 8x8 px, 0 to 255.
    beside_db : tuple of float
        To the sources of the frame before and the frame after; 0 where there is none.
    beside_off : tuple of float
        From these.
    alike_db : float
        Its own source to that of the frame after; 0 where there is none.
    forgiven : float
        How much further off the worst patch is if it is not forgiven that a palette lacks its colours.
    """

    own_db: float
    off: float
    beside_db: tuple[float, float] = (0.0, 0.0)
    beside_off: tuple[float, float] = (255.0, 255.0)
    alike_db: float = 0.0
    forgiven: float = 0.0


def one_bit(image: Image, ground: Sequence[int]) -> Shown:
    """As GIF shows it: a pixel is opaque (alpha 128 and more) or not at all."""
    from PIL import Image as Images

    if not image.has_transparency_data:
        return [image.convert("RGB")]
    rgba = image.convert("RGBA")
    mask = rgba.getchannel("A").point([0] * 128 + [255] * 128)
    return [Images.composite(rgba.convert("RGB"), Images.new("RGB", rgba.size, tuple(ground)), mask)]


def colours_and_alpha(image: Image, ground: Sequence[int]) -> Shown:
    """Colours laid over a ground, so that those nobody sees do not count; and alpha, all its levels."""
    from PIL import Image as Images

    if not image.has_transparency_data:
        return [image.convert("RGB"), Images.new("L", image.size, 255)]
    rgba = image.convert("RGBA")
    flat = Images.alpha_composite(Images.new("RGBA", rgba.size, (*ground, 255)), rgba)
    return [flat.convert("RGB"), rgba.getchannel("A")]


def colours_where_seen(image: Image, ground: Sequence[int]) -> Shown:
    """Colours exactly as they are, but under alpha 0 where nobody sees them; and alpha."""
    from PIL import Image as Images

    if not image.has_transparency_data:
        return [image.convert("RGB"), Images.new("L", image.size, 255)]
    rgba = image.convert("RGBA")
    alpha = rgba.getchannel("A")
    mask = alpha.point([0] + [255] * 255)
    return [Images.composite(rgba.convert("RGB"), Images.new("RGB", rgba.size, tuple(ground)), mask), alpha]


def halved(shown: Shown) -> Shown:
    """The same with chroma at half the resolution: what 4:2:0 loses by its nature is no error."""
    luma, *chroma = shown[0].convert("YCbCr").split()
    return [luma, *(plane.reduce(2) for plane in chroma), *shown[1:]]


def apart(one: Shown, other: Shown) -> tuple[float, float]:
    """PSNR in dB (99 for equal pictures), and the greatest difference of means of 8x8 px, 0 to 255."""
    from PIL import ImageChops

    squares = samples = 0
    for a, b in zip(one, other):
        differs = ImageChops.difference(a, b)
        if differs.getbbox():
            squares += sum((at & 255) ** 2 * count for at, count in enumerate(differs.histogram()))
        samples += a.width * a.height * len(a.getbands())
    if not squares:
        return PERFECT_DB, 0.0
    level = min(_NEARLY_DB, 10 * math.log10(255**2 * samples / squares))
    return level, max(_worst_patch(a, b) for a, b in zip(one, other))


def _worst_patch(one: Image, other: Image) -> float:
    from PIL import ImageChops

    differs = ImageChops.difference(one.reduce(PATCH_PX), other.reduce(PATCH_PX)).getextrema()
    most = differs if isinstance(differs[0], tuple) else (differs,)
    return float(max(band[1] for band in most))


def likenesses(
    pictures: Iterable[Image],
    sources: Sequence[Path],
    shown: Callable[[Image], Shown],
    *,
    recheck: Callable[[Shown, Shown, float], float] = lambda seen, source, off: off,
) -> Iterator[Likeness]:
    """Hold each picture against its source and those beside.

    Some are looked at side by side, for Pillow works outside of Python's lock; so many are in memory.

    Parameters
    ----------
    pictures : iterable of Image
        As many as sources.
    sources : sequence of Path
    shown : callable
        Makes of an image what the format can show of it.
    recheck : callable
        Looks once more at a picture and its source, whose worst patch is off by so much; returns by how
        much it is.
    """

    def compare(seen: Shown, near: Sequence[Future[Shown] | None]) -> Likeness:
        before, own, after = (each.result() if each else None for each in near)
        assert own is not None
        return _likeness(seen, before, own, after, recheck)

    threads = min(usable_cpus(), _MOST_THREADS)
    # two pools: what waits for sources must not keep them from being read
    with ThreadPoolExecutor(threads) as readers, ThreadPoolExecutor(threads) as judges:
        window = _Window(sources, lambda path: readers.submit(_read, path, shown))
        waiting: deque[Future[Likeness]] = deque()
        for at, picture in enumerate(pictures):
            waiting.append(judges.submit(compare, shown(picture), window.around(at)))
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _likeness(
    seen: Shown,
    before: Shown | None,
    own: Shown,
    after: Shown | None,
    recheck: Callable[[Shown, Shown, float], float],
) -> Likeness:
    own_db, plain = apart(seen, own)
    off = recheck(seen, own, plain)
    if own_db > _AS_GOOD_AS_EQUAL_DB:
        return Likeness(own_db, off)
    beside = [(0.0, 255.0) if other is None else apart(seen, other) for other in (before, after)]
    alike = apart(own, after)[0] if after is not None else 0.0
    closeness, offs = zip(*beside)
    return Likeness(own_db, off, closeness, offs, alike, max(0.0, plain - off))


def _read(path: Path, shown: Callable[[Image], Shown]) -> Shown:
    from PIL import Image as Images

    with Images.open(path) as image:
        image.load()
        return shown(image)


class _Window:
    """Sources around a position, each read once, and the next one while others are compared."""

    def __init__(self, sources: Sequence[Path], read: Callable[[Path], Future[Shown]]) -> None:
        self._sources, self._read = sources, read
        self._held: dict[Path, Future[Shown]] = {}

    def around(self, at: int) -> list[Future[Shown] | None]:
        """The sources before, at and after a position; None where there is none or it is the same."""
        near = {k: self._sources[k] for k in (at - 1, at, at + 1) if 0 <= k < len(self._sources)}
        self._held = {path: self._held.get(path) or self._read(path) for path in near.values()}
        own = near[at]
        beside = [self._held[near[k]] if k in near and near[k] != own else None for k in (at - 1, at + 1)]
        return [beside[0], self._held[own], beside[1]]
