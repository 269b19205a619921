"""What is stored is what ``fig.savefig`` gives."""

from __future__ import annotations

import io

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot as plt
from PIL import Image

import framepipe as fp
from framepipe.scenes.matplotlib_private import root_figure
from tests.integration.pictures_of_figures import (
    KINDS,
    RETURNS,
    dpi_137,
    facecolor,
    plain,
    three_d,
    transparent,
)

NAMES = {"ids": lambda thing: thing.__name__}


@pytest.fixture(autouse=True)
def own_rcparams():
    assert plt.get_fignums() == []
    with matplotlib.rc_context():
        yield


def saved(scene, k, **options):
    """The picture that savefig writes of the figure that a scene draws or leaves as pyplot's current one."""
    returned = scene(k)
    fig = returned[0] if isinstance(returned, tuple) else returned
    fig = plt.gcf() if fig is None else root_figure(fig) if hasattr(fig, "get_figure") else fig
    buffer = io.BytesIO()
    (fig or returned).savefig(buffer, format="png", **options)
    plt.close("all")
    with Image.open(buffer) as picture:
        return np.asarray(picture.convert("RGBA"))


def stored(store, number):
    with Image.open(store / f"frame_{number:06d}.png") as picture:
        picture.load()
        return np.asarray(picture.convert("RGBA")), picture.mode


def compare(scene, folder, engine="serial", mode="RGB", frames=2, rendering=None, **options):
    rendering = options if rendering is None else rendering
    store = fp.render(
        scene,
        frames,
        store=folder / "s",
        engine=engine,
        workers=2 if engine == "local" else None,
        **rendering,
    ).store
    assert plt.get_fignums() == []
    for number in range(frames):
        seen, seen_mode = stored(store, number)
        due = saved(scene, number, **options)
        assert seen.shape == due.shape
        assert np.array_equal(seen, due)
        assert seen_mode == mode
    return store


@pytest.mark.parametrize("scene", KINDS, **NAMES)
def test_a_stored_frame_is_what_savefig_gives(tmp_path, scene):
    compare(scene, tmp_path, mode="RGBA" if scene is transparent else "RGB")


@pytest.mark.parametrize("scene", RETURNS, **NAMES)
def test_whatever_a_function_returns_its_figure_is_stored(tmp_path, scene):
    compare(scene, tmp_path)


@pytest.mark.parametrize("dpi", [50, 100, 137, 33.3])
def test_dpi_is_that_of_savefig(tmp_path, dpi):
    store = compare(plain, tmp_path, dpi=dpi)
    with Image.open(store / "frame_000000.png") as picture:
        assert picture.info["dpi"] == pytest.approx((dpi, dpi), abs=0.02)


@pytest.mark.parametrize("value", [72, "figure"])
def test_the_rc_parameter_savefig_dpi_counts(tmp_path, value):
    matplotlib.rcParams["savefig.dpi"] = value
    compare(dpi_137, tmp_path)


@pytest.mark.parametrize(
    "style",
    [
        {"savefig.facecolor": "tab:red"},
        {"savefig.transparent": True},
        {"font.family": "monospace", "axes.grid": True},
        {"figure.facecolor": "0.5", "text.antialiased": False},
    ],
    ids=str,
)
def test_other_rc_parameters_count(tmp_path, style):
    matplotlib.rcParams.update(style)
    compare(plain, tmp_path, mode="RGBA" if "savefig.transparent" in style else "RGB")


@pytest.mark.parametrize("wanted", [True, False])
@pytest.mark.parametrize("scene", [plain, facecolor], **NAMES)
def test_transparent_is_that_of_savefig(tmp_path, scene, wanted):
    compare(scene, tmp_path, transparent=wanted, mode="RGBA" if wanted else "RGB")


def test_a_style_sheet_counts(tmp_path):
    with plt.style.context("dark_background"):
        compare(plain, tmp_path)


def test_workers_store_the_same_pixels(tmp_path):
    matplotlib.rcParams.update({"lines.linewidth": 4, "savefig.dpi": 61})
    compare(three_d, tmp_path, engine="local", frames=3)


FIGURE = None


def reused(k):
    """A figure of the module that is drawn once and changed for each frame."""
    global FIGURE
    if FIGURE is None:
        FIGURE = plt.figure(figsize=(2, 1.5), dpi=50)
        FIGURE.subplots().set(xlim=(0, 10), ylim=(0, 1))
    ax = FIGURE.axes[0]
    for old in list(ax.lines):
        old.remove()
    ax.plot([0, k], [0, 1])
    return FIGURE


def test_a_figure_that_is_used_again_for_each_frame_is_stored_each_time(tmp_path):
    global FIGURE
    FIGURE = None
    store = fp.render(reused, 4, store=tmp_path / "s", engine="serial").store
    seen = [stored(store, number)[0] for number in range(4)]
    assert len({picture.tobytes() for picture in seen}) == 4
    FIGURE = None
    for number in range(4):
        buffer = io.BytesIO()
        reused(number).savefig(buffer)
        assert np.array_equal(np.asarray(Image.open(buffer).convert("RGBA")), seen[number])


def off_centre(k):
    """A title outside of the axes, so that the tight box of each frame is another one."""
    fig, ax = plt.subplots(figsize=(2, 1.5), dpi=50)
    fig.subplots_adjust(left=0.35, right=0.75, bottom=0.35, top=0.7)
    ax.plot([0, 1], [0, k + 1])
    ax.set_title("m" * (k + 1), loc="left")
    return fig


@pytest.mark.parametrize("dpi", [None, 100, 83])
def test_tight_frames_are_one_crop_of_the_whole_picture(tmp_path, dpi):
    keywords = {} if dpi is None else {"dpi": dpi}
    store = compare_tight(off_centre, tmp_path, keywords)
    with Image.open(store / "frame_000000.png") as first:
        whole = saved(off_centre, 0, **keywords)
        assert first.size[0] < whole.shape[1] or first.size[1] < whole.shape[0]


def compare_tight(scene, folder, keywords):
    store = fp.render(scene, 4, store=folder / "s", engine="serial", tight=True, **keywords).store
    sizes, places = set(), set()
    for number in range(4):
        seen, _ = stored(store, number)
        whole = saved(scene, number, **keywords)
        sizes.add(seen.shape)
        places.add(place_of(seen, whole))
    assert len(sizes) == 1
    assert len(places) == 1
    assert None not in places
    return store


def place_of(small, big):
    """Where the small picture lies in the big one, the big one's ground going on around it."""
    pad = 40
    ground = np.pad(big, ((pad, pad), (pad, pad), (0, 0)), constant_values=255)
    height, width, _ = small.shape
    for top in range(ground.shape[0] - height + 1):
        for left in range(ground.shape[1] - width + 1):
            if np.array_equal(ground[top, left : left + width], small[0]) and np.array_equal(
                ground[top : top + height, left : left + width], small
            ):
                return top - pad, left - pad
    return None


def test_tight_workers_cut_like_the_serial_engine(tmp_path):
    one = fp.render(off_centre, 4, store=tmp_path / "a", engine="serial", tight=True).store
    two = fp.render(off_centre, 4, store=tmp_path / "b", engine="local", workers=2, tight=True).store
    for number in range(4):
        assert np.array_equal(stored(one, number)[0], stored(two, number)[0])


def growing(k):
    fig, _ = plt.subplots(figsize=(2, 1.5 + k), dpi=50)
    return fig


@pytest.mark.parametrize("engine", ["serial", "local"])
def test_a_frame_of_another_size_fails_with_both_sizes_and_the_usual_cause(tmp_path, engine):
    with pytest.raises(fp.FramesFailed) as caught:
        fp.render(growing, 3, store=tmp_path / "s", engine=engine, workers=1)
    assert [(each.number, each.kind) for each in caught.value.report.failed] == [(1, "size"), (2, "size")]
    assert caught.value.report.drawn == (0,)
    text = str(caught.value)
    for part in ("100x125 px", "first frame 100x75", "bbox_inches='tight'", "--tight"):
        assert part in text
    assert "frames 1-2" in text  # told once, for both; the report has each
    assert "100x175 px" in caught.value.report.failed[1].message


def test_savefig_bbox_tight_in_the_style_fails_with_advice(tmp_path):
    matplotlib.rcParams["savefig.bbox"] = "tight"
    with pytest.raises(fp.FramesFailed, match="use --tight"):
        fp.render(off_centre, 3, store=tmp_path / "s", engine="serial")
    assert fp.render(off_centre, 3, store=tmp_path / "t", engine="serial", tight=True).drawn == (0, 1, 2)


def fading(k):
    fig, _ = plt.subplots(figsize=(2, 1.5), dpi=50)
    fig.patch.set_alpha(1 - k / 10)
    return fig


def test_a_transparent_frame_after_an_opaque_one_fails_with_advice(tmp_path):
    with pytest.raises(fp.FramesFailed, match="use --transparent, or give every figure the same opaque face"):
        fp.render(fading, 3, store=tmp_path / "s", engine="serial")


def appearing(k):
    fig, _ = plt.subplots(figsize=(2, 1.5), dpi=50)
    fig.patch.set_alpha(min(1, 0.5 + k / 2))
    return fig


def test_an_opaque_frame_after_a_transparent_one_is_stored_with_alpha(tmp_path):
    store = fp.render(appearing, 3, store=tmp_path / "s", engine="serial").store
    assert [stored(store, number)[1] for number in range(3)] == ["RGBA"] * 3


@pytest.mark.parametrize("thing", [5, "x", [1], object()], ids=lambda thing: type(thing).__name__)
def test_something_else_than_a_figure_is_a_failure_that_says_what(tmp_path, thing):
    with pytest.raises(fp.FramesFailed, match=f"returned a {type(thing).__name__}: return a Figure"):
        fp.render(lambda k: thing, 1, store=tmp_path / "s", engine="serial")


def test_nothing_drawn_and_nothing_returned_is_a_failure(tmp_path):
    with pytest.raises(fp.FramesFailed, match="returned nothing and pyplot has no figure"):
        fp.render(lambda k: None, 1, store=tmp_path / "s", engine="serial")
