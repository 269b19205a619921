"""How much of each pixel many shapes cover, asked of Agg; and their colours, laid over one another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.path import Path
from matplotlib.transforms import Affine2D, IdentityTransform

#: Positions of the arguments of ``draw_path_collection``.
GC, MASTER, PATHS, TRANSFORMS, OFFSETS, OFFSET_TRANSFORM = range(6)
FACECOLORS, EDGECOLORS, LINEWIDTHS, LINESTYLES, ANTIALIASED = range(6, 11)
#: What is known of all shapes of a figure together.
MAX_BYTES = 96 << 20

#: Sides of the square, in pixels, that a shape must fit into.
_MAX_SIDE = 40
_SCRATCH_SIDE = 1536
#: Shapes that the edge of the axes cuts, which are asked for one by one.
_MAX_CUT = 3000
_OPAQUE = 255
_SHARE_OF = 1 / (65280.0 + np.arange(256))  # of Agg's divisor, by alpha
_CLEAR = np.zeros((1, 4))
_BLACK = np.array([[0.0, 0.0, 0.0, 1.0]])


class Coverage:
    """How much of each pixel some shapes cover, in their order.

    Parameters
    ----------
    entries : ndarray of int64
        Pixel times parts, plus part (face and edge of each shape in turn), times 256, plus cover; rising.
    count : int
        Number of shapes.
    is_opaque : bool
        What lies under a pixel that is covered wholly was left out.

    Attributes
    ----------
    is_opaque : bool
    is_too_deep : bool
        So many shapes lie over one another that this is of no use.
    """

    def __init__(self, entries: npt.NDArray[np.int64], count: int, is_opaque: bool) -> None:
        self._count, self.is_opaque = count, is_opaque
        covers, entries = (entries & 255).astype(np.uint8), entries >> 8
        parts = (entries % (2 * count)).astype(np.int32)
        entries //= 2 * count
        pixels = entries.astype(np.int32)
        del entries  # these arrays are large
        first = np.flatnonzero(np.diff(pixels, prepend=np.int32(-1))).astype(np.int32)
        lengths = np.diff(first, append=np.int32(len(pixels)))
        depth = np.arange(len(pixels), dtype=np.int32) - np.repeat(first, lengths)
        self.is_too_deep = bool(lengths.max(initial=0) >= 1 << 16)
        depth = depth.astype(np.uint16)
        self._ends = np.cumsum(np.bincount(depth))
        order = np.argsort(depth, kind="stable")
        self._pixels, self._parts, self._covers = pixels[order], parts[order], covers[order]

    @property
    def size_bytes(self) -> int:
        """Memory that this takes."""
        return self._pixels.nbytes + self._parts.nbytes + self._covers.nbytes

    @classmethod
    def of(cls, renderer: Any, arguments: Any, keywords: Any) -> Coverage | None:
        """Ask Agg; None if these shapes are too large, or too many are cut by the edge of the axes."""
        scratch = _Scratch.of(renderer, arguments, keywords)
        if scratch is None:
            return None
        is_opaque = _are_opaque(arguments[FACECOLORS]) and _are_opaque(arguments[EDGECOLORS])
        height, width = np.asarray(renderer.agg).shape[:2]
        closed = np.zeros(height * width, bool)
        entries: list[npt.NDArray[np.int64]] = []
        taken = 0
        for chunk in scratch.entries():  # from the uppermost shape down
            chunk = np.sort(chunk[~closed[(chunk >> 8) // (2 * scratch.count)]])
            if is_opaque:
                chunk = _visible(chunk, 2 * scratch.count, closed)
            entries.append(chunk)
            taken += chunk.nbytes
            if taken > MAX_BYTES:
                return None
        if scratch.has_failed:
            return None
        together = np.concatenate(entries)
        entries.clear()
        together.sort()
        coverage = cls(together, scratch.count, is_opaque)
        return None if coverage.is_too_deep else coverage

    def lay(self, buffer: npt.NDArray[np.uint8], faces: Any, edges: Any) -> bool:
        """Lay shapes of these colours over a picture.

        Parameters
        ----------
        buffer : ndarray of uint8, shape (height, width, 4)
            Straight alpha; must be opaque where the shapes are.
        faces, edges : ndarray, shape (n, 4)
            0 to 1; those of the first shapes are used again for the others.

        Returns
        -------
        bool
            False if that is not possible with these colours here, and nothing was done.
        """
        colours = np.zeros((2 * self._count, 4), np.uint8)
        for part, given in enumerate((faces, edges)):
            if len(given):
                levels = (np.asarray(given, np.float64) * 255 + 0.5).astype(np.uint8)
                colours[part::2] = levels[np.arange(self._count) % len(levels)]
        if self.is_opaque and not (_are_opaque(faces) and _are_opaque(edges)):
            return False
        picture = buffer.reshape(-1, 4)
        start = 0
        if len(self._ends) and not (picture[self._pixels[: self._ends[0]], 3] == _OPAQUE).all():
            return False
        for end in self._ends:
            self._lay_layer(picture, colours, slice(start, end))
            start = end
        return True

    def _lay_layer(
        self, picture: npt.NDArray[np.uint8], colours: npt.NDArray[np.uint8], layer: slice
    ) -> None:
        """Lay one shape at most over each pixel, as Agg does."""
        pixels, own = self._pixels[layer], colours[self._parts[layer]]
        alpha = self._covers[layer].astype(np.int32)
        if not self.is_opaque:  # rgba8::multiply
            product = own[:, 3] * alpha + 128
            alpha = ((product >> 8) + product) >> 8
        under = picture[pixels, :3].astype(np.int32)
        blended = 65280 * under + alpha[:, None] * (256 * own[:, :3].astype(np.int32) - 255 * under)
        # whole numbers, or at least 1/65535 away from one
        picture[pixels, :3] = (blended * _SHARE_OF[alpha][:, None] + 1e-6).astype(np.uint8)
        whole = alpha == _OPAQUE  # is copied
        picture[pixels[whole], :3] = own[whole, :3]


def _are_opaque(colours: Any) -> bool:
    return not len(colours) or bool((np.asarray(colours)[:, 3] == 1).all())


def _visible(entries: npt.NDArray[np.int64], stride: int, closed: npt.NDArray[np.bool_]) -> Any:
    """Leave out what a whole cover hides, of sorted entries; note which pixels are covered wholly."""
    pixels = (entries >> 8) // stride
    is_whole = (entries & 255) == _OPAQUE
    first = np.flatnonzero(np.diff(pixels, prepend=-1))
    if not len(first):
        return entries
    places = np.arange(len(entries))
    last_whole = np.maximum.reduceat(np.where(is_whole, places, -1), first)
    closed[pixels[first[last_whole >= 0]]] = True
    from_here = np.repeat(last_whole, np.diff(first, append=len(entries)))
    return entries[places >= from_here]


@dataclass
class _Scratch:
    """Where each shape is drawn apart from the others, to see what it covers.

    Attributes
    ----------
    renderer : RendererAgg
    arguments : tuple
    keywords : dict
    offsets, places : ndarray, shape (n, 2)
        By how much each shape is moved, and where that has its middle: pixels, from the lower left.
    side : int
        Of the square in which a shape has room.
    inside, cut : ndarray of int
        The shapes that are wholly within the axes, and those at their edge.
    has_failed : bool
        A shape was larger than it should be.
    """

    renderer: Any
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]
    offsets: npt.NDArray[np.float64]
    places: npt.NDArray[np.float64]
    side: int
    inside: npt.NDArray[np.intp]
    cut: npt.NDArray[np.intp]
    has_failed: bool = False

    @property
    def count(self) -> int:
        """Number of shapes."""
        return len(self.places)

    @classmethod
    def of(cls, renderer: Any, arguments: Any, keywords: Any) -> _Scratch | None:
        """Return one for these shapes; None if they are too large, or too many of them are cut."""
        moved_by = arguments[OFFSET_TRANSFORM].get_affine()
        offsets = moved_by.transform(np.asarray(arguments[OFFSETS], np.float64))
        middle, reach = _extent(renderer, arguments)
        places = offsets + middle
        side = 2 * int(np.ceil(reach)) + 1 if np.isfinite(reach) else _MAX_SIDE + 1
        if side > _MAX_SIDE or not np.isfinite(places).all():
            return None
        low, high = _clip_of(arguments[GC], renderer)
        corner = np.floor(places) - side // 2
        is_out = (corner >= high).any(1) | (corner + side <= low).any(1)
        is_in = (corner > low).all(1) & (corner + side < high).all(1)
        cut = np.flatnonzero(~is_in & ~is_out)
        if len(cut) > _MAX_CUT:
            return None
        return cls(renderer, arguments, keywords, offsets, places, side, np.flatnonzero(is_in), cut)

    def entries(self) -> Iterator[npt.NDArray[np.int64]]:
        """Yield what some shapes cover, packed as `Coverage` says; the uppermost shapes first."""
        across = _SCRATCH_SIDE // self.side
        scratch = type(self.renderer.agg)(across * self.side, across * self.side, self.renderer.dpi)
        cut = np.concatenate([np.zeros(0, np.int64), *self._entries_of_cut()])
        shapes = (cut >> 8) % (2 * self.count) // 2
        ends = [*range(len(self.inside), 0, -(across**2))]
        above = self.count
        for end in ends or [0]:
            chosen = self.inside[max(0, end - across**2) : end]
            from_here = int(chosen[0]) if end > across**2 else 0
            parts = [self._entries_of(scratch, chosen, across, part) for part in (0, 1)]
            yield np.concatenate([*parts, cut[(shapes >= from_here) & (shapes < above)]])
            above = from_here

    def _entries_of(self, scratch: Any, chosen: Any, across: int, part: int) -> npt.NDArray[np.int64]:
        """Draw some shapes, each in a square of its own, moved by whole pixels."""
        side = self.side
        squares = np.arange(len(chosen))
        corner = np.floor(self.places[chosen]) - side // 2
        moved_by = np.stack([squares % across, squares // across], 1) * side - corner
        self._draw(scratch, chosen, self.offsets[chosen] + moved_by, part)
        covers = np.asarray(scratch)[..., 3]
        self.has_failed |= bool(covers[::side].any() or covers[:, ::side].any())
        self.has_failed |= bool(covers[side - 1 :: side].any() or covers[:, side - 1 :: side].any())
        rows, columns = np.nonzero(covers)
        up = len(covers) - 1 - rows
        square = up // side * across + columns // side
        x, y = columns - moved_by[square, 0], up - moved_by[square, 1]
        return self._packed(x, y, chosen[square], part, covers[rows, columns])

    def _entries_of_cut(self) -> Iterator[npt.NDArray[np.int64]]:
        """Draw shapes at the edge one by one, where they are."""
        width, height = int(self.renderer.width), int(self.renderer.height)
        true = type(self.renderer.agg)(width, height, self.renderer.dpi)
        covers = np.asarray(true)[..., 3]
        for shape in self.cut:
            left, low = (np.floor(self.places[shape]) - self.side // 2).astype(int)
            box = _box(left, low, self.side, width, height)
            for part in (0, 1):
                self._draw(true, np.array([shape]), None, part)
                rows, columns = np.nonzero(covers[box])
                values = covers[box][rows, columns]
                x, y = columns + box[1].start, height - 1 - (rows + box[0].start)
                yield self._packed(x, y, np.full(len(x), shape), part, values)

    def _draw(self, scratch: Any, chosen: Any, offsets: Any, part: int) -> None:
        """Draw faces (part 0) or edges of some shapes, black on nothing; where they are, if None."""
        arguments = list(self.arguments)
        colours = arguments[FACECOLORS + part]
        scratch.clear()
        if not (len(colours) and len(chosen)):
            return
        for at in (TRANSFORMS, OFFSETS, LINEWIDTHS):
            if len(arguments[at]) > 1:
                arguments[at] = np.asarray(arguments[at])[chosen % len(arguments[at])]
        if offsets is not None:
            arguments[OFFSETS], arguments[OFFSET_TRANSFORM] = offsets, IdentityTransform()
            arguments[GC] = _unclipped(arguments[GC])
        # straight paths are moved to whole pixels by the width of their line, told though it is clear
        other = _CLEAR if len(arguments[EDGECOLORS]) and not _is_curved(arguments[PATHS][0]) else _CLEAR[:0]
        arguments[FACECOLORS], arguments[EDGECOLORS] = (_BLACK, other) if part == 0 else (_CLEAR[:0], _BLACK)
        scratch.draw_path_collection(*arguments, **self.keywords)

    def _packed(self, x: Any, y: Any, shapes: Any, part: int, covers: Any) -> npt.NDArray[np.int64]:
        width, height = int(self.renderer.width), int(self.renderer.height)
        pixels = ((height - 1 - y) * width + x).astype(np.int64)
        entries: npt.NDArray[np.int64] = ((pixels * 2 * self.count + 2 * shapes + part) << 8) | covers
        return entries


def _extent(renderer: Any, arguments: tuple[Any, ...]) -> tuple[Any, float]:
    """Return the middle of a shape that is not moved, and how far from it one may reach, in pixels."""
    transforms, master, widths = (arguments[at] for at in (TRANSFORMS, MASTER, LINEWIDTHS))
    corners = arguments[PATHS][0].vertices
    if len(transforms) > 1:  # of different sizes
        scale = np.abs(transforms)[:, :2].sum(2).max() * np.abs(master.get_matrix()[:2, :2]).sum(1).max()
        middle, reach = master.get_matrix()[:2, 2], np.abs(corners).max(initial=1.0) * scale
    else:
        for matrix in transforms:
            corners = Affine2D(matrix).transform(corners)
        corners = master.get_affine().transform(corners)
        middle = (corners.min(0) + corners.max(0)) / 2
        reach = np.abs(corners - middle).max()
    has_line = len(arguments[EDGECOLORS]) and len(widths)
    line = float(np.max(widths)) * renderer.points_to_pixels(1.0) if has_line else 0.0
    return middle, float(reach + 2.5 * line + 2)


def _clip_of(gc: Any, renderer: Any) -> tuple[Any, Any]:
    """Return the corners of what is drawn at all, in whole pixels from the lower left, as Agg rounds them."""
    width, height = int(renderer.width), int(renderer.height)
    box = gc.get_clip_rectangle()
    if box is None:
        return np.zeros(2), np.array([width, height])
    left, right = max(np.floor(box.x0 + 0.5), 0), min(np.floor(box.x1 + 0.5), width)
    top, bottom = max(np.floor(height - box.y1 + 0.5), 0), min(np.floor(height - box.y0 + 0.5), height)
    return np.array([left, height - bottom]), np.array([right, height - top])


def _box(left: int, low: int, side: int, width: int, height: int) -> tuple[slice, slice]:
    rows = slice(max(0, height - low - side), max(0, min(height, height - low)))
    return rows, slice(max(0, left), max(0, min(width, left + side)))


def _unclipped(gc: Any) -> Any:
    copy = type(gc)()
    copy.copy_properties(gc)
    copy.set_clip_rectangle(None)
    return copy


def _is_curved(path: Path) -> bool:
    return path.codes is not None and bool(np.isin(path.codes, (Path.CURVE3, Path.CURVE4)).any())
