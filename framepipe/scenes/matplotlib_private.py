"""The private names of matplotlib that framepipe needs; those of mplot3d are in `mplot3d_private`.

`tests/unit/test_matplotlib_private.py` checks each of them, so a matplotlib that renames one fails there,
by name. (`framepipe.scenes.figures` lists names that it ignores; those may disappear.)
"""

from __future__ import annotations

import contextlib
import functools
import locale
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from framepipe.scenes.replacing import is_own, swap

if TYPE_CHECKING:
    from framepipe.scenes.mplot3d_private import Solid

#: Attributes of `Animation` that belong to a window, and those that iterate over frames.
OF_THE_SCREEN = ("event_source", "frame_seq", "_first_draw_id", "_close_id", "_resize_id")
OF_THE_FRAMES = ("_iter_gen", "_tee_from", "_save_seq", "_blit_cache")
#: Attribute of `Figure`: the value of ``dpi="figure"`` in savefig.
ORIGINAL_DPI = "_original_dpi"
#: Attribute of `FigureCanvasBase`: true while pyplot itself calls `draw_idle`, which then does nothing.
IS_IDLE_DRAWING = "_is_idle_drawing"


def figure_of(animation: Any) -> Any:
    """Return the figure of an animation."""
    return animation._fig


def update_of(animation: Any) -> Any:
    """Return the update function of a `FuncAnimation`; None for others."""
    return getattr(animation, "_func", None)


def functions_of(animation: Any) -> list[Any]:
    """Return the update function and ``init_func``, without those that are None."""
    return [each for each in (update_of(animation), init_of(animation)) if each is not None]


def init_of(animation: Any) -> Any:
    """Return a `FuncAnimation`'s ``init_func``, or None."""
    return getattr(animation, "_init_func", None)


def arguments_of(animation: Any) -> Any:
    """Return a `FuncAnimation`'s ``fargs``."""
    return getattr(animation, "_args", ())


def interval_ms_of(animation: Any) -> Any:
    """Return the milliseconds between frames, None if an animation has no interval."""
    return getattr(animation, "_interval", None)


def count_of(animation: Any) -> int | None:
    """Return how many frames a `FuncAnimation` saves, None if unknown."""
    count: int | None = getattr(animation, "_save_count", None)
    return count


def artists_of(animation: Any) -> Any:
    """Return the lists of artists of an `ArtistAnimation`, one per frame; None for others."""
    return getattr(animation, "_framedata", None)


def maker_of(animation: Any) -> Any:
    """Return the function that makes an iterator over the frame data of a `FuncAnimation`."""
    return animation._iter_gen


def mark_as_drawn(animation: Any) -> None:
    """Mark as drawn: otherwise matplotlib warns when the animation is deleted without being shown."""
    animation._draw_was_started = True


def has_usual_init(animation: Any) -> bool:
    """True if the animation begins as `FuncAnimation` without ``init_func``: by drawing the first frame."""
    from matplotlib.animation import FuncAnimation

    usual = type(animation)._init_draw is FuncAnimation._init_draw  # type: ignore[attr-defined]
    return usual and init_of(animation) is None


def init_draw(animation: Any) -> None:
    """Do what an animation does before its first frame."""
    animation._init_draw()


def step(animation: Any, data: Any) -> None:
    """Advance an animation to a frame as `Animation.save` does, without drawing."""
    animation._pre_draw(data, False)
    animation._draw_frame(data)


def is_blitted(animation: Any) -> bool:
    """True for an animation whose window shows only what the update function returns."""
    return bool(getattr(animation, "_blit", False))


@contextlib.contextmanager
def as_when_saving(figure: Any) -> Iterator[None]:
    """Set a figure up as `Animation.save` does: drawing starts no timer, and animated artists are drawn."""
    canvas = figure.canvas
    previous = canvas._is_saving, canvas.manager
    canvas._is_saving, canvas.manager = True, None
    try:
        yield
    finally:
        canvas._is_saving, canvas.manager = previous


def make_active(manager: Any) -> None:
    """Register a figure's manager with pyplot, as the current one."""
    from matplotlib._pylab_helpers import Gcf

    Gcf._set_new_active_manager(manager)


def managers() -> dict[int, Any]:
    """Return pyplot's figure managers by number."""
    from matplotlib._pylab_helpers import Gcf

    figures: dict[int, Any] = Gcf.figs
    return figures


def registered_writers(writers: Any) -> Mapping[str, Any]:
    """Return all writers of a `MovieWriterRegistry` by name, including those not installed."""
    registered: Mapping[str, Any] = writers._registered
    return registered


def style_of_drawing() -> Any:
    """What drawing reads besides the figure: rcParams, named colours, the locale, which fonts there are."""
    from matplotlib.colors import get_named_colors_mapping
    from matplotlib.font_manager import fontManager

    params = values_of_rcparams()
    return (
        params,
        [each.copy() for each in params.values() if type(each) is list],  # they are changed in place, too
        dict(get_named_colors_mapping()),
        (locale.localeconv(), locale.setlocale(locale.LC_TIME)),
        (len(fontManager.ttflist), len(fontManager.afmlist)),
    )


def values_of_rcparams() -> dict[str, Any]:
    """Return all rcParams, deprecated ones too, as they are stored.

    `RcParams` is a dict with an iterator of its own, through which a copy takes twenty times as long.
    """
    import matplotlib

    params: Any = matplotlib.rcParams
    return dict(dict.items(params))


def set_rcparams(values: Mapping[str, Any]) -> None:
    """Set rcParams that have been checked before."""
    import matplotlib

    params: Any = matplotlib.rcParams
    dict.update(params, values)


def root_figure(artist: Any) -> Any:
    """Return the figure that an artist is in, not the part of one; ``get_figure(root=True)`` since 3.10."""
    figure = artist.figure
    while (above := getattr(figure, "_parent", None)) is not None:
        figure = above
    return figure


def axes_of(axes: Any) -> list[Any]:
    """The x axis, the y axis … of an Axes."""
    return list(axes._axis_map.values())


def stands_alone(axes: Any) -> bool:
    """True for an Axes that shares no axis, is no twin, and holds no other Axes."""
    groups = [*axes._shared_axes.values(), axes._twinned_axes]
    return not axes.child_axes and all(len(list(each.get_siblings(axes))) == 1 for each in groups)


def has_listeners(axes: Any) -> bool:
    """True if functions of others are told when an Axes, an axis or its label changes."""
    parts = [axes, *(each for axis in axes_of(axes) for each in (axis, axis.label))]
    if any(part._callbacks.callbacks.get("pchanged") for part in parts):
        return True
    told = [part.stale_callback for part in parts]
    return not all(each is None or is_own(each) for each in told)


def beside(axis: Any) -> Iterator[Any]:
    """What an Axis looks at when it places its labels: the spines, and axes that it is aligned with."""
    yield from axis.axes.spines.values()
    groups = getattr(axis.get_figure(), "_align_label_groups", {})
    if (name := getattr(axis, "axis_name", "")) in groups:
        for axes in groups[name].get_siblings(axis.axes):
            yield axes._axis_map[name]


def tick_settings(axis: Any) -> dict[str, Any]:
    """How the major ticks of an Axis are to look: from their size follows how many fit."""
    settings: dict[str, Any] = axis._major_tick_kw
    return settings


def stands_with_others(axis: Any) -> bool:
    """True for an Axis in 3-D, and for one whose labels are aligned with those of others."""
    from framepipe.scenes import mplot3d_private

    if mplot3d_private.is_in_3d(axis):
        return True
    groups = getattr(axis.get_figure(), "_align_label_groups", {})
    name = getattr(axis, "axis_name", "")
    return name in groups and len(list(groups[name].get_siblings(axis.axes))) > 1


def limits_as_they_are(axes: Any) -> tuple[bytes, tuple[bool, ...]]:
    """Return the limits of an Axes, and which are to be found anew, without finding them."""
    return bytes(axes._viewLim.get_points().tobytes()), tuple(axes._stale_viewlims.values())


def heeds_its_data(line: Any) -> bool:
    """False for a line whose data were changed in place, which it draws as they were."""
    import numpy as np

    if line._invalidx or line._invalidy:
        return True

    def plain(values: Any) -> Any:
        return np.ma.asarray(values, float).filled(np.nan).ravel()

    given = ((line.convert_xunits, line._xorig, line._x), (line.convert_yunits, line._yorig, line._y))
    try:
        return all(
            np.array_equal(np.broadcast_to(plain(convert(orig)), np.shape(used)), used, equal_nan=True)
            for convert, orig, used in given
        )
    except (TypeError, ValueError):
        return False


def ticks_of(axis: Any) -> tuple[Any, ...]:
    """Return what drawing an Axis leaves in it: where its ticks are, and how many it has made."""
    own = axis.__dict__
    places = axis.get_majorticklocs(), axis.get_minorticklocs()
    return (*places, len(own.get("majorTicks", ())), len(own.get("minorTicks", ())))


def tell_formatters(axis: Any, ticks: tuple[Any, ...]) -> None:
    """Tell the formatters of an Axis where its ticks are, as drawing does."""
    for each, places in zip((axis.major, axis.minor), ticks):
        each.formatter.set_locs(places)


def make_ticks(axis: Any, ticks: tuple[Any, ...]) -> None:
    """Make as many ticks as drawing has made: later ones are like the first, which the script may change."""
    axis.get_major_ticks(ticks[2])
    axis.get_minor_ticks(ticks[3])


def labels_of(axis: Any) -> tuple[Any, ...]:
    """Return where an Axis has placed its label and its offset, and what the offset says."""
    label, offset = axis.label, axis.offsetText
    return label._x, label._y, offset._x, offset._y, offset._text


def place_labels(axis: Any, labels: tuple[Any, ...]) -> None:
    """Place the label and the offset of an Axis as `labels_of` another one of the same looks."""
    label, offset = axis.label, axis.offsetText
    label._x, label._y, offset._x, offset._y, offset._text = labels


def bounds_of_legend(legend: Any, renderer: Any) -> tuple[float, ...]:
    """Where a legend is to be drawn, which all artists of its Axes decide if it looks for the best place."""
    return tuple(legend._legend_box.get_window_extent(renderer).bounds)


def interpolation_steps(path: Any) -> int:
    """In how many parts a segment of a path is drawn where the projection is not straight."""
    steps: int = path._interpolation_steps
    return steps


class Drawer(Protocol):
    """Who takes drawing over; see `framepipe.scenes.tapes`."""

    def takes(self, renderer: Any) -> bool:
        """True for what is to be taken over."""

    def owns(self, renderer: Any) -> bool:
        """True for the drawer's own renderer."""

    def is_within(self, renderer: Any) -> bool:
        """True for the drawer's own renderer while an artist is drawn with it."""

    def artists(self, renderer: Any, artists: Any) -> None:
        """Instead of drawing a list of artists."""

    def artist(self, artist: Any, way: str, draw: Callable[[Any], Any], renderer: Any) -> None:
        """Instead of one artist's ``draw``, or another method of it by which it is drawn."""

    def box(self, axis: Any, original: Callable[..., Any], renderer: Any, **keywords: Any) -> Any:
        """Instead of `Axis.get_tightbbox`."""


class Writer(Protocol):
    """Who takes texts over; see `framepipe.scenes.texts`."""

    def layout(self, text: Any, renderer: Any, original: Callable[[Any, Any], Any]) -> Any:
        """Instead of `Text._get_layout`."""

    def line(self, renderer: Any, words: str, font: Any, mtext: Any, measure: Callable[[], Any]) -> list[Any]:
        """Return the glyphs of a line of text; ``measure`` asks FreeType for them."""


class Pen(Protocol):
    """Who draws single artists; see `framepipe.scenes.stencils`."""

    def glyphs(
        self,
        renderer: Any,
        gc: Any,
        x: float,
        y: float,
        angle: float,
        glyphs: Any,
        boxes: Any,
        draw_boxes: Any,
    ) -> None:
        """Instead of drawing glyphs and boxes; ``draw_boxes`` is matplotlib's own for both."""

    def text(self, text: Any, renderer: Any, draw: Callable[[Any, Any], None]) -> None:
        """Instead of `Text.draw`."""

    def line(self, line: Any, renderer: Any, draw: Callable[[Any, Any], None]) -> None:
        """Instead of `Line2D.draw`, within an Axis."""


@contextlib.contextmanager
def drawing_taken_over(drawer: Drawer, writer: Writer, pen: Pen, solid: Solid) -> Iterator[None]:
    """What is drawn meanwhile with the drawer's renderer goes through it, texts through the writer.

    All else is drawn as usual.
    """
    import matplotlib.image
    from matplotlib.axis import Axis
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    from framepipe.scenes import mplot3d_private

    if not _taking_over.acquire(blocking=False):  # another thread is in it: then all is drawn as usual
        yield
        return
    listed = matplotlib.image._draw_list_compositing_images  # type: ignore[attr-defined]
    boxed = Axis.get_tightbbox

    def lists(renderer: Any, parent: Any, artists: Any, suppress_composite: Any = None) -> None:
        if not suppress_composite and drawer.takes(renderer):
            drawer.artists(renderer, artists)
        else:
            listed(renderer, parent, artists, suppress_composite)

    def boxes(axis: Any, renderer: Any = None, **keywords: Any) -> Any:
        if drawer.takes(renderer):
            return drawer.box(axis, boxed, renderer, **keywords)
        return boxed(axis, renderer, **keywords)

    with contextlib.ExitStack() as stack:
        stack.callback(_taking_over.release)
        stack.enter_context(swap(matplotlib.image, "_draw_list_compositing_images", lists))
        stack.enter_context(swap(Axis, "get_tightbbox", boxes))
        for kind, way in [(Patch, "draw"), *mplot3d_private.ways_of_axes()]:
            stack.enter_context(swap(kind, way, _taken_over(drawer, way, getattr(kind, way))))
        _take_texts_over(drawer, writer, pen, stack)
        _take_kind_over(Line2D, pen.line, drawer.is_within, stack)
        mplot3d_private.take_3d_over(solid, stack)
        yield


def _taken_over(drawer: Drawer, way: str, original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def draw(artist: Any, renderer: Any, *arguments: Any, **keywords: Any) -> Any:
        if not arguments and not keywords and drawer.takes(renderer):
            return drawer.artist(artist, way, functools.partial(original, artist), renderer)
        return original(artist, renderer, *arguments, **keywords)

    return draw


def _take_texts_over(drawer: Drawer, writer: Writer, pen: Pen, stack: contextlib.ExitStack) -> None:
    from matplotlib.backends.backend_agg import RendererAgg
    from matplotlib.text import Text

    kind: Any = Text
    laid_out = kind._get_layout
    if not is_own(laid_out):  # the script has its own, and so for what follows
        return

    def layout(text: Any, renderer: Any) -> Any:
        if drawer.owns(renderer):
            return writer.layout(text, renderer, laid_out)
        return laid_out(text, renderer)

    stack.enter_context(swap(kind, "_get_layout", layout))
    if hasattr(RendererAgg, "_draw_text_glyphs_and_boxes"):  # matplotlib 3.11
        _take_glyphs_over(drawer, writer, pen, stack)
        _take_kind_over(Text, pen.text, drawer.owns, stack)


def _take_glyphs_over(drawer: Drawer, writer: Writer, pen: Pen, stack: contextlib.ExitStack) -> None:
    from matplotlib.backends.backend_agg import RendererAgg

    kind: Any = RendererAgg
    drawn_in_parts, drawn = kind._draw_text_glyphs_and_boxes, kind.draw_text
    if not (is_own(drawn_in_parts) and is_own(drawn)):
        return

    def draw_parts(renderer: Any, gc: Any, x: Any, y: Any, angle: Any, glyphs: Any, boxes: Any) -> None:
        if drawer.owns(renderer):
            pen.glyphs(renderer, gc, x, y, angle, glyphs, boxes, drawn_in_parts)
        else:
            drawn_in_parts(renderer, gc, x, y, angle, glyphs, boxes)

    def draw_text(
        renderer: Any,
        gc: Any,
        x: Any,
        y: Any,
        s: Any,
        prop: Any,
        angle: Any,
        ismath: Any = False,
        mtext: Any = None,
    ) -> None:
        if ismath or not drawer.owns(renderer):
            drawn(renderer, gc, x, y, s, prop, angle, ismath, mtext)
            return

        def measure() -> list[Any]:
            font, size = renderer._prepare_font(prop), prop.get_size_in_points()
            features, language = shaping_of(mtext)
            items = font._layout(s, flags=hinting(), features=features, language=language)
            return [(item.ft_object, size, item.glyph_index, 0, 1, item.x, item.y) for item in items]

        draw_parts(renderer, gc, x, y, angle, writer.line(renderer, s, prop, mtext, measure), ())

    stack.enter_context(swap(kind, "_draw_text_glyphs_and_boxes", draw_parts))
    stack.enter_context(swap(kind, "draw_text", draw_text))


#: Attributes of artists: objects that are asked anew at each place, or that drawing does not ask …
LIVE = frozenset(
    (
        *("stale_callback", "_axes", "_parent_figure", "figure", "_transform", "clipbox", "_clippath"),
        *("_callbacks", "_remove_method", "_fontproperties", "_marker", "_renderer"),
    )
)
#: … where an artist stands, and what drawing sets …
PLACE_OF_A_TEXT = ("_x", "_y", "_stale", "_renderer")
PLACE_OF_A_LINE = (
    *("_xorig", "_yorig", "_x", "_y", "_xy", "_path", "_transformed_path", "_stale"),
    *("_invalidx", "_invalidy", "ind_offset", "_subslice", "_x_filled"),
)
#: … and those that lead elsewhere if they are there.
MORE_THAN_A_PLACE = (
    *("_agg_filter", "_sketch", "_path_effects", "_rasterized", "_bbox_patch", "_usetex", "_wrap"),
    *("_transform_rotates_text", "_gapcolor", "draw", "_get_layout"),
)


def _take_kind_over(kind: Any, take: Any, is_due: Any, stack: contextlib.ExitStack) -> None:
    if is_own(kind.draw):
        stack.enter_context(swap(kind, "draw", _of_a_kind(kind, kind.draw, take, is_due)))


def _of_a_kind(kind: Any, original: Any, take: Any, is_due: Any) -> Callable[..., None]:
    @functools.wraps(original)
    def draw(artist: Any, renderer: Any, *arguments: Any, **keywords: Any) -> None:
        if type(artist) is kind and not arguments and not keywords and is_due(renderer):
            take(artist, renderer, original)
        else:
            original(artist, renderer, *arguments, **keywords)

    return draw


def about_text(text: Any) -> tuple[Any, ...]:
    """Return what decides the look of a `Text` besides its attributes."""
    return (about_font(text.get_fontproperties()), root_figure(text).dpi)


def places_of_lines(text: Any, renderer: Any) -> list[Any]:
    """Return where each line of a `Text` stands from its place."""
    return [place for _, _, place in text._get_layout(renderer)[1]]


def about_font(font: Any) -> tuple[Any, ...]:
    """Return all that a `FontProperties` says, to be compared."""
    return tuple([tuple(each) if isinstance(each, list) else each for each in font.__dict__.values()])


def shaping_of(text: Any) -> tuple[Any, Any]:
    """Return the font features and the language of a `Text`; of None as well."""
    return (None, None) if text is None else (text.get_fontfeatures(), text.get_language())


def hinting() -> Any:
    """Return FreeType's flags for hinting by rcParams."""
    from matplotlib.backends import backend_agg

    backend: Any = backend_agg
    return backend.get_hinting_flag()


def drawer_of_glyphs(renderer: Any) -> Callable[..., None]:
    """Return the method of Agg itself that puts the picture of a glyph on a renderer."""
    draw: Callable[..., None] = renderer._renderer.draw_text_image
    return draw


def render_glyph(font: Any, matrix: Any, place: Any, index: int, flags: Any, antialiased: bool) -> Any:
    """Let FreeType draw a glyph of a font whose size is set."""
    from matplotlib.ft2font import RenderMode

    font._set_transform(matrix, place)
    return font._render_glyph(index, flags, RenderMode.NORMAL if antialiased else RenderMode.MONO)


#: Attributes that `Text._get_layout` reads, besides the font.
_OF_LAYOUT = (
    "_text",
    "_linespacing",
    "_rotation",
    "_rotation_mode",
    "_horizontalalignment",
    "_verticalalignment",
)


def about_layout(text: Any) -> tuple[Any, ...] | None:
    """Return what decides the layout of a `Text`, besides its font and the renderer; None if that is more."""
    own = text.__dict__
    if own["_wrap"] or own["_transform_rotates_text"] or own["_usetex"] or "_get_layout" in own:
        return None
    if not is_own(type(text)):
        return None
    about = tuple([own[name] for name in _OF_LAYOUT])
    return (*about, own["_multialignment"], own["_parse_math"], root_figure(text).dpi)


def is_drawn_by_agg(figure: Any) -> bool:
    """True if ``savefig(format="rgba")`` draws with matplotlib's Agg, and the figure as matplotlib does."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    canvas = type(figure.canvas)
    if hasattr(canvas, "print_rgba"):
        own = ("print_rgba", "get_renderer", "print_figure")
        if any(getattr(canvas, name) is not getattr(FigureCanvasAgg, name, None) for name in own):
            return False
    return type(figure).draw is Figure.draw and "draw" not in figure.__dict__ and not figure.suppressComposite


def calls_while_drawing(figure: Any) -> bool:
    """True if functions of others than animations wait for the event that a figure was drawn."""
    waiting = figure.canvas.callbacks.callbacks.get("draw_event", {})
    return any(
        getattr(reference(), "__module__", None) != "matplotlib.animation"
        for reference in list(waiting.values())
    )


@contextlib.contextmanager
def without_layout(figure: Any) -> Iterator[None]:
    """Drawing meanwhile does not lay the figure out again."""
    before = figure._layout_engine
    figure._layout_engine = None
    try:
        yield
    finally:
        figure._layout_engine = before


_taking_over = threading.Lock()
