"""A scene that is a matplotlib animation: FuncAnimation, ArtistAnimation, or a class of one's own.

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
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

from framepipe.errors import UsageError
from framepipe.fingerprint import digest_code, digest_function, digest_value
from framepipe.frames import MOST, Frames, Unknowns
from framepipe.scenes.base import Player, SceneEnded, Shot
from framepipe.scenes.canvas import Fit, Picture, rasterise
from framepipe.scenes.figures import digest_figure
from framepipe.scenes.function import closing_figures
from framepipe.scenes.load import Loaded, is_animation, name_of, origin_of
from framepipe.scenes.style import all_rcparams, style_texts

if TYPE_CHECKING:
    from matplotlib.animation import Animation

    from framepipe.job import Canvas

#: What ties an animation to a window, to a timer, or to frames that were shown before.
_OF_THE_SCREEN = ("event_source", "frame_seq", "_first_draw_id", "_close_id", "_resize_id")
_OF_THE_FRAMES = ("_iter_gen", "_tee_from", "_save_seq", "_blit_cache")


class AnimationScene:
    """A matplotlib animation.

    Parameters
    ----------
    source : Animation or callable
        The animation, or a function that makes it; then every process calls it for its own.
    params : mapping, optional
        Keyword arguments of that function.
    loaded : Loaded, optional
        Where it was loaded from, if it has an address.

    Raises
    ------
    UsageError
        The function made no animation, or parameters were given to an animation.
    """

    keeps_state = True

    def __init__(
        self,
        source: Animation | Callable[..., Animation],
        params: Mapping[str, Any] | None = None,
        loaded: Loaded | None = None,
    ) -> None:
        self.params: Mapping[str, Any] = dict(params or {})
        self._build: Any = None if is_animation(source) else source
        if self._build is None and self.params:
            raise UsageError(f"an animation takes no parameters ({', '.join(self.params)})")
        self.animation: Any = source
        if self._build is not None:
            self.animation = self._built(cast(Callable[..., Any], source))
        self.animation._draw_was_started = True  # else it warns when it is deleted
        self._supply = _supply_of(self.animation)
        what = self._build or getattr(self.animation, "_func", None) or type(self.animation)
        origin = origin_of(self._build or self.animation, loaded, what)
        self.name, self.sources, self.stem, self.ref = origin.name, origin.sources, origin.stem, origin.ref

    def _built(self, build: Callable[..., Any]) -> Any:
        made = build(**self.params)
        made = made[0] if isinstance(made, (tuple, list)) and len(made) == 1 else made
        if not is_animation(made):
            raise UsageError(
                f"{name_of(build)}() takes no frame and returned a {type(made).__name__}: it must take one "
                "frame's value and return a Figure, or take nothing and return a matplotlib animation"
            )
        return made

    @property
    def fps(self) -> Fraction | None:
        """Frames per second, from the animation's interval."""
        interval_ms = getattr(self.animation, "_interval", None)
        return Fraction(1000) / Fraction(str(interval_ms)) if interval_ms else None

    def frames(self, asked: Any = None) -> Frames:
        """The plan: all frames, or those asked for by their place in the animation, from 0.

        Raises
        ------
        UsageError
            It has no frames, or no end and no count was asked for.
        """
        supply = self._supply
        if asked is not None:
            return _chosen(asked, supply, self.name)
        if supply.count == 0:
            raise UsageError(f"animation {self.name} has no frames: give FuncAnimation frames=…")
        if supply.count is not None:
            values = range(supply.count) if supply.values is None else supply.values
            return Frames(values if supply.values is None else range(supply.count), values, "")
        if supply.limit is None and supply.endless:
            raise UsageError(f"animation {self.name} has no end: say how many frames, as in --frames 300")
        limit = supply.limit or MOST
        return Frames(range(limit), Unknowns(limit), "", extent="growing")

    def code_digest(self) -> str:
        """Digest of the update function, its kin and the class."""
        parts = [getattr(self.animation, "_func", None), getattr(self.animation, "_init_func", None)]
        codes = [
            digest_code(part) for part in [self._build, *parts, type(self.animation)] if part is not None
        ]
        return digest_value(codes)

    def data(self) -> Mapping[str, str]:
        """Digests of the figure as it is before the first frame, and of what the functions refer to."""
        animation = self.animation
        found = {
            "figure": digest_figure(animation._fig),
            "fargs": digest_value(getattr(animation, "_args", ())),
        }
        functions = [self._build, getattr(animation, "_func", None), getattr(animation, "_init_func", None)]
        for function in [*functions, self._supply.make]:
            found |= digest_function(function) if function is not None else {}
        return found

    def style(self) -> Mapping[str, str]:
        """RcParams that differ from matplotlib's defaults, as text."""
        return style_texts()

    def player(self, earlier: Mapping[int, Any] | Sequence[Any] = ()) -> Player:
        """See `Scene`."""
        if self._build is not None and self.animation is None:  # in another process
            self.animation = self._built(self._build)
            self._supply = _supply_of(self.animation)
        return _AnimationPlayer(self.animation, self._supply)

    def __getstate__(self) -> dict[str, Any]:
        """For another process: the animation without window and timer, or what makes it anew."""
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
            _give_pyplot_number(self.animation._fig, number)


def _pyplot_number(animation: Any) -> int | None:
    manager = animation._fig.canvas.manager if animation is not None else None
    return None if manager is None else manager.num


def _give_pyplot_number(figure: Any, number: int | None) -> None:
    """Let pyplot know an unpickled figure by its old number, as ``plt.figure(2)`` in an update needs."""
    from matplotlib._pylab_helpers import Gcf

    manager = figure.canvas.manager
    if manager is None or number is None or manager.num == number:
        return
    managers: Any = Gcf.figs
    other, old = managers.pop(number, None), manager.num
    del managers[old]
    for each, its in ((other, old), (manager, number)):
        if each is not None:
            each.num = its
            Gcf._set_new_active_manager(each)


class _NoTimer:
    """Stands for the timer: update functions may stop it."""

    interval = 0

    def start(self, *_: Any) -> None:
        """Do nothing."""

    stop = add_callback = remove_callback = start


def _without_screen(animation: Animation, supply: _Supply) -> dict[str, Any]:
    parts = {name: value for name, value in vars(animation).items() if name not in _OF_THE_SCREEN}
    if supply.make is not None:  # frames are made anew from it
        parts = {name: value for name, value in parts.items() if name not in _OF_THE_FRAMES}
        parts["_save_seq"] = deque()
    return parts


@dataclass(frozen=True)
class _Supply:
    """Where an animation's frame data come from.

    Attributes
    ----------
    make : callable or None
        Gives a new iterator over the frame data; None where only the animation itself can.
    count : int or None
        How many there are, if that is known.
    values : sequence or None
        All of them, if they are known and are not the numbers from 0.
    limit : int or None
        At most so many of an unknown number.
    endless : bool
    """

    make: Callable[[], Iterator[Any]] | None
    count: int | None = None
    values: Sequence[Any] | None = None
    limit: int | None = None
    endless: bool = False


def _supply_of(animation: Any) -> _Supply:
    """How `FuncAnimation.__init__` was told the frames, from what it made of it."""
    from matplotlib.animation import ArtistAnimation, FuncAnimation

    kind, limit = type(animation), getattr(animation, "_save_count", None)
    base = next((each for each in (FuncAnimation, ArtistAnimation) if isinstance(animation, each)), None)
    ways = ("new_frame_seq", "new_saved_frame_seq")
    if base is None or any(getattr(kind, way) is not getattr(base, way) for way in ways):
        return _Supply(None, limit=limit)
    if base is ArtistAnimation:
        artists = animation._framedata
        return _sequence(artists, known=False) if hasattr(artists, "__len__") else _Supply(None)
    make = animation._iter_gen
    if make is itertools.count:
        return _Supply(itertools.count, endless=True) if limit is None else _supply_of_count(limit)
    if getattr(make, "__module__", "") != "matplotlib.animation":
        return _Supply(functools.partial(_iterate, make), limit=limit)
    frames = _captured(make)
    with contextlib.suppress(TypeError):
        return _supply_of_count(operator.index(frames))
    if hasattr(frames, "keys"):  # a dict, a Series, a table: what they are run through for
        return _sequence(list(frames), known=True)
    if hasattr(frames, "__len__") and hasattr(frames, "__getitem__"):
        return _sequence(frames, known=True)
    if iter(frames) is frames:  # an iterator that can be run through only once, by the animation itself
        return _Supply(None, limit=limit)
    return _Supply(functools.partial(_iterate, frames), limit=limit)


def _supply_of_count(count: int) -> _Supply:
    return _Supply(functools.partial(_iterate, range(count)), count)


def _iterate(frames: Any) -> Iterator[Any]:
    return iter(frames() if callable(frames) else frames)


def _sequence(frames: Any, *, known: bool) -> _Supply:
    count = len(frames)
    numbers = isinstance(frames, range) and frames == range(count)
    values = None if numbers else frames if known else Unknowns(count)
    return _Supply(functools.partial(_iterate, frames), count, values)


def _captured(make: Any) -> Any:
    """The ``frames`` that matplotlib's own little function holds on to."""
    if make.__defaults__:
        return make.__defaults__[0]
    return inspect.getclosurevars(make).nonlocals["frames"]


def _chosen(asked: Any, supply: _Supply, name: str) -> Frames:
    """Frames by their place in the animation."""
    plan = Frames.of(asked)
    if not plan.are_numbers or min(plan.numbers) < 0:
        raise UsageError(
            f"frames of animation {name} are chosen by their place in it, from 0: a count or a range"
        )
    end = supply.count if supply.count is not None else supply.limit
    if end is not None and max(plan.numbers) >= end:
        raise UsageError(f"animation {name} has {end} frames, 0 to {end - 1}; asked for {max(plan.numbers)}")
    values: Any = plan.numbers
    if supply.values is not None:
        values = [supply.values[number] for number in plan.numbers]
    elif supply.count is None and not supply.endless:
        values = Unknowns(len(plan))
    return Frames(plan.numbers, values, plan.spec, indices=plan.numbers)


class _AnimationPlayer:
    """Plays an animation in this process, as ``Animation.save`` does."""

    def __init__(self, animation: Any, supply: _Supply) -> None:
        self._animation, self._supply = animation, supply
        self._data: Iterator[Any] | None = None
        self._next = 0
        self._size_in = animation._fig.get_size_inches().copy()
        self._before = all_rcparams()
        self._rcparams: dict[str, Any] = {"savefig.bbox": None}

    def picture(self, shot: Shot, canvas: Canvas, fit: Fit | None) -> Picture:
        """See `Player`."""
        figure = self._animation._fig
        with self._own_rcparams(), _as_when_saving(figure), closing_figures():
            data = self._go_to(shot.index, shot.replay)
            self._update(data)
            self._lay_out()
            figure.set_size_inches(self._size_in)
            return rasterise(figure, canvas, fit)

    @contextlib.contextmanager
    def _own_rcparams(self) -> Iterator[None]:
        """Those that the updates so far have left, as in ``save``, which does not heed a tight box.

        That would change sizes.
        """
        import matplotlib

        with matplotlib.rc_context(self._rcparams):  # type: ignore[arg-type]
            try:
                yield
            finally:
                now = all_rcparams()
                self._rcparams = {name: now[name] for name in now if now[name] != self._before[name]}

    def _go_to(self, index: int, replay: bool) -> Any:
        """Frame data of this index, after the updates of those before it if they are to be replayed."""
        if self._data is None or index < self._next:
            self._begin()
        assert self._data is not None
        for data in itertools.islice(self._data, index - self._next + 1):
            self._next += 1
            if self._next > index:
                return data
            if replay:
                with contextlib.suppress(Exception):  # its own frame's failure, not this one's
                    self._update(data)
                    self._lay_out(2)
        raise SceneEnded

    def _begin(self) -> None:
        from matplotlib.animation import FuncAnimation

        animation = self._animation
        usual = type(animation)._init_draw is FuncAnimation._init_draw  # type: ignore[attr-defined]
        if not usual or animation._init_func is not None:  # else it would draw the first frame twice
            animation._init_draw()
        self._data = self._supply.make() if self._supply.make else animation.new_saved_frame_seq()
        self._next = 0

    def _update(self, data: Any) -> None:
        self._animation._pre_draw(data, False)
        self._animation._draw_frame(data)

    def _lay_out(self, times: int = 1) -> None:
        """Let a layout, which goes on from where it came to, come as far as two draws a frame in ``save``."""
        figure = self._animation._fig
        for _ in range(times if figure.get_layout_engine() is not None else 0):
            figure.draw_without_rendering()


@contextlib.contextmanager
def _as_when_saving(figure: Any) -> Iterator[None]:
    """As in ``Animation.save``: drawing starts no timer, and animated artists are drawn."""
    canvas = figure.canvas
    before = canvas._is_saving, canvas.manager
    canvas._is_saving, canvas.manager = True, None
    try:
        yield
    finally:
        canvas._is_saving, canvas.manager = before
