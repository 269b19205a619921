"""A canvas that draws only what has changed: it tapes what each artist draws, and replays it.

What an artist gives to Agg (paths, markers, glyphs, pictures) is kept with a `Watch` of what decided it. As
long as that is the same, it is given to Agg again, which costs microseconds instead of a matplotlib ``draw``.
The order of artists is kept, so what lies above a changed one is replayed over it; what lies below all
changed ones is one copy of the buffer.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.collections import Collection
from matplotlib.figure import FigureBase
from matplotlib.image import AxesImage
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.path import Path
from matplotlib.transforms import Transform

from framepipe.scenes import matplotlib_private
from framepipe.scenes.axis_records import AxisRecord, AxisRecords
from framepipe.scenes.in_3d import InThreeD
from framepipe.scenes.recolouring import Recolouring
from framepipe.scenes.redraw import Watch, draws_itself, surroundings
from framepipe.scenes.stencils import Stencils
from framepipe.scenes.texts import Texts

#: All tapes of a figure together; what would go beyond is drawn anew.
_MAX_BYTES = 128 << 20
#: An artist that was different so often in a row is looked at less and less.
_PATIENCE, _MAX_REST = 3, 64
#: An artist that takes so long is worth to be looked at, if only to know that it is another each time.
_SLOW_S = 0.1

#: Artists that have few texts if any: in a figure that is made anew nothing is known of them.
_NEVER_BY_VALUE = (Collection, Line2D, Patch, AxesImage)

Primitive = tuple[Callable[..., Any], tuple[Any, ...]]


@dataclass
class Tape:
    """What an artist has drawn.

    Attributes
    ----------
    artist : Artist
    watch : Watch or None
        None: it is drawn anew.
    primitives : list of Primitive
    marks : list of (Axes, int)
        The surroundings that it was drawn in, by their number.
    last : Watch or None
        What it was when it was drawn last, of one that takes long and was not taped.
    size_bytes : int
    changes : int
        How often in a row it was different.
    rests_until : int
        Frame before which it is drawn anew without a look.
    boxes : dict
        What `get_tightbbox` gave for it, by its arguments.
    """

    artist: Any
    watch: Watch | None = None
    primitives: list[Primitive] = field(default_factory=list)
    marks: list[tuple[Any, int | None]] = field(default_factory=list)
    last: Watch | None = None
    size_bytes: int = 0
    changes: int = 0
    rests_until: int = 0
    boxes: dict[Any, Any] = field(default_factory=dict)


class _Tap:
    """Stands before Agg's renderer: all that is drawn passes here.

    Parameters
    ----------
    agg : object
        Agg's own renderer.
    tapes : Tapes
    """

    def __init__(self, agg: Any, tapes: Tapes) -> None:
        self.agg, self._tapes = agg, tapes

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.agg, name)
        if not name.startswith("draw_"):
            return method
        tapped = functools.partial(self._tapes.primitive, method)
        setattr(self, name, tapped)
        return tapped


class TappedRenderer(RendererAgg):
    """Agg, with a tap."""

    def __init__(self, width: float, height: float, dpi: float, tapes: Tapes) -> None:
        super().__init__(width, height, dpi)  # type: ignore[no-untyped-call]
        self.agg = self._renderer
        self.tapes = tapes
        self._renderer = _Tap(self.agg, tapes)
        self._update_methods()

    @property
    def is_tapped(self) -> bool:
        """False while an artist is drawn apart, to be filtered."""
        return isinstance(self._renderer, _Tap)

    def buffer_rgba(self) -> memoryview:
        """See `RendererAgg`."""
        self.tapes.flush()
        return memoryview(getattr(self._renderer, "agg", self._renderer))

    def tostring_argb(self) -> bytes:
        """See `RendererAgg`."""
        return np.asarray(self.buffer_rgba()).take([3, 0, 1, 2], axis=2).tobytes()

    def clear(self) -> None:
        """See `RendererAgg`."""
        self.tapes.begin_buffer()

    def restore_region(self, *arguments: Any, **keywords: Any) -> None:
        """See `RendererAgg`."""
        self.tapes.flush()
        super().restore_region(*arguments, **keywords)  # type: ignore[no-untyped-call]

    def _update_methods(self) -> None:
        super()._update_methods()  # type: ignore[no-untyped-call]
        if self.is_tapped:
            self.copy_from_bbox = self._copy_from_bbox

    def _copy_from_bbox(self, bbox: Any) -> Any:
        self.tapes.flush()
        return self.agg.copy_from_bbox(bbox)


class TappedCanvas(FigureCanvasAgg):
    """The canvas of one figure that `Figure.savefig` is given to draw on."""

    def __init__(self, figure: Any, tapes: Tapes) -> None:
        before, own_dpi = figure.canvas, getattr(figure, matplotlib_private.ORIGINAL_DPI)
        super().__init__(figure)
        setattr(figure, matplotlib_private.ORIGINAL_DPI, own_dpi)  # a new canvas resets it before 3.10
        figure.set_canvas(before)
        self._tapes = tapes

    def get_renderer(self) -> TappedRenderer:
        """See `FigureCanvasAgg`."""
        agg: Any = super()
        usual = agg.get_renderer()  # which rounds the size of the figure as this matplotlib does
        renderer = self._tapes.renderer_of(usual.width, usual.height, usual.dpi)
        self.renderer = renderer
        return renderer

    def print_rgba(self, filename_or_obj: Any, **_: Any) -> None:
        """See `FigureCanvasAgg`."""
        renderer = self.get_renderer()
        with self._tapes.frame(self.figure):
            renderer.clear()
            self.figure.draw(renderer)
        filename_or_obj.write(renderer.buffer_rgba())


class Tapes:
    """Recordings of all artists of one figure.

    Attributes
    ----------
    refused : str
        Why this figure is not to be drawn so; empty if it may be.
    replayed, drawn : int
        Artists of the last frame.
    is_first : bool
        True after the first frame, in which only texts can be used again.
    reused : int
        How much of the last frame was not drawn for it: artists, texts.
    """

    def __init__(self, figure: Any = None) -> None:
        self.refused = ""
        self.replayed = self.drawn = self.reused = self._taped_bytes = 0
        self._figure, self._stays = figure, figure is not None
        self._texts, self._axis_records, self._solid = Texts(), AxisRecords(), InThreeD()
        self._stencils, self._recolouring = Stencils(self._texts), Recolouring()
        self._known: dict[Any, Tape] = {}
        self._renderer: TappedRenderer | None = None
        self._number = 0
        self._is_on = False
        self._style: Any = None
        self._running: list[Primitive] | None = None
        self._is_inside = False
        self._inside_of: Any = None
        self._met: set[Any] = set()
        self._known_before: set[Any] = set()
        self._surroundings: dict[int, tuple[Watch, int, Any]] = {}
        self._looked_at: set[int] = set()
        self._checked: dict[Any, bool] = {}
        self._new: dict[Any, tuple[Tape, list[Primitive], Watch | None]] = {}
        self._took: dict[
            Any, tuple[float, bool]
        ] = {}  # seconds, when it was drawn; true if only a tape helps
        self._pending: list[Any] = []
        self._is_below = False
        self._below: tuple[list[Any], Any] | None = None
        self._candidate: list[Any] = []
        self._tickless: list[Any] = []  # axes, their formatters and ticks, which are not made

    @property
    def is_first(self) -> bool:
        """See the class."""
        return self._number == 1

    @property
    def is_learning(self) -> bool:
        """True if something was found out in the last frame that may make the next ones faster."""
        return self._recolouring.is_learning

    @property
    def size_bytes(self) -> int:
        """Memory of all that is kept, about."""
        kept = (self._axis_records, self._texts, self._solid, self._stencils, self._recolouring)
        return self._taped_bytes + sum(each.size_bytes for each in kept)

    def renderer_of(self, width: float, height: float, dpi: float) -> TappedRenderer:
        """The renderer for this size and style, the same one as long as they do not change.

        matplotlib remembers for each renderer how large texts are, whatever becomes of rcParams.
        """
        now, style = self._renderer, matplotlib_private.style_of_drawing()
        if now is None or (now.width, now.height, now.dpi) != (width, height, dpi) or style != self._style:
            self._forget()
            self._axis_records.forget()
            if style != self._style:
                self._texts.forget()
            self._style = style
            self._renderer = now = TappedRenderer(width, height, dpi, self)
        return now

    @contextmanager
    def frame(self, figure: Any) -> Iterator[None]:
        """Draw a frame: artists are taped, and replayed where nothing has changed."""
        self._stays = figure is self._figure
        if not self._stays:
            self._forget()
            self._figure = figure
            self._took.clear()
        self._make_ticks()
        self._number += 1
        self.replayed = self.drawn = 0
        before = self._reused_parts()
        self._recolouring.is_learning = False
        self._met, self._checked = set(), {}
        self._looked_at.clear()
        self._axis_records.begin_frame()
        self._solid.begin_frame()
        self._is_on = True
        try:
            with matplotlib_private.drawing_taken_over(self, self._texts, self._stencils, self._solid):
                yield
        except BaseException:
            self._number -= 1
            self._new.clear()
            raise
        finally:
            self._is_on = self._is_inside = False
            self._solid.end_frame()
            self._running = None
        self.reused = self.replayed + self._reused_parts() - before
        self._look_at_new()
        self._drop_unmet()

    def _reused_parts(self) -> int:
        return self._texts.reused + self._axis_records.reused + self._recolouring.reused

    def is_in_vain(self, figure: Any, slow_s: float, share: float) -> bool:
        """True if hardly anything of a figure that takes long can be replayed, by what its artists took.

        Parameters
        ----------
        figure : Figure
            What is to be drawn next.
        slow_s : float
            Seconds from which this is worth a look.
        share : float
            Of these seconds, what is too much for artists that have changed.
        """
        total_s = sum(seconds for seconds, _ in self._took.values())
        if total_s < slow_s:
            return False
        if figure is not self._figure:  # made anew: texts and axes may come by value, all else is drawn
            return sum(seconds for seconds, by_tape in self._took.values() if by_tape) >= share * total_s
        changed_s = 0.0
        for key, tape in self._known.items():
            last = tape.watch or tape.last
            if not self._recolouring.may_help(key) and (last is None or not last.same()):
                changed_s += self._took.get(key, (0.0, False))[0]
        return changed_s >= share * total_s

    def _forget(self) -> None:
        self._known.clear()
        self._recolouring.forget()
        self._solid.forget()
        self._stencils.forget()
        self._surroundings.clear()
        self._below, self._candidate, self._taped_bytes = None, [], 0
        self._known_before = set()

    def _drop_unmet(self) -> None:
        for key in [key for key in self._known if key not in self._met]:
            self._drop(key)
        for key in [key for key in self._took if key not in self._met]:
            del self._took[key]
        self._recolouring.give_up_others(self._met)
        self._known_before = self._met

    def _drop(self, key: Any) -> None:
        if (tape := self._known.pop(key, None)) is not None:
            self._taped_bytes -= tape.size_bytes

    def owns(self, renderer: Any) -> bool:
        """True if it is ours, in a frame."""
        return self._is_on and renderer is self._renderer

    def is_within(self, renderer: Any) -> bool:
        """True if it is ours, in a frame, and within an artist that is being drawn."""
        return self._is_inside and self.owns(renderer)

    def takes(self, renderer: Any) -> bool:
        """True if it is ours, in a frame, and not within an artist that is being drawn."""
        return self.owns(renderer) and not self._is_inside and renderer.is_tapped  # else it is to be filtered

    def artists(self, renderer: Any, artists: Any) -> None:
        """Draw the artists of a figure or an Axes in their order."""
        self._look_again({id(each.axes) for each in artists if not isinstance(each, (Axes, FigureBase))})
        for artist in artists:
            if isinstance(artist, (Axes, FigureBase)):
                if draws_itself(artist):
                    self.refused = f"{type(artist).__name__} draws itself"
                    self._is_inside = True
                    try:
                        artist.draw(renderer)
                    finally:
                        self._is_inside = False
                else:
                    artist.draw(renderer)
            else:
                self.artist(artist, "draw", artist.draw, renderer)

    def _look_again(self, drawn_axes: set[int]) -> None:
        """An Axes has been placed when its artists are drawn, wherever it was when others looked at it."""
        self._looked_at -= drawn_axes

    def artist(self, artist: Any, way: str, draw: Callable[[Any], Any], renderer: Any) -> None:
        """Draw one artist, or replay it."""
        if not artist.get_visible():
            draw(renderer)
            return
        key = id(artist), way
        self._met.add(key)
        tape = self._known.get(key)
        if tape and tape.watch and tape.rests_until <= self._number:
            if self._is_same(key, tape):
                self.replayed += 1
                tape.changes = 0
                self._pending.append(tape)
                return
            self._count_change(tape)
        record = self._axis_records.record_of(artist) if isinstance(artist, Axis) and way == "draw" else None
        if record is not None:
            self._axis_records.count(artist, record.primitives is not None)
            if record.primitives is not None:
                self._place(artist, record)
                self._pending.append(record)
                return
        self.drawn += 1
        self._is_inside, self._inside_of, began = True, key, time.perf_counter()
        try:
            self._draw(artist, key, draw, renderer, tape, record)
        finally:
            self._is_inside, self._inside_of = False, None
            self._took[key] = time.perf_counter() - began, isinstance(artist, _NEVER_BY_VALUE)

    def _place(self, axis: Any, record: AxisRecord) -> None:
        """Leave in an Axis what drawing it would; where it stays, ticks are made when they may matter."""
        matplotlib_private.place_labels(axis, record.labels)
        if self._stays:
            matplotlib_private.tell_formatters(axis, record.ticks)
            self._tickless.append((axis, axis.major.formatter, record.ticks))

    def _make_ticks(self) -> None:
        """Make the ticks of axes that were not drawn in the last frame, nor cleared since."""
        tickless, self._tickless = self._tickless, []
        for axis, formatter, ticks in tickless:
            if axis.major.formatter is formatter and axis.axes is not None:
                matplotlib_private.make_ticks(axis, ticks)

    def _draw(
        self, artist: Any, key: Any, draw: Any, renderer: Any, before: Tape | None, record: AxisRecord | None
    ) -> None:
        if draws_itself(artist):
            self.refused = f"{type(artist).__name__} draws itself"
        if self._recolouring.knows(key):  # a tape of it would take more time, and memory
            self._drop(key)
            before = None
        is_heeded = not isinstance(artist, Line2D) or matplotlib_private.heeds_its_data(artist)
        is_taped = is_heeded and self._is_to_be_taped(key, before)
        if self.refused or not (is_taped or record):
            draw(renderer)
            return
        tape = before or Tape(artist)
        tape.boxes.clear()
        tape.marks = [(axes, self._surroundings_now(axes)) for axes in [artist.axes] if axes is not None]
        watch = self._watch(tape, renderer) if is_taped and not isinstance(artist, Axis) else None
        primitives: list[Primitive] = []
        self._running = primitives
        try:
            draw(renderer)
        finally:
            self._running = None
        if record:
            self._axis_records.keep(record, artist, primitives, sum(map(_size_of, primitives)))
        if is_taped:
            self._new[key] = tape, primitives, watch

    def _count_change(self, tape: Tape) -> None:
        tape.changes += 1
        if tape.changes >= _PATIENCE:
            tape.rests_until = self._number + min(_MAX_REST, 2 ** (tape.changes - _PATIENCE))

    def _is_to_be_taped(self, key: Any, before: Tape | None) -> bool:
        """True for an artist of a figure that stays; what has appeared is taped when it is there again."""
        is_resting = before is not None and before.rests_until > self._number
        is_there_again = before is not None or not self._known_before or key in self._known_before
        return self._stays and not (is_resting or self._recolouring.knows(key)) and is_there_again

    def _look_at_new(self) -> None:
        """Keep the artists that were drawn, but for those that this frame has left another than they were.

        The parts of a figure place one another while they are drawn, and some themselves for the next
        time: such an artist is drawn anew until that stays. An Axis first brings up to date what it looks at.
        """
        for key, (tape, primitives, drawn_by) in self._new.items():
            watch = drawn_by or self._watch(tape)
            self._taped_bytes -= tape.size_bytes
            tape.watch, tape.primitives, tape.size_bytes = None, [], 0
            size_bytes = watch.size_bytes + sum(map(_size_of, primitives))
            tape.last = None
            known = watch.known and all(number is not None for _, number in tape.marks)
            if not known or self._taped_bytes + size_bytes > _MAX_BYTES:
                tape.rests_until = self._number + _MAX_REST
            elif watch is not drawn_by or watch.same():
                tape.watch, tape.primitives, tape.size_bytes = watch, primitives, size_bytes
                self._taped_bytes += size_bytes
            else:
                self._count_change(tape)
                if self._took[key][0] >= _SLOW_S and not self._recolouring.may_help(
                    key
                ):  # which may have set itself only when it was first drawn
                    tape.last = self._watch(tape)
                    tape.size_bytes = tape.last.size_bytes
                    self._taped_bytes += tape.size_bytes
            self._known[key] = tape
        self._new.clear()

    def _watch(self, tape: Tape, renderer: Any = None) -> Watch:
        """Keep what decides an artist."""
        watch = Watch([tape.artist])
        if isinstance(tape.artist, Legend):
            watch.ask(functools.partial(matplotlib_private.bounds_of_legend, tape.artist, renderer))
        met = [axes for axes in watch.axes if axes is not tape.artist.axes]
        tape.marks += [(axes, self._surroundings_now(axes)) for axes in met]
        return watch

    def _is_same(self, key: Any, tape: Tape) -> bool:
        assert tape.watch is not None
        known = self._checked.get(key)
        if known is None:
            around = all(self._surroundings_now(axes) == number for axes, number in tape.marks)
            self._checked[key] = known = around and tape.watch.same()
        return known

    def _surroundings_now(self, axes: Any) -> int | None:
        """A number for what is around an Axes' artists, another one when it changes; None if not known."""
        seen = self._surroundings.get(id(axes))
        if seen is None or id(axes) not in self._looked_at:
            self._looked_at.add(id(axes))
            if seen is None or not seen[0].same():
                seen = surroundings(axes), (seen[1] + 1 if seen else 0), axes
                self._surroundings[id(axes)] = seen
                self._checked.clear()
        return seen[1] if seen[0].known else None

    def box(self, axis: Any, original: Callable[..., Any], renderer: Any, **keywords: Any) -> Any:
        """`Axis.get_tightbbox`, which each title asks for: as it was, where the axis is as it was."""
        key, asked = (id(axis), "draw"), tuple(sorted(keywords.items()))
        tape = self._known.get(key)
        resting = tape is None or tape.watch is None or tape.rests_until > self._number
        if tape is None or resting or not self._is_same(key, tape):
            record = self._axis_records.record_of(axis)
            measure = functools.partial(original, axis, renderer, **keywords)
            return measure() if record is None else self._axis_records.box(record, axis, asked, measure)
        if asked not in tape.boxes:
            tape.boxes[asked] = original(axis, renderer, **keywords)
        return tape.boxes[asked]

    def primitive(self, method: Callable[..., Any], *arguments: Any, **keywords: Any) -> None:
        """Something that an artist draws."""
        self.flush()
        is_collection = method.__name__ == "draw_path_collection" and self._stays
        if is_collection and self._inside_of is not None:
            self._recolouring.draw(self._inside_of, self._renderer, method, arguments, keywords)
        else:
            method(*arguments, **keywords)
        if self._stencils.noted is not None:
            self._stencils.noted.append((method.__name__, arguments[0]))
        if self._running is not None:
            named = {name: _frozen(value) for name, value in keywords.items()}
            self._running.append((functools.partial(method, **named), tuple(map(_frozen, arguments))))

    def begin_buffer(self) -> None:
        """An empty picture."""
        self._pending, self._is_below = [], True
        assert self._renderer is not None
        self._renderer.agg.clear()

    def flush(self) -> None:
        """Replay what waits."""
        if not self._pending:
            self._is_below = False
            return
        waiting, self._pending = self._pending, []
        tapes = [each.primitives for each in waiting]
        start = 0
        if self._is_below:
            self._is_below = False
            start = self._restore(tapes)
            if start < len(tapes):
                _replay(tapes[start:])
                self._keep(tapes)
            return
        _replay(tapes)

    def _restore(self, tapes: list[Any]) -> int:
        """Copy what lies below all that has changed, if it is the same; how many tapes that were."""
        if self._below is None:
            return 0
        known, pixels = self._below
        if len(known) > len(tapes) or any(one is not other for one, other in zip(known, tapes)):
            return 0
        assert self._renderer is not None
        np.asarray(self._renderer.agg)[...] = pixels
        return len(known)

    def _keep(self, tapes: list[Any]) -> None:
        """Copy the buffer if it began like this in the last frame too."""
        begins_so = len(self._candidate) == len(tapes) and all(map(_is, self._candidate, tapes))
        self._candidate = tapes
        if begins_so:
            assert self._renderer is not None
            self._below = tapes, np.array(self._renderer.agg)


def _is(one: Any, other: Any) -> bool:
    return one is other


def _replay(tapes: list[list[Primitive]]) -> None:
    for tape in tapes:
        for method, arguments in tape:
            method(*arguments)


def _frozen(value: Any) -> Any:
    """A primitive's argument, as it is now."""
    if hasattr(value, "copy_properties"):
        copy = type(value)()
        copy.copy_properties(value)
        if (box := copy.get_clip_rectangle()) is not None:
            copy.set_clip_rectangle(box.frozen())
        return copy
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, Transform):
        return value.get_matrix().copy() if value.is_affine else value.frozen()
    if value is None or isinstance(value, (int, float, str, tuple, Path)):
        return value
    if isinstance(value, list):
        return list(value)
    return np.array(value)  # a font, whose picture is gone with the next glyph


def _size_of(primitive: Primitive) -> int:
    arrays = [value.vertices if isinstance(value, Path) else value for value in primitive[1]]
    return 300 + sum(int(getattr(value, "nbytes", 0)) for value in arrays)
