"""A scene that is a matplotlib animation: FuncAnimation, ArtistAnimation, or a user's class.

Frames are drawn as ``Animation.save`` draws them (matplotlib 3.8 to 3.11, ``animation.py``): the
initial draw, then for each frame the update and ``savefig``. Two things are left out. Between update
and ``savefig``, ``save`` draws the figure once more for the screen, which matters only to a layout; and
without an ``init_func`` it calls the update function twice for the first frame (matplotlib issue 26759).
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import itertools
import operator
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

from framepipe.errors import UsageError
from framepipe.job.fingerprint import digest_function, digest_value, shown_values, state_digests
from framepipe.job.frames import MAX_FRAMES, Frames, Unknowns
from framepipe.job.reach import digest_code
from framepipe.scenes import matplotlib_private
from framepipe.scenes.base import BaseScene, FrameRequest, Player, SceneEnded
from framepipe.scenes.begins_anew import begins_anew
from framepipe.scenes.figures import digest_figure
from framepipe.scenes.incremental import Incremental
from framepipe.scenes.loading import LoadedObject, is_animation, name_of, origin_of
from framepipe.scenes.open_figures import closing_figures
from framepipe.scenes.picture import FrameGeometry, Picture
from framepipe.scenes.raising_again import RaisingAgain
from framepipe.scenes.rcparams import OwnRcparams

if TYPE_CHECKING:
    from matplotlib.animation import Animation

    from framepipe.job.canvas import Canvas


class AnimationScene(BaseScene):
    """A matplotlib animation.

    Parameters
    ----------
    source : Animation or callable
        The animation, or a function that makes it, which every process calls for itself.
    params : mapping, optional
        Keyword arguments of that function.
    loaded : LoadedObject, optional
        The address that it was loaded from, if it has one.
    extra : sequence of Animation
        Other animations of the same figure, as ``extra_anim`` of ``Animation.save``.
    first_call_twice : bool
        Call the update function twice for the first frame, as ``save`` does without an ``init_func``.

    Raises
    ------
    UsageError
        The function returned no animation, or parameters were given for an animation.
    """

    keeps_state = runs_updates = True

    def __init__(
        self,
        source: Animation | Callable[..., Animation],
        params: Mapping[str, Any] | None = None,
        loaded: LoadedObject | None = None,
        *,
        extra: Sequence[Animation] = (),
        first_call_twice: bool = False,
    ) -> None:
        self.params: Mapping[str, Any] = dict(params or {})
        self._extra, self._first_call_twice = tuple(extra), first_call_twice
        self._build: Any = None if is_animation(source) else source
        if self._build is None and self.params:
            raise UsageError(f"an animation takes no parameters ({', '.join(self.params)})")
        self.animation: Any = source
        if self._build is not None:
            self.animation = self._build_animation(cast(Callable[..., Any], source))
        matplotlib_private.mark_as_drawn(self.animation)
        self._supply = _supply_of(self.animation)
        self.begins_anew = not extra and begins_anew(self.animation, self._supply.known_values)
        update_function = self._build or matplotlib_private.update_of(self.animation) or type(self.animation)
        origin = origin_of(self._build or self.animation, loaded, update_function)
        self.name, self.sources, self.stem, self.ref = origin.name, origin.sources, origin.stem, origin.ref
        function_names = [name_of(each) for each in matplotlib_private.functions_of(self.animation)]
        self.roots = (self.name, *function_names, type(self.animation).__name__)

    def _build_animation(self, build: Callable[..., Any]) -> Any:
        result = build(**self.params)
        animation = result[0] if isinstance(result, (tuple, list)) and len(result) == 1 else result
        if not is_animation(animation):
            raise UsageError(
                f"{name_of(build)}() takes no frame and returned a {type(animation).__name__}: it must take "
                "one frame's value and return a Figure, or take nothing and return a matplotlib animation"
            )
        return animation

    @property
    def fps(self) -> Fraction | None:
        """Frames per second, from the animation's interval."""
        interval_ms = matplotlib_private.interval_ms_of(self.animation)
        return Fraction(1000) / Fraction(str(interval_ms)) if interval_ms else None

    def frames(self, selection: Any = None) -> Frames:
        """Return the plan: all frames, or a selection by index in the animation, from 0.

        Raises
        ------
        UsageError
            It has no frames, or no end and no count was requested.
        """
        supply = self._supply
        if selection is not None:
            return _select(selection, supply, self.name)
        if supply.count == 0:
            raise UsageError(f"animation {self.name} has no frames: give FuncAnimation frames=…")
        if supply.count is not None:
            values = range(supply.count) if supply.values is None else supply.values
            return Frames(values if supply.values is None else range(supply.count), values, "")
        if supply.limit is None and supply.endless:
            raise UsageError(
                f"animation {self.name} has no end: give the number of frames, as in --frames 300"
            )
        limit = supply.limit or MAX_FRAMES
        return Frames(range(limit), Unknowns(limit), "", extent="growing")

    def code_digest(self) -> str:
        """Return the digest of the update function, of ``init_func``, of the builder and of the class."""
        build = [] if self._build is None else [self._build]
        parts = [*build, *matplotlib_private.functions_of(self.animation), type(self.animation)]
        return digest_value([digest_code(part) for part in parts])

    def data(self) -> Mapping[str, str]:
        """Return digests of the figure before the first frame, and of what the functions refer to."""
        animation = self.animation
        digests = {
            "figure": digest_figure(matplotlib_private.figure_of(animation)),
            "fargs": digest_value(matplotlib_private.arguments_of(animation)),
        }
        for function in self._functions():
            digests |= digest_function(function)
        return digests

    def shown(self) -> Mapping[str, str]:
        """Return short values of what the functions refer to, as text."""
        return {name: text for each in self._functions() for name, text in shown_values(each).items()}

    def _functions(self) -> list[Any]:
        functions = [self._build, *matplotlib_private.functions_of(self.animation), self._supply.make]
        return [function for function in functions if function is not None]

    def player(self, earlier: Mapping[int, Any] | Sequence[Any] = ()) -> Player:
        """See `Scene`."""
        if self._build is not None and self.animation is None:  # in another process
            self.animation = self._build_animation(self._build)
            self._supply = _supply_of(self.animation)
        parts = [(self.animation, self._supply), *((each, _supply_of(each)) for each in self._extra)]
        return _AnimationPlayer(parts, self._first_call_twice)

    def state(self) -> Mapping[str, str]:
        """Return digests of what the functions refer to, without the figure, and of the random generators."""
        return state_digests(*matplotlib_private.functions_of(self.animation))

    def __getstate__(self) -> dict[str, Any]:
        """Return the state for another process: the animation without window and timer, or its builder."""
        state = {**self.__dict__, "animation": None, "_number": _pyplot_number(self.animation)}
        if self._build is None:
            state["_kind"], state["_parts"] = (
                type(self.animation),
                _without_screen(self.animation, self._supply),
            )
        else:
            state["_supply"] = None
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        kind, parts, number = state.pop("_kind", None), state.pop("_parts", None), state.pop("_number")
        self.__dict__.update(state)
        if kind is not None:
            self.animation = kind.__new__(kind)
            self.animation.__dict__.update(
                parts, event_source=_NoTimer(), _blit_cache={}, _draw_was_started=True
            )
            _give_pyplot_number(matplotlib_private.figure_of(self.animation), number)


def _pyplot_number(animation: Any) -> int | None:
    manager = matplotlib_private.figure_of(animation).canvas.manager if animation is not None else None
    return None if manager is None else manager.num


def _give_pyplot_number(figure: Any, number: int | None) -> None:
    """Register an unpickled figure with pyplot under its old number, for ``plt.figure(2)`` in an update."""
    manager = figure.canvas.manager
    if manager is None or number is None or manager.num == number:
        return
    managers = matplotlib_private.managers()
    other_manager, old = managers.pop(number, None), manager.num
    del managers[old]
    for each, its in ((other_manager, old), (manager, number)):
        if each is not None:
            each.num = its
            matplotlib_private.make_active(each)


class _NoTimer:
    """Replaces the timer, which update functions may stop."""

    interval = 0

    def start(self, *_: Any) -> None:
        """Do nothing."""

    stop = add_callback = remove_callback = start


def _without_screen(animation: Animation, supply: _Supply) -> dict[str, Any]:
    parts = {
        name: value for name, value in vars(animation).items() if name not in matplotlib_private.OF_THE_SCREEN
    }
    if supply.make is not None:  # frames are made anew from it
        parts = {name: value for name, value in parts.items() if name not in matplotlib_private.OF_THE_FRAMES}
        parts["_save_seq"] = deque()
    return parts


@dataclass(frozen=True)
class _Supply:
    """The source of an animation's frame data.

    Attributes
    ----------
    make : callable or None
        Returns a new iterator over the frame data; None if only the animation itself can.
    count : int or None
        Number of frames, if known.
    values : sequence or None
        All frame data, if they are known and not the numbers from 0.
    limit : int or None
        Maximum number of frames, if their number is unknown.
    endless : bool
    """

    make: Callable[[], Iterator[Any]] | None
    count: int | None = None
    values: Sequence[Any] | None = None
    limit: int | None = None
    endless: bool = False

    @property
    def known_values(self) -> Sequence[Any] | None:
        """All frame data, if they are known."""
        if self.values is None:
            return range(self.count) if self.count is not None else None
        return None if isinstance(self.values, Unknowns) else self.values


def _supply_of(animation: Any) -> _Supply:
    """Reconstruct the ``frames`` argument of an animation from its attributes."""
    from matplotlib.animation import ArtistAnimation, FuncAnimation

    kind, limit = type(animation), matplotlib_private.count_of(animation)
    base = next((each for each in (FuncAnimation, ArtistAnimation) if isinstance(animation, each)), None)
    ways = ("new_frame_seq", "new_saved_frame_seq")
    if base is None or any(getattr(kind, way) is not getattr(base, way) for way in ways):
        return _Supply(None, limit=limit)
    if base is ArtistAnimation:
        artists = matplotlib_private.artists_of(animation)
        return _sequence(artists, are_known=False) if hasattr(artists, "__len__") else _Supply(None)
    make = matplotlib_private.maker_of(animation)
    if make is itertools.count:
        return _Supply(itertools.count, endless=True) if limit is None else _supply_of_count(limit)
    if getattr(make, "__module__", "") != "matplotlib.animation":
        return _Supply(functools.partial(_iterate, make), limit=limit)
    frames = _captured(make)
    with contextlib.suppress(TypeError):
        return _supply_of_count(operator.index(frames))
    if hasattr(frames, "keys"):  # a dict, a Series, a table: the frames are what iterating gives
        return _sequence(list(frames), are_known=True)
    if hasattr(frames, "__len__") and hasattr(frames, "__getitem__"):
        return _sequence(frames, are_known=True)
    if iter(frames) is frames:  # an iterator, which only the animation itself can consume
        return _Supply(None, limit=limit)
    return _Supply(functools.partial(_iterate, frames), limit=limit)


def _supply_of_count(count: int) -> _Supply:
    return _Supply(functools.partial(_iterate, range(count)), count)


def _iterate(frames: Any) -> Iterator[Any]:
    return iter(frames() if callable(frames) else frames)


def _sequence(frames: Any, *, are_known: bool) -> _Supply:
    count = len(frames)
    numbers = isinstance(frames, range) and frames == range(count)
    values = None if numbers else frames if are_known else Unknowns(count)
    return _Supply(functools.partial(_iterate, frames), count, values)


def _captured(make: Any) -> Any:
    """Return the ``frames`` that matplotlib's own function refers to."""
    if make.__defaults__:
        return make.__defaults__[0]
    return inspect.getclosurevars(make).nonlocals["frames"]


def _select(selection: Any, supply: _Supply, name: str) -> Frames:
    """Return the frames of a selection by index."""
    plan = Frames.of(selection)
    if not plan.are_numbers or min(plan.numbers) < 0:
        raise UsageError(f"frames of animation {name} are selected by index, from 0: give a count or a range")
    end = supply.count if supply.count is not None else supply.limit
    if end is not None and max(plan.numbers) >= end:
        raise UsageError(f"frame {max(plan.numbers)} requested; animation {name} has frames 0 to {end - 1}")
    values: Any = plan.numbers
    if supply.values is not None:
        values = [supply.values[number] for number in plan.numbers]
    elif supply.count is None and not supply.endless:
        values = Unknowns(len(plan))
    return Frames(plan.numbers, values, plan.spec, indices=plan.numbers)


class _AnimationPlayer:
    """Plays animations of one figure in this process, as ``Animation.save`` does.

    Parameters
    ----------
    parts : sequence of (Animation, _Supply)
        The animation, and others in the same figure.
    first_call_twice : bool
    """

    stands_in_script = False

    def __init__(self, parts: Sequence[tuple[Any, _Supply]], first_call_twice: bool) -> None:
        self._parts, self._first_call_twice = parts, first_call_twice
        self._figure = matplotlib_private.figure_of(parts[0][0])
        self._data: RaisingAgain[Any] | None = None
        self._next = 0
        self._incremental = Incremental(self._figure)
        self._size_in = self._figure.get_size_inches().copy()
        # as the updates so far have left them, but without a tight box, as ``save`` does
        self._own_rcparams = OwnRcparams(savefig__bbox=None)
        self.update_s = 0.0

    def advance(self, index: int) -> None:
        """See `Player`."""
        with self._own_rcparams(), matplotlib_private.as_when_saving(self._figure), closing_figures():
            self._come_to(index, run=True)

    def picture(self, request: FrameRequest, canvas: Canvas, geometry: FrameGeometry | None) -> Picture:
        """See `Player`."""
        with self._own_rcparams(), matplotlib_private.as_when_saving(self._figure), closing_figures():
            self._come_to(request.index, run=request.replay)
            assert self._data is not None
            if (data := next(self._data, None)) is None:
                raise SceneEnded
            self._next += 1
            began = time.perf_counter()
            self._update(data)
            self.update_s = time.perf_counter() - began
            self._lay_out()
            if not (self._figure.get_size_inches() == self._size_in).all():  # else all transforms start anew
                self._figure.set_size_inches(self._size_in)
            return self._incremental.rasterise(self._figure, canvas, geometry, request.redraw)

    def _come_to(self, index: int, run: bool) -> None:
        """Advance to frame ``index``: run the updates before it, or only skip their data."""
        if self._data is None or index < self._next:
            self._begin()
        assert self._data is not None
        self._data.check(is_before=self._next < index)
        for data in itertools.islice(self._data, index - self._next):
            self._next += 1
            if run:
                with contextlib.suppress(Exception, SystemExit):  # reported with its own frame
                    self._update(data)
                    self._lay_out(2)
        if self._next < index:
            raise SceneEnded

    def _begin(self) -> None:
        for animation, _ in self._parts:
            if not matplotlib_private.has_usual_init(animation) or self._first_call_twice:
                matplotlib_private.init_draw(animation)
        supplies = (
            supply.make() if supply.make else animation.new_saved_frame_seq()
            for animation, supply in self._parts
        )
        self._data = RaisingAgain(zip(*supplies))
        self._next = 0

    def _update(self, data: Sequence[Any]) -> None:
        for (animation, _), its_data in zip(self._parts, data):
            matplotlib_private.step(animation, its_data)

    def _lay_out(self, times: int = 1) -> None:
        """Run an incremental layout as often as ``save``, which draws twice per frame."""
        for _ in range(times if self._figure.get_layout_engine() is not None else 0):
            self._figure.draw_without_rendering()
