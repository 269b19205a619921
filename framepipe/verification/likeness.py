"""Compare pictures as Pillow images: a few milliseconds a megapixel.

A picture here is a list of Pillow's images, its planes: one in colour; with alpha, a second of mode L; if
the format halves the resolution of colour, luma and the two halved chroma planes instead.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from framepipe.core import png
from framepipe.core.cpus import usable_cpus
from framepipe.core.images import PATCH_PX, PERFECT_DB, Pixels
from framepipe.verification.blocks import BlockComparison, Search, SuspectFrame
from framepipe.verification.cells import (
    BLOCK_PX,
    CELL_PX,
    Blocks,
    Cells,
    Indices,
    block_errors,
    cells_of,
    cut,
    differences,
    psnr,
)

if TYPE_CHECKING:
    from PIL.Image import Image

_MAX_THREADS = 4  # GIF and WebP are decoded in a single one
Planes = list["Image"]
Doubtful = tuple[Cells, Cells, Pixels]
#: Above it no comparison with the neighbours is needed: no source of theirs is closer by a dB.
_AS_GOOD_AS_EQUAL_DB = 70.0
_NEARLY_DB = PERFECT_DB - 0.1  # one pixel of a million differs
_HARDLY = 2.0  # an error of a patch; every lossy format has a greater limit


@dataclass(frozen=True)
class FrameScore:
    """The errors of one frame's picture against sources; PSNR in dB, 99 for equal pictures.

    Attributes
    ----------
    own_db : float
        PSNR against its own source.
    off : float
        Error of the worst patch: greatest difference of means of 8x8 px, 0 to 255.
    neighbour_db : tuple of float
        PSNR against the sources of the frame before and the frame after; 0 where there is none.
    neighbour_off : tuple of float
        Errors of the worst patch against these.
    next_source_db : float
        PSNR of its own source against that of the frame after; 0 where there is none.
    forgiven : float
        Error of the worst patch due to colours that the palette lacks; it is not part of ``off``.
    """

    own_db: float
    off: float
    neighbour_db: tuple[float, float] = (0.0, 0.0)
    neighbour_off: tuple[float, float] = (255.0, 255.0)
    next_source_db: float = 0.0
    forgiven: float = 0.0


def one_bit(image: Image, background: Sequence[int]) -> Planes:
    """Convert to planes as GIF shows them: a pixel is opaque (alpha 128 and more) or transparent."""
    from PIL import Image as Images

    if not image.has_transparency_data:
        return [image.convert("RGB")]
    rgba = image.convert("RGBA")
    mask = rgba.getchannel("A").point([0] * 128 + [255] * 128)
    return [Images.composite(rgba.convert("RGB"), Images.new("RGB", rgba.size, tuple(background)), mask)]


def colours_and_alpha(image: Image, background: Sequence[int]) -> Planes:
    """Composite colours over a background, so that invisible ones do not count; and alpha, all its levels."""
    from PIL import Image as Images

    if not image.has_transparency_data:
        return [image.convert("RGB"), Images.new("L", image.size, 255)]
    rgba = image.convert("RGBA")
    flat = Images.alpha_composite(Images.new("RGBA", rgba.size, (*background, 255)), rgba)
    return [flat.convert("RGB"), rgba.getchannel("A")]


def colours_where_seen(image: Image, background: Sequence[int]) -> Planes:
    """Return the exact colours, except where alpha is 0 and they are invisible; and alpha."""
    from PIL import Image as Images

    if not image.has_transparency_data:
        return [image.convert("RGB"), Images.new("L", image.size, 255)]
    rgba = image.convert("RGBA")
    alpha = rgba.getchannel("A")
    mask = alpha.point([0] + [255] * 255)
    return [
        Images.composite(rgba.convert("RGB"), Images.new("RGB", rgba.size, tuple(background)), mask),
        alpha,
    ]


def halved(planes: Planes) -> Planes:
    """Halve the resolution of chroma, so that the loss inherent in 4:2:0 is no error."""
    luma, *chroma = planes[0].convert("YCbCr").split()
    return [luma, *(plane.reduce(2) for plane in chroma), *planes[1:]]


def psnr_and_patch(one: Planes, other: Planes) -> tuple[float, float]:
    """Return PSNR in dB (99 for equal pictures), and the greatest difference of means of 8x8 px, 0 to 255."""
    from PIL import ImageChops

    squares = samples = 0
    for a, b in zip(one, other):
        difference = ImageChops.difference(a, b)
        if difference.getbbox():
            squares += sum((at & 255) ** 2 * count for at, count in enumerate(difference.histogram()))
        samples += a.width * a.height * len(a.getbands())
    if not squares:
        return PERFECT_DB, 0.0
    level = min(_NEARLY_DB, 10 * math.log10(255**2 * samples / squares))
    return level, max(_worst_patch(a, b) for a, b in zip(one, other))


def _worst_patch(one: Image, other: Image) -> float:
    from PIL import ImageChops

    return greatest(ImageChops.difference(one.reduce(PATCH_PX), other.reduce(PATCH_PX)))


def greatest(difference: Image) -> float:
    """Return the highest level in an image."""
    extrema = difference.getextrema()
    bands = extrema if isinstance(extrema[0], tuple) else (extrema,)
    return float(max(band[1] for band in bands))


def frame_scores(
    pictures: Iterable[Image],
    sources: Sequence[Path],
    to_planes: Callable[[Image], Planes],
    *,
    recheck: Callable[[Planes, Planes, float], float] = lambda picture, source, off: off,
    comparison: BlockComparison | None = None,
    in_rgb: bool = False,
) -> Iterator[FrameScore]:
    """Compare each picture with its source and the neighbouring ones.

    A few are compared in parallel, as Pillow releases Python's lock; only these are in memory.

    Parameters
    ----------
    pictures : iterable of Image
        One picture per source.
    sources : sequence of Path
    to_planes : callable
        Converts an image to planes as the format shows it.
    recheck : callable
        Called with a picture, its source and the error of the worst patch; returns the error that counts.
    comparison : BlockComparison, optional
        Examines the blocks of each picture that is not almost equal to its source.
    in_rgb : bool
        ``to_planes`` leaves opaque pictures as they are.
    """

    def compare(shown: Shown, near: Sequence[Future[Shown] | None]) -> tuple[FrameScore, Doubtful | None]:
        before, own, after = (each.result() if each else None for each in near)
        assert own is not None
        if quick := _nearly_equal(shown, own, comparison.min_squares if comparison and in_rgb else 0):
            return quick, None
        picture, source = shown.planes, own.planes
        neighbours = [each.planes if each else None for each in (before, after)]
        score = _score(picture, neighbours[0], source, neighbours[1], recheck)
        return score, _doubtful(picture, source, score, comparison.min_squares) if comparison else None

    def result(at: int, future: Future[tuple[FrameScore, Doubtful | None]]) -> FrameScore:
        score, pair = future.result()
        if comparison and pair:
            comparison.add(at, *pair)
        elif comparison:
            comparison.skip()
        return score

    threads = min(usable_cpus(), _MAX_THREADS)
    # two pools: judges that wait for sources must not keep them from being read
    with ThreadPoolExecutor(threads) as readers, ThreadPoolExecutor(threads) as judges:
        window = _Window(sources, lambda path: readers.submit(Shown.read, path, to_planes))
        pending: deque[tuple[int, Future[tuple[FrameScore, Doubtful | None]]]] = deque()
        for at, picture in enumerate(pictures):
            pending.append((at, judges.submit(compare, Shown.of(picture, to_planes), window.neighbours(at))))
            if len(pending) > 2 * threads:
                yield result(*pending.popleft())
        while pending:
            yield result(*pending.popleft())


@dataclass(frozen=True)
class AtPictures:
    """Reads frames once more with Pillow, see `framepipe.verification.blocks.SecondLook`.

    Attributes
    ----------
    sources : sequence of Path
    to_planes : callable
        Converts an image to planes as the format shows it.
    pictures : callable
        Reads the frames at some positions of the movie.
    """

    sources: Sequence[Path]
    to_planes: Callable[[Image], Planes]
    pictures: Callable[[list[int]], Iterator[Image]]

    def decoded_blocks(self, positions: Sequence[int]) -> Iterator[Blocks]:
        """See `framepipe.verification.blocks.SecondLook`."""
        return (cut(cells_of(self.to_planes(picture))) for picture in self.pictures(list(positions)))

    def source_blocks(self, position: int) -> Blocks:
        """See `framepipe.verification.blocks.SecondLook`."""
        return cut(cells_of(read(self.sources[position], self.to_planes)))

    def excuses(self, suspect: SuspectFrame, *, alien: bool) -> bool:
        """See `framepipe.verification.blocks.SecondLook`."""
        return False


def find_foreign_frame(
    comparison: BlockComparison,
    look: AtPictures,
) -> str:
    """Describe a frame that shows another's source; if any is suspect, all sources are read once more."""
    search = comparison.search()
    if search:
        threads = min(usable_cpus(), _MAX_THREADS)
        with ThreadPoolExecutor(threads) as readers:
            pending: deque[tuple[int, Future[Planes]]] = deque()
            for at, path in enumerate(look.sources):
                pending.append((at, readers.submit(read, path, look.to_planes)))
                if len(pending) > 2 * threads:
                    _show(search, *pending.popleft())
            while pending:
                _show(search, *pending.popleft())
    return comparison.verdict(search, [path.name for path in look.sources], look)


def _show(search: Search, at: int, source: Future[Planes]) -> None:
    search.show(at, cut(cells_of(source.result())))


def _doubtful(picture: Planes, own: Planes, score: FrameScore, min_squares: float) -> Doubtful | None:
    """Return the cells of both if a block may be off by ``min_squares``; for a plot in a GIF none is."""
    samples = sum(plane.width * plane.height * len(plane.getbands()) for plane in own)
    if 255**2 * samples / 10 ** (score.own_db / 10) < min_squares:
        return None
    cells = cells_of(picture), cells_of(own)
    errors = differences(*cells)
    greatest_level = max(float(np.abs(plane).max()) for plane in errors)
    return (*cells, block_errors(errors)) if (greatest_level * BLOCK_PX) ** 2 >= min_squares else None


def _score(
    picture: Planes,
    before: Planes | None,
    own: Planes,
    after: Planes | None,
    recheck: Callable[[Planes, Planes, float], float],
) -> FrameScore:
    own_db, plain = psnr_and_patch(picture, own)
    off = recheck(picture, own, plain)
    if own_db > _AS_GOOD_AS_EQUAL_DB:
        return FrameScore(own_db, off)
    neighbours = [
        (0.0, 255.0) if other is None else psnr_and_patch(picture, other) for other in (before, after)
    ]
    next_source_db = psnr_and_patch(own, after)[0] if after is not None else 0.0
    closeness, offs = zip(*neighbours)
    return FrameScore(own_db, off, closeness, offs, next_source_db, max(0.0, plain - off))


@dataclass
class Shown:
    """A picture as its format shows it: as an array, and as planes when they are needed.

    Attributes
    ----------
    to_planes : callable
    pixels : ndarray of uint8, shape (height, width, 3), or None
        None if it may be transparent.
    """

    to_planes: Callable[[Image], Planes]
    pixels: Pixels | None
    _planes: Planes | None = None

    @classmethod
    def of(cls, image: Image, to_planes: Callable[[Image], Planes]) -> Shown:
        """Take a copy of an image."""
        if image.mode == "RGB" and not image.has_transparency_data:
            return cls(to_planes, np.asarray(image))
        return cls(to_planes, None, to_planes(image))

    @classmethod
    def read(cls, path: Path, to_planes: Callable[[Image], Planes]) -> Shown:
        """Read a source."""
        from PIL import Image as Images

        pixels = png.decode(path.read_bytes())
        if pixels is not None and pixels.shape[2] == 3:
            return cls(to_planes, pixels)
        if pixels is not None:
            return cls(to_planes, None, to_planes(Images.fromarray(pixels)))
        with Images.open(path) as image:
            image.load()
            return cls(to_planes, None, to_planes(image))

    @property
    def planes(self) -> Planes:
        """The planes; made once."""
        from PIL import Image as Images

        if self._planes is None:
            assert self.pixels is not None
            self._planes = self.to_planes(Images.fromarray(self.pixels))
        return self._planes


def read(path: Path, to_planes: Callable[[Image], Planes]) -> Planes:
    """Read a source, as the format shows it."""
    return Shown.read(path, to_planes).planes


def _nearly_equal(shown: Shown, own: Shown, min_squares: float) -> FrameScore | None:
    """Score a picture that differs from its source in few samples, and only a little.

    Parameters
    ----------
    shown, own : Shown
    min_squares : float
        None of its blocks is off by as much; 0: only equal pictures are scored.

    Returns
    -------
    FrameScore or None
        None if they must be compared in full.
    """
    if shown.pixels is None or own.pixels is None or shown.pixels.shape != own.pixels.shape:
        return None
    at = _differing(shown.pixels.reshape(-1), own.pixels.reshape(-1))
    if at is None or (at.size and not min_squares):
        return None
    if not at.size:
        return FrameScore(PERFECT_DB, 0.0)
    steps = shown.pixels.reshape(-1)[at].astype(np.int16) - own.pixels.reshape(-1)[at]
    level = psnr(float(np.sum(steps.astype(np.float64) ** 2)), shown.pixels.size)
    off, off_in_cells = (_worst_mean(at, steps, shown.pixels.shape, side) for side in (PATCH_PX, CELL_PX))
    if level <= _AS_GOOD_AS_EQUAL_DB or off > _HARDLY or (off_in_cells * BLOCK_PX) ** 2 >= min_squares:
        return None
    return FrameScore(level, off)


def _differing(one: Pixels, other: Pixels) -> Indices | None:
    """Return where two rows of bytes differ; None if in more than a few places."""
    words = one.size // 8
    pairs = [each[: 8 * words].view(np.uint64) for each in (one, other)]
    some = np.flatnonzero(pairs[0] != pairs[1])
    if some.size > words // 16:
        return None
    at = np.concatenate([(some[:, None] * 8 + np.arange(8)).ravel(), np.arange(8 * words, one.size)])
    differing: Indices = at[one[at] != other[at]]
    return differing


def _worst_mean(at: Indices, steps: Pixels, shape: tuple[int, ...], side: int) -> float:
    """Return the greatest mean of the steps in squares of some pixels, of each colour; 0 to 255."""
    height, width, bands = shape
    row, rest = np.divmod(at, width * bands)
    column, band = np.divmod(rest, bands)
    row, column = row // side, column // side
    squares, which = np.unique((row * width + column) * bands + band, return_inverse=True)
    row, column = np.divmod(squares // bands, width)
    areas = np.minimum(side, height - row * side) * np.minimum(side, width - column * side)
    return float(np.max(np.abs(np.bincount(which, steps)) / areas))


class _Window:
    """The sources around a position, each read once, and the next one while others are compared."""

    def __init__(self, sources: Sequence[Path], read: Callable[[Path], Future[Shown]]) -> None:
        self._sources, self._read = sources, read
        self._loading: dict[Path, Future[Shown]] = {}

    def neighbours(self, at: int) -> list[Future[Shown] | None]:
        """Return the sources before, at and after a position; None where there is none or it is the same."""
        near = {k: self._sources[k] for k in (at - 1, at, at + 1) if 0 <= k < len(self._sources)}
        self._loading = {path: self._loading.get(path) or self._read(path) for path in near.values()}
        own = near[at]
        others = [self._loading[near[k]] if k in near and near[k] != own else None for k in (at - 1, at + 1)]
        return [others[0], self._loading[own], others[1]]
