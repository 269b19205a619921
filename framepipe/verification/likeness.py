"""Compare pictures as Pillow images: a few milliseconds a megapixel.

A picture here is a list of Pillow's images, its planes: one in colour; with alpha, a second of mode L; if
the format halves the resolution of colour, luma and the two halved chroma planes instead.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from framepipe.core import png
from framepipe.core.cpus import usable_cpus
from framepipe.core.images import PATCH_PX, PERFECT_DB, Pixels
from framepipe.verification.blocks import BlockComparison, Search, SuspectFrame
from framepipe.verification.cells import (
    BLOCK_PX,
    Blocks,
    Cells,
    block_errors,
    cells_of,
    cut,
    differences,
)
from framepipe.verification.sparse import SparseDifference
from framepipe.verification.tolerance import Tolerance

if TYPE_CHECKING:
    from PIL.Image import Image

_MAX_THREADS = 4  # GIF and WebP are decoded in a single one
Planes = list["Image"]
Doubtful = tuple[Cells, Cells, Pixels]
#: Above it no comparison with the neighbours is needed: no source of theirs is closer by a dB.
_AS_GOOD_AS_EQUAL_DB = 70.0
#: Above it no difference is visible, whatever the neighbours have.
FINE_DB = 40.0
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
        PSNR against the sources of the frame before and the frame after; 0 where there is none, and
        where it does not matter.
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


def could_be_another(frame: FrameScore, tolerance: Tolerance) -> bool:
    """True if a frame is so far from its source that a neighbour's may match better."""
    return frame.own_db < FINE_DB or frame.off + frame.forgiven > tolerance.closer_off


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
    tolerance: Tolerance | None = None,
    comparison: BlockComparison | None = None,
    in_rgb: bool = False,
) -> Iterator[FrameScore]:
    """Compare each picture with its source, and with the neighbouring ones if it could show one of them.

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
    tolerance : Tolerance, optional
        Frames so near to their own source that no neighbour's can match better are not compared with these.
    comparison : BlockComparison, optional
        Examines the blocks of each picture that is not almost equal to its source.
    in_rgb : bool
        ``to_planes`` leaves opaque pictures as they are.
    """
    min_squares = comparison.min_squares if comparison else math.inf
    scorer = _Scorer(recheck, tolerance, min_squares, in_rgb)

    def result(at: int, future: Future[tuple[FrameScore, Doubtful | None]]) -> FrameScore:
        score, pair = future.result()
        if comparison and pair:
            comparison.add(at, *pair)
        elif comparison:
            comparison.skip()
        return score

    threads = min(usable_cpus(), _MAX_THREADS)
    # two pools: those who compare and wait for sources must not keep them from being read
    with ThreadPoolExecutor(threads) as readers, ThreadPoolExecutor(threads) as comparers:
        window = _Window(sources, lambda path: readers.submit(Shown.read, path, to_planes))
        pending: deque[tuple[int, Future[tuple[FrameScore, Doubtful | None]]]] = deque()
        for at, picture in enumerate(pictures):
            pending.append(
                (at, comparers.submit(scorer.compare, Shown.of(picture, to_planes), window.neighbours(at)))
            )
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


@dataclass(frozen=True)
class _Scorer:
    """Compares pictures one by one; see `frame_scores`, which has its attributes."""

    recheck: Callable[[Planes, Planes, float], float]
    tolerance: Tolerance | None
    min_squares: float
    in_rgb: bool

    def compare(
        self, shown: Shown, near: Sequence[Future[Shown] | None]
    ) -> tuple[FrameScore, Doubtful | None]:
        """Score a picture by the sources around it; also return its cells if a block may be off."""
        before, own, after = (each.result() if each else None for each in near)
        assert own is not None
        difference = self._sparse(shown, own)
        score = self._score(shown, own, difference)
        if score.own_db <= _AS_GOOD_AS_EQUAL_DB:
            score = self._beside_neighbours(score, shown, before, own, after)
        return score, self._doubtful(shown, own, score, difference)

    def _sparse(self, one: Shown, other: Shown) -> SparseDifference | None:
        return one.sparse_difference(other) if self.in_rgb else None

    def _score(self, shown: Shown, own: Shown, difference: SparseDifference | None) -> FrameScore:
        own_db, plain = (
            difference.psnr_and_patch() if difference else psnr_and_patch(shown.planes, own.planes)
        )
        off = self.recheck(shown.planes, own.planes, plain) if plain > _HARDLY else plain
        return FrameScore(own_db, off, forgiven=max(0.0, plain - off))

    def _beside_neighbours(
        self, score: FrameScore, shown: Shown, before: Shown | None, own: Shown, after: Shown | None
    ) -> FrameScore:
        if after is not None:
            step = self._sparse(own, after)
            next_db = step.psnr if step else psnr_and_patch(own.planes, after.planes)[0]
            score = replace(score, next_source_db=next_db)
        if self.tolerance and not could_be_another(score, self.tolerance):
            return score
        closeness, offs = zip(
            *(
                (0.0, 255.0) if other is None else psnr_and_patch(shown.planes, other.planes)
                for other in (before, after)
            )
        )
        return replace(score, neighbour_db=closeness, neighbour_off=offs)

    def _doubtful(
        self, shown: Shown, own: Shown, score: FrameScore, difference: SparseDifference | None
    ) -> Doubtful | None:
        """Return the cells of both if a block may be off by ``min_squares``; for a plot in a GIF none is."""
        if difference is not None and difference.worst_block() < self.min_squares:  # means differ by less
            return None
        picture, source = shown.planes, own.planes
        samples = sum(plane.width * plane.height * len(plane.getbands()) for plane in source)
        if 255**2 * samples / 10 ** (score.own_db / 10) < self.min_squares:
            return None
        cells = cells_of(picture), cells_of(source)
        errors = differences(*cells)
        greatest_level = max(float(np.abs(plane).max()) for plane in errors)
        is_doubtful = (greatest_level * BLOCK_PX) ** 2 >= self.min_squares
        return (*cells, block_errors(errors)) if is_doubtful else None


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

    def sparse_difference(self, other: Shown) -> SparseDifference | None:
        """Return the difference of two opaque pictures, None if they differ in many samples."""
        if self.pixels is None or other.pixels is None:
            return None
        return SparseDifference.of(self.pixels, other.pixels)

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
