"""Many small shapes that stay where they are and change their colours: scattered points, hexagons.

Agg rasterises each of them anew, 6 us a point. How much of each pixel a shape covers does not depend on its
colour: it is asked of Agg once, and from then on only colours are laid over one another, by the rule that
matplotlib's Agg has for it (``fixed_blender_rgba_plain`` in ``src/_backend_agg_basic_types.h``), in integers
as there. Then Agg draws the shapes once more, in colours that tell them apart, few of them in several such:
what comes out here must be the very same bytes, or they are left to Agg for ever. (How a line goes around a
tiny corner Agg may decide by the last bits of a number, and so in another way at another place.)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from framepipe.core.memory import give_back_free_memory
from framepipe.scenes.coverage import (
    ANTIALIASED,
    EDGECOLORS,
    FACECOLORS,
    GC,
    LINESTYLES,
    LINEWIDTHS,
    MASTER,
    MAX_BYTES,
    OFFSET_TRANSFORM,
    OFFSETS,
    PATHS,
    TRANSFORMS,
    Coverage,
)

#: Shapes that take less are not worth it.
_SLOW_S = 0.05
_COLOURS = (FACECOLORS, EDGECOLORS)
_ARRAYS = (TRANSFORMS, OFFSETS, LINEWIDTHS, ANTIALIASED)


@dataclass
class _Shapes:
    """What one artist has drawn.

    Attributes
    ----------
    about : tuple
        What decided the shapes.
    coverage : Coverage or None
        What they cover, once it is known.
    """

    about: tuple[Any, ...]
    coverage: Coverage | None = None

    @property
    def size_bytes(self) -> int:
        """Memory that this takes."""
        own = sum(int(each.nbytes) for each in self.about[1:])
        return own + (self.coverage.size_bytes if self.coverage else 0)


class Recolouring:
    """The shapes of one figure.

    Attributes
    ----------
    size_bytes : int
        Memory that is taken.
    reused : int
        How often shapes were only given other colours.
    is_learning : bool
        Something was found out in this frame that may make the next ones faster.
    """

    def __init__(self) -> None:
        self.reused, self.is_learning = 0, False
        self._known: dict[Any, _Shapes] = {}
        self._given_up: set[Any] = set()

    @property
    def size_bytes(self) -> int:
        """See the class."""
        return sum(each.size_bytes for each in self._known.values())

    def forget(self) -> None:
        """Forget all: the figure or the renderer is another one."""
        self._known.clear()
        self._given_up.clear()

    def give_up_others(self, keys: Container[Any]) -> None:
        """Leave artists that are not among these to Agg: learning them each time they come takes longer."""
        for key in [key for key in self._known if key not in keys]:
            self._give_up(key)

    def may_help(self, key: Any) -> bool:
        """True for an artist whose shapes are known, or were drawn once."""
        return key in self._known

    def knows(self, key: Any) -> bool:
        """True for an artist whose shapes are known."""
        return key in self._known and self._known[key].coverage is not None

    def draw(
        self, key: Any, renderer: Any, method: Callable[..., Any], arguments: Any, keywords: Any
    ) -> None:
        """Draw the shapes of an artist.

        Parameters
        ----------
        key : hashable
            The artist.
        renderer : TappedRenderer
        method : callable
            Agg's ``draw_path_collection``.
        arguments, keywords
            All of them.
        """
        if not len(arguments[PATHS]):  # matplotlib asks which arguments there are
            method(*arguments, **keywords)
            return
        known = self._known.get(key)
        if known and not _are_same_shapes(known.about, arguments):
            self._give_up(key)  # they move
            known = None
        picture = np.asarray(renderer.agg)
        if known and known.coverage:
            if known.coverage.lay(picture, *arguments[FACECOLORS : EDGECOLORS + 1]):
                self.reused += 1
            else:
                method(*arguments, **keywords)
            return
        if known:
            known.coverage = self._learn(renderer, method, arguments, keywords)
            give_back_free_memory()
            if known.coverage and known.coverage.lay(picture, *arguments[FACECOLORS : EDGECOLORS + 1]):
                self.is_learning = True
                return
            self._give_up(key)
        began = time.perf_counter()
        method(*arguments, **keywords)
        if self._is_candidate(key, arguments, time.perf_counter() - began):
            self._known[key] = _Shapes(_snapshot(arguments))
            self.is_learning = True

    def _is_candidate(self, key: Any, arguments: Any, seconds: float) -> bool:
        is_new = key not in self._known and key not in self._given_up
        return is_new and seconds >= _SLOW_S and _is_plain(arguments)

    def _give_up(self, key: Any) -> None:
        del self._known[key]
        self._given_up.add(key)

    def _learn(self, renderer: Any, method: Any, arguments: Any, keywords: Any) -> Coverage | None:
        """Find out what shapes cover; None unless Agg draws the same in colours that tell them apart."""
        coverage = Coverage.of(renderer, arguments, keywords)
        if coverage is None or self.size_bytes + coverage.size_bytes > MAX_BYTES:
            return None
        picture = np.asarray(renderer.agg)
        before, random = picture.copy(), np.random.default_rng(0)
        is_same = True
        for number in range(_rounds(len(arguments[OFFSETS]))):
            if number % 2:
                picture[..., :3] = 255 - before[..., :3]
            laid = picture.copy()
            colours = _contrasting_colours(arguments, random, coverage.is_opaque)
            is_same &= coverage.lay(laid, *colours)
            method(*arguments[:FACECOLORS], *colours, *arguments[EDGECOLORS + 1 :], **keywords)
            is_same &= np.array_equal(picture, laid)
            picture[...] = before
        return coverage if is_same else None


def _rounds(count: int) -> int:
    """Return in how many colours so many shapes are proven: few of them might look right by chance."""
    return max(1, min(8, 80_000 // count))


def _contrasting_colours(
    arguments: tuple[Any, ...], random: Any, is_opaque: bool
) -> list[npt.NDArray[np.float64]]:
    """Return colours of faces and edges by which each shape differs from what lies under it.

    Red is any level, and shows whether a cover is rather wrong; green is none or all of it, and shows it if
    it is off by a level; blue is none for faces and all for edges, or the other way round.
    """
    count, swaps = len(arguments[OFFSETS]), int(random.integers(0, 2))
    both = []
    for part, given in enumerate(arguments[FACECOLORS : EDGECOLORS + 1]):
        shape = count if len(given) else 0
        levels = random.random(shape), random.integers(0, 2, shape), np.full(shape, part ^ swaps)
        alpha = np.ones(shape) if is_opaque else random.choice([0.5, 1.0], shape)
        both.append(np.stack([*levels, alpha], axis=1).astype(np.float64))
    return both


def _is_plain(arguments: tuple[Any, ...]) -> bool:
    """True for one shape at many places, filled or outlined, and nothing else."""
    gc, count = arguments[GC], len(arguments[OFFSETS])
    is_alone = len(arguments[PATHS]) == 1 and len(arguments[TRANSFORMS]) in (0, 1, count) and count > 1
    is_bare = gc.get_hatch() is None and gc.get_sketch_params() is None and gc.get_clip_path()[0] is None
    is_smooth = bool(np.all(arguments[ANTIALIASED]))
    is_solid = all(dashes is None for _, dashes in arguments[LINESTYLES])
    is_flat = arguments[OFFSET_TRANSFORM].is_affine and arguments[MASTER].is_affine
    is_whole = not np.ma.is_masked(arguments[OFFSETS])
    return is_alone and is_bare and is_smooth and is_solid and is_flat and is_whole


def _about(arguments: tuple[Any, ...]) -> list[Any]:
    """Return what decides the shapes, but for arrays."""
    gc, path = arguments[GC], arguments[PATHS][0] if len(arguments[PATHS]) == 1 else None
    box = gc.get_clip_rectangle()
    return [
        None
        if path is None
        else (path.vertices.tobytes(), None if path.codes is None else path.codes.tobytes()),
        *(arguments[at].get_matrix().tobytes() for at in (MASTER, OFFSET_TRANSFORM)),
        None if box is None else tuple(map(float, box.extents)),
        (gc.get_alpha(), gc.get_antialiased(), gc.get_capstyle(), gc.get_joinstyle(), gc.get_snap()),
        [len(arguments[at]) for at in _COLOURS],
    ]


def _snapshot(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return what decides the shapes, as it is now."""
    return (_about(arguments), *(np.array(arguments[at]) for at in _ARRAYS))


def _are_same_shapes(before: tuple[Any, ...], arguments: tuple[Any, ...]) -> bool:
    if not _is_plain(arguments) or before[0] != _about(arguments):
        return False
    return all(np.array_equal(then, arguments[at]) for then, at in zip(before[1:], _ARRAYS))
