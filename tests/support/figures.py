"""Figures with every kind of artist, and what their setters take; for tests that draw them in two ways."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from matplotlib import colormaps, patheffects
from matplotlib import patches as shapes
from matplotlib.artist import Artist, ArtistInspector
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnchoredText, AnnotationBbox, TextArea
from matplotlib.ticker import MultipleLocator
from matplotlib.transforms import Affine2D, Bbox, blended_transform_factory

SIZE = {"figsize": (2.4, 1.8), "dpi": 50}
_STEPS = np.linspace(0.1, 1, 12)


def _figure(**keywords: Any) -> tuple[Figure, Any]:
    figure = Figure(**SIZE, **keywords)
    return figure, figure.add_subplot()


def line() -> tuple[Figure, list[Any]]:
    figure, axes = _figure()
    (curve,) = axes.plot(_STEPS, _STEPS**2, "o-", label="a")
    axes.set(title="title", xlabel="x", ylabel="y", xlim=(0, 1.5), ylim=(0, 1.5))
    return figure, [curve, axes, axes.xaxis, axes.title, axes.xaxis.label, axes.spines["left"]]


def ticks() -> tuple[Figure, list[Any]]:
    figure, axes = _figure()
    axes.grid(True)
    tick = axes.yaxis.get_major_ticks()[1]
    return figure, [
        tick,
        tick.label1,
        tick.tick1line,
        tick.gridline,
        axes.xaxis.get_offset_text(),
        axes.patch,
    ]


def scatter() -> tuple[Figure, list[Any]]:
    figure, axes = _figure()
    points = axes.scatter(_STEPS, _STEPS[::-1], c=_STEPS, s=30 * _STEPS)
    bar = figure.colorbar(points)
    return figure, [points, bar.ax, bar.outline, bar.ax.yaxis]


def segments() -> tuple[Figure, list[Any]]:
    figure, axes = _figure()
    lines = axes.add_collection(LineCollection([np.c_[_STEPS, _STEPS * k] for k in range(4)]))
    area = axes.fill_between(_STEPS, _STEPS, 0.2, hatch="/")
    return figure, [lines, area]


def patches() -> tuple[Figure, list[Any]]:
    figure, axes = _figure()
    every = [
        shapes.Rectangle((0.1, 0.1), 0.3, 0.3, hatch="x"),
        shapes.Ellipse((0.5, 0.5), 0.3, 0.2),
        shapes.Circle((0.7, 0.3), 0.1),
        shapes.Polygon([[0.1, 0.9], [0.4, 0.7], [0.3, 0.5]]),
        shapes.Wedge((0.5, 0.8), 0.2, 10, 200),
        shapes.FancyBboxPatch((0.6, 0.6), 0.2, 0.2, boxstyle="round,pad=0.05"),
        shapes.FancyArrowPatch((0.1, 0.2), (0.9, 0.5), mutation_scale=10),
        shapes.Arc((0.5, 0.5), 0.8, 0.5, theta1=10, theta2=120),
        shapes.RegularPolygon((0.3, 0.3), 5, radius=0.2),
    ]
    for each in every:
        axes.add_patch(each)
    return figure, every


def images() -> tuple[Figure, list[Any]]:
    figure, axes = _figure()
    picture = axes.imshow(np.outer(_STEPS, _STEPS), interpolation="bilinear")
    return figure, [picture]


def meshes() -> tuple[Figure, list[Any]]:
    figure, axes = _figure()
    mesh = axes.pcolormesh(np.outer(_STEPS, _STEPS))
    figure.colorbar(mesh, orientation="horizontal")
    return figure, [mesh]


def gouraud() -> tuple[Figure, list[Any]]:
    figure, axes = _figure()
    grid = np.arange(4)
    return figure, [
        axes.pcolormesh(grid, grid, np.outer(grid, grid), shading="gouraud"),
        axes.tripcolor([0, 1, 0.5, 2], [0, 0, 1, 1.5], [1, 2, 3, 4], shading="gouraud"),
        axes.pcolorfast(np.outer(_STEPS, _STEPS)),
        axes.hexbin(_STEPS, _STEPS, gridsize=5),
    ]


def texts() -> tuple[Figure, list[Any]]:
    figure, axes = _figure()
    plain = axes.text(0.2, 0.8, "plain\ntwo lines", bbox={"boxstyle": "round"})
    formula = axes.text(0.1, 0.3, r"$\frac{a}{b^2}$", rotation=30)
    note = axes.annotate("note", (0.5, 0.5), (0.7, 0.2), arrowprops={"arrowstyle": "->"})
    return figure, [plain, formula, note, figure.suptitle("above"), figure.supxlabel("below")]


def boxes() -> tuple[Figure, list[Any]]:
    figure, axes = _figure()
    anchored = axes.add_artist(AnchoredText("anchored", loc="upper left"))
    placed = axes.add_artist(AnnotationBbox(TextArea("in a box"), (0.6, 0.6)))
    table = axes.table([["a", "b"], ["c", "d"]], loc="lower center")
    return figure, [anchored, placed, table, table[0, 0], table[1, 1].get_text()]


def legends() -> tuple[Figure, list[Any]]:
    figure, axes = _figure()
    axes.plot(_STEPS, label="one")
    axes.plot(1 - _STEPS, "s", label="two")
    axes.bar([1, 2], [0.3, 0.5], label="bars")
    legend = axes.legend()
    return figure, [legend, legend.get_texts()[0], legend.get_lines()[0], legend.get_frame(), axes.lines[0]]


def arrows() -> tuple[Figure, list[Any]]:
    figure, axes = _figure()
    grid = np.arange(3)
    quiver = axes.quiver(grid, grid, np.outer(grid, grid), np.ones((3, 3)))
    key = axes.quiverkey(quiver, 0.8, 1.05, 2, "key")
    barbs = axes.barbs(grid, grid, 10 * np.ones(3), 20 * np.ones(3))
    stream = axes.streamplot(grid, grid, np.ones((3, 3)), np.outer(grid, grid))
    return figure, [quiver, key, barbs, stream.lines]


def contours() -> tuple[Figure, list[Any]]:
    figure, axes = _figure()
    filled = axes.contourf(np.outer(_STEPS, _STEPS))
    drawn = axes.contour(np.outer(_STEPS, _STEPS))
    labels = axes.clabel(drawn)
    return figure, [filled, drawn, *labels[:1]]


def polar() -> tuple[Figure, list[Any]]:
    figure = Figure(**SIZE)
    axes = figure.add_subplot(projection="polar")
    (curve,) = axes.plot(_STEPS * 6, _STEPS)
    bars = axes.bar(_STEPS, _STEPS, width=0.2)
    return figure, [curve, bars[3], axes, axes.xaxis, axes.yaxis]


def in_3d() -> tuple[Figure, list[Any]]:
    figure = Figure(**SIZE)
    axes = figure.add_subplot(projection="3d")
    (curve,) = axes.plot(_STEPS, _STEPS, _STEPS)
    points = axes.scatter(_STEPS, 1 - _STEPS, _STEPS)
    surface = axes.plot_surface(*np.meshgrid(_STEPS[:4], _STEPS[:4]), np.ones((4, 4)))
    word = axes.text(0.5, 0.5, 0.5, "word")
    return figure, [curve, points, surface, word, axes, axes.xaxis]


def twins() -> tuple[Figure, list[Any]]:
    figure, axes = _figure()
    (curve,) = axes.plot(_STEPS)
    other = axes.twinx()
    (above,) = other.plot(_STEPS**2, "r")
    inset = axes.inset_axes((0.5, 0.5, 0.4, 0.4))
    inset.plot(_STEPS)
    axes.indicate_inset_zoom(inset)
    axes.set_title("twins")
    return figure, [curve, above, other, inset, other.yaxis]


def shared() -> tuple[Figure, list[Any]]:
    figure = Figure(**SIZE)
    axes = figure.subplots(2, 2, sharex=True, sharey=True)
    curves = [each.plot(_STEPS * (k + 1))[0] for k, each in enumerate(axes.flat)]
    figure.align_labels()
    axes[1, 1].set(xlabel="x")
    axes[0, 0].set(ylabel="y", title="t")
    return figure, [curves[0], axes[0, 0], axes[1, 1].xaxis, axes[0, 0].yaxis.label]


def scales() -> tuple[Figure, list[Any]]:
    figure, axes = _figure()
    (curve,) = axes.loglog(_STEPS, _STEPS**2)
    mixed = axes.plot(
        [0.1, 0.9], [0.5, 1], transform=blended_transform_factory(axes.transAxes, axes.transData)
    )[0]
    lines = [axes.axhline(0.3), axes.axvspan(0.2, 0.4, alpha=0.3), axes.axline((0.2, 0.2), (0.5, 0.8))]
    return figure, [curve, mixed, *lines, axes]


def dates() -> tuple[Figure, list[Any]]:
    figure, axes = _figure()
    days = [datetime.date(2024, 1, day) for day in range(1, 13)]
    (curve,) = axes.plot(days, _STEPS)
    figure.autofmt_xdate()
    return figure, [curve, axes.xaxis, axes]


def laid_out() -> tuple[Figure, list[Any]]:
    figure = Figure(**SIZE, layout="constrained")
    axes = figure.subplots(1, 2)
    (curve,) = axes[0].plot(_STEPS)
    axes[0].set(title="one", ylabel="y")
    figure.colorbar(axes[1].imshow(np.outer(_STEPS, _STEPS)), ax=axes)
    return figure, [curve, axes[0].title, axes[0].yaxis, axes[0]]


def tight() -> tuple[Figure, list[Any]]:
    figure, axes = _figure(layout="tight")
    (curve,) = axes.plot(_STEPS)
    axes.set(title="tight", ylabel="y")
    return figure, [curve, axes.title, axes]


def nested() -> tuple[Figure, list[Any]]:
    figure = Figure(**SIZE)
    left, right = figure.subfigures(1, 2)
    (curve,) = left.subplots().plot(_STEPS)
    right.subplots().stem(_STEPS)
    return figure, [curve, left, right, right.suptitle("right"), figure.patch]


def effects() -> tuple[Figure, list[Any]]:
    figure, axes = _figure()
    outline = [patheffects.withStroke(linewidth=3, foreground="w"), patheffects.Normal()]
    (curve,) = axes.plot(_STEPS, path_effects=outline)
    (shaky,) = axes.plot(_STEPS**2, snap=False)
    shaky.set_sketch_params(1, 10, 2)
    (coarse,) = axes.plot(1 - _STEPS, rasterized=True)
    return figure, [curve, shaky, coarse]


FIGURES: dict[str, Callable[[], tuple[Figure, list[Any]]]] = {
    make.__name__: make
    for make in (
        *(line, ticks, scatter, segments, patches, images, meshes, gouraud, texts, boxes, legends, arrows),
        *(contours, polar, in_3d, twins, shared, scales, dates, laid_out, tight, nested, effects),
    )
}

#: What setters are called with; a function makes it anew for each artist.
_VALUES: dict[str, Any] = {
    "adjustable": "datalim",
    "agg_filter": lambda image, dpi: (image * 0.5, 0, 0),
    "alignment": "left",
    "alpha": 0.4,
    "anchor": "SW",
    "angle": 40,
    "animated": True,
    "anncoords": "axes fraction",
    "annotation_clip": True,
    "antialiased": False,
    "array": _STEPS,
    "arrowstyle": "-|>",
    "aspect": 0.7,
    "autoscale_on": False,
    "autoscalex_on": False,
    "autoscaley_on": False,
    "autoscalez_on": False,
    "axisbelow": True,
    "backgroundcolor": "y",
    "bbox": {"fc": "y"},
    "bbox_to_anchor": (0.6, 0.6),
    "bounds": (0.2, 0.2, 0.5, 0.4),
    "box_aspect": 0.6,
    "boxstyle": "sawtooth",
    "capstyle": "round",
    "center": (0.4, 0.4),
    "clim": (0.2, 0.6),
    "clip_box": Bbox.from_bounds(10, 10, 50, 40),
    "clip_on": False,
    "closed": False,
    "cmap": "plasma",
    "color": "m",
    "colors": "c",
    "connectionstyle": "arc3, rad=0.4",
    "dash_capstyle": "round",
    "dash_joinstyle": "bevel",
    "dashes": (2, 1),
    "data": np.outer(_STEPS, _STEPS[::-1]),
    "data_3d": (_STEPS, _STEPS**2, _STEPS),
    "data_interval": (0, 5),
    "depthshade": False,
    "draggable": False,
    "drawstyle": "steps",
    "edgecolor": "r",
    "edgegapcolor": "c",
    "extent": (0, 5, 0, 3),
    "facecolor": "0.8",
    "fill": False,
    "fillstyle": "left",
    "filternorm": False,
    "filterrad": 2.0,
    "fontfamily": "monospace",
    "fontfeatures": ["-kern"],
    "fontproperties": "DejaVu Serif",
    "fontsize": 13,
    "fontstretch": "condensed",
    "fontstyle": "italic",
    "fontvariant": "small-caps",
    "fontweight": "bold",
    "frame_on": False,
    "frameon": False,
    "gapcolor": "c",
    "gid": "gid",
    "hatch": "o",
    "hatch_linewidth": 3,
    "hatchcolor": "r",
    "height": 0.6,
    "horizontalalignment": "right",
    "in_layout": False,
    "interpolation": "nearest",
    "interpolation_stage": "rgba",
    "inverted": True,
    "joinstyle": "bevel",
    "label": "named",
    "label_coords": (0.4, -0.2),
    "label_position": "top",
    "label_text": "called",
    "language": "de",
    "linespacing": 2.0,
    "linestyle": "--",
    "linewidth": 2.5,
    "loc": "lower left",
    "major_formatter": "{x:.3f}",
    "major_locator": lambda: MultipleLocator(0.35),
    "marker": "s",
    "markeredgecolor": "k",
    "markeredgewidth": 2,
    "markerfacecolor": "w",
    "markerfacecoloralt": "c",
    "markersize": 9,
    "markevery": 3,
    "math_fontfamily": "cm",
    "minor_formatter": "{x:.1f}",
    "minor_locator": lambda: MultipleLocator(0.15),
    "mouseover": True,
    "multialignment": "center",
    "mutation_aspect": 2,
    "mutation_scale": 16,
    "navigate": False,
    "ncols": 2,
    "norm": Normalize(0.1, 0.7),
    "offset": (2, 3),
    "offset_position": "right",
    "offsets": np.c_[_STEPS, _STEPS],
    "pad": 9,
    "pane_color": (1, 1, 0),
    "parse_math": False,
    "patchA": lambda: shapes.Circle((0.2, 0.2), 0.1),
    "patchB": lambda: shapes.Circle((0.8, 0.5), 0.1),
    "path_effects": [patheffects.withStroke(linewidth=4)],
    "picker": True,
    "pickradius": 4,
    "position": (0.3, 0.4),
    "position_3d": (0.2, 0.3, 0.4),
    "positions": [0.2, 0.3],
    "proj_type": "ortho",
    "radius": 0.15,
    "rasterization_zorder": 1,
    "rasterized": True,
    "resample": False,
    "rlabel_position": 60,
    "rlim": (0, 2),
    "rmax": 2,
    "rmin": 0.1,
    "rorigin": -0.5,
    "rotate_label": True,
    "rotation": 45,
    "rotation_mode": "anchor",
    "rscale": "symlog",
    "rticks": [0.3, 0.9],
    "segments": [np.c_[_STEPS, _STEPS**3]],
    "sizes": [60],
    "sketch_params": 1.5,
    "slope": 0.3,
    "snap": False,
    "solid_capstyle": "round",
    "solid_joinstyle": "bevel",
    "sort_zpos": 1,
    "text": "other",
    "text_props": {"color": "r"},
    "theta1": 40,
    "theta2": 250,
    "theta_direction": -1,
    "theta_offset": 1.0,
    "theta_zero_location": "W",
    "thetalim": (0, 3),
    "thetamax": 200,
    "thetamin": 10,
    "ticklabels": ["u", "v"],
    "ticks": [0.2, 0.6],
    "ticks_position": "top",
    "title": "heading",
    "transform_rotates_text": True,
    "url": "u",
    "urls": ["u"],
    "usetex": False,
    "verticalalignment": "bottom",
    "verts": [[(0, 0), (1, 0), (1, 1)]],
    "view_interval": (0, 3),
    "visible": True,
    "width": 0.5,
    "wrap": True,
    "x": 0.35,
    "xbound": (0.1, 0.9),
    "xdata": _STEPS**2,
    "xinverted": True,
    "xlabel": "below",
    "xlim": (-0.2, 1.2),
    "xmargin": 0.2,
    "xscale": "symlog",
    "xticklabels": ["a", "b"],
    "xticks": [0, 0.5],
    "xy": (0.2, 0.3),
    "xy1": (0.3, 0.3),
    "xy2": (0.6, 0.9),
    "y": 0.45,
    "ybound": (0.1, 0.9),
    "ydata": _STEPS**0.5,
    "yinverted": True,
    "ylabel": "beside",
    "ylim": (-0.1, 1.1),
    "ymargin": 0.3,
    "yscale": "log",
    "yticklabels": ["c", "d"],
    "yticks": [0.1, 0.8],
    "z": 0.6,
    "zbound": (0.1, 0.9),
    "zinverted": True,
    "zlabel": "up",
    "zlim": (0, 2),
    "zmargin": 0.2,
    "zorder": 7,
    "zscale": "symlog",
    "zsort": "min",
    "zticklabels": ["e", "f"],
    "zticks": [0.3, 0.5],
}
#: Setters that are not tried: they tie an artist to something else, want several things, or only a window heeds them.
NOT_TRIED = frozenset(
    [
        "3d_properties",
        "UVC",
        "axes_locator",
        "child",
        "clip_path",
        "converter",
        "dpi",
        "figure",
        "forward_navigation_events",
        "navigate_mode",
        "offset_transform",
        "patch_arc",
        "patch_circle",
        "paths",
        "prop_cycle",
        "remove_overlapping_locs",
        "rgrids",
        "subplotspec",
        "thetagrids",
        "tick_params",
        "transform",
        "units",
        "verts_and_codes",
    ]
)


#: What makes that an artist is always drawn anew: tried last.
_DRAWN_ANEW = ("agg_filter", "path_effects", "sketch_params")


def setters(artist: Any) -> list[str]:
    """Those that matplotlib knows of an artist."""
    return ArtistInspector(artist).get_setters() if isinstance(artist, Artist) else []


def has_value(name: str) -> bool:
    """True if a setter is tried."""
    return name in _VALUES


def _value(name: str) -> Any:
    value = _VALUES[name]
    return value() if callable(value) and name != "agg_filter" else value


def changes(artist: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
    """What can be changed of an artist: every setter that matplotlib knows, and data in place.

    Yields
    ------
    name : str
    change : callable
    """
    yield from _in_place(artist)
    for name in sorted(setters(artist), key=lambda name: name in _DRAWN_ANEW):
        if name in _VALUES:
            yield name, lambda name=name: getattr(artist, f"set_{name}")(_value(name))


def _in_place(artist: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
    for name in ("_xorig", "_yorig", "_A", "_offsets", "_facecolors", "_edgecolors", "_coordinates"):
        array = getattr(artist, name, None)
        if isinstance(array, np.ndarray) and array.dtype.kind == "f" and array.size:
            yield f"{name} in place", lambda array=array: _change(array)
    if hasattr(artist, "get_path") and hasattr(artist, "set_zorder"):
        yield "path in place", lambda: _change(artist.get_path().vertices)
    if hasattr(artist, "get_paths"):
        yield "paths in place", lambda: [_change(path.vertices) for path in artist.get_paths()[:1]]
    if hasattr(artist, "get_array") and artist.get_array() is not None:
        yield "norm in place", lambda: setattr(artist.norm, "vmax", 0.7)
        yield "array", lambda: artist.set_array(np.ma.getdata(artist.get_array()) * 0.9)
        yield "array again", lambda: artist.set_array(artist.get_array())
        yield "log norm", lambda: artist.set_norm(LogNorm(0.05, 0.9))
        yield "cmap changed", lambda: artist.set_cmap(colormaps["plasma"].with_extremes(over="r", under="g"))
    if hasattr(artist, "set_tick_params"):
        yield "tick params", lambda: artist.set_tick_params(length=9, labelcolor="r", direction="in")
    if hasattr(artist, "set_UVC"):
        yield "arrows", lambda: artist.set_UVC(np.full(9, 2.0), np.arange(9.0))
    if isinstance(getattr(artist, "axes", None), Axes):
        circle = shapes.Circle((0.5, 0.5), 0.3, transform=artist.axes.transAxes)
        yield "clip path", lambda: artist.set_clip_path(circle)
        yield "no clip path", lambda: artist.set_clip_path(None)
        yield "hidden", lambda: artist.set_visible(False)
        yield "shown", lambda: artist.set_visible(True)
        yield "turned", lambda: artist.set_transform(Affine2D().rotate_deg(5) + artist.get_transform())


def _change(array: Any) -> None:
    if array.flags.writeable:
        array *= 0.97
