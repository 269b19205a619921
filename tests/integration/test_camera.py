"""Code that was written for celluloid's camera, and what celluloid gets wrong."""

from __future__ import annotations

import gc
import html
import itertools
import os
import re
import tempfile
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib import animation
from matplotlib import pyplot as plt
from PIL import Image

import framepipe as fp
from tests.integration.programs import run, saved, started, stored
from tests.support.sizes import LONG, all_if_long

X = np.linspace(0, 6, 30)
SMALL = {"figsize": (1, 0.8), "dpi": 50}


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path, monkeypatch):
    """Where nothing may be left."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    plt.close("all")


def Camera(figure, **options):
    """A camera that draws in this process, where the worker is no subject; in the long run as usual."""
    return fp.Camera(figure, **({} if LONG else {"workers": 0}), **options)


def taken(camera):
    """All pictures, as RGBA."""
    store = camera.animate().store
    return [stored(store.path, number) for number in range(len(fp.status(store).done))]


def gif(path):
    with Image.open(path) as movie:
        return movie.n_frames, movie.info.get("duration"), movie.info.get("loop")


# --- what celluloid promises ------------------------------------------------------------------------


def test_each_snap_counts_the_lines_that_are_new():
    camera = Camera(plt.figure(**SMALL))
    for number in range(4):
        plt.plot(X, np.sin(X + number))
        assert len(camera.snap()) == 1
    assert len(taken(camera)) == 4
    for number in range(1, 3):
        for _ in range(number):
            plt.plot(X, X)
        plt.scatter(X, X)
        assert len(camera.snap()) == number + 1
    assert len(camera.snap()) == 0


def test_two_axes_are_counted_together():
    fig, axes = plt.subplots(2, **SMALL)
    camera = Camera(fig)
    for number in range(3):
        axes[0].plot(X, np.sin(X + number))
        axes[1].plot(X, X)
        axes[1].plot(X, -X)
        assert len(camera.snap()) == 3


def test_a_legend_counts():
    camera = Camera(plt.figure(**SMALL))
    for number in range(3):
        lines = plt.plot(X, X)
        plt.legend(lines, [f"line {number}"])
        assert len(camera.snap()) == 2


def test_images_count():
    camera = Camera(plt.figure(**SMALL))
    for number in range(3):
        plt.imshow(np.full((3, 3), number))
        assert len(camera.snap()) == 1


def test_the_animation_has_the_methods_and_keywords_of_matplotlibs(tmp_path):
    camera = Camera(plt.figure(**SMALL))
    for number in range(3):
        plt.plot([0, 1], [0, number])
        camera.snap()
    anim = camera.animate(interval=100, blit=True, repeat_delay=1000, repeat=False)
    anim.save(tmp_path / "a.gif")
    assert gif(tmp_path / "a.gif")[0] == 3
    anim.save(str(tmp_path / "b.gif"), writer="imagemagick", fps=5)
    anim.save(tmp_path / "c.gif", writer="pillow")
    anim.save(tmp_path / "d.gif", writer=animation.PillowWriter(fps=20))
    assert gif(tmp_path / "d.gif")[1] == 50
    anim = camera.animate(interval=100)
    movie = anim.save(tmp_path / "e.mp4", metadata={"title": "of a camera"})
    assert (movie.frames, movie.width, movie.height) == (3, 50, 40)
    assert b"of a camera" in (tmp_path / "e.mp4").read_bytes()
    assert "<video" in anim.to_html5_video()
    assert "<iframe" in anim.to_jshtml()


def test_what_has_no_effect_is_said(tmp_path):
    camera = Camera(plt.figure(**SMALL))
    camera.snap()
    anim = camera.animate()
    with pytest.warns(UserWarning, match="codec, bitrate, savefig_kwargs, progress_callback: of no effect"):
        anim.save(
            tmp_path / "a.gif", codec="x", bitrate=9, savefig_kwargs={"dpi": 3}, progress_callback=print
        )
    with pytest.warns(UserWarning, match="were drawn at 50 dpi"):
        anim.save(tmp_path / "a.gif", dpi=100)
    anim.save(tmp_path / "a.gif", dpi=50)


@pytest.mark.parametrize(
    ("keywords", "expected"),
    [({}, (2, 200, 0)), ({"interval": 40}, (2, 40, 0)), ({"repeat": False}, (2, 200, None))],
    ids=str,
)
def test_interval_and_repeat_are_matplotlibs(tmp_path, keywords, expected):
    camera = Camera(plt.figure(**SMALL))
    for number in range(2):
        plt.plot([0, 1], [0, number])
        camera.snap()
    camera.animate(**keywords).save(tmp_path / "a.gif")
    assert gif(tmp_path / "a.gif") == expected


def test_a_camera_goes_on_after_animate(tmp_path):
    camera = Camera(plt.figure(**SMALL))
    for number in range(3):
        plt.plot([0, 1], [0, number])
        camera.snap()
        camera.animate().save(tmp_path / "a.gif")
        if number:
            assert gif(tmp_path / "a.gif")[0] == number + 1


def test_no_picture_is_told():
    with pytest.raises(fp.UsageError, match="taken no picture"):
        Camera(plt.figure(**SMALL)).animate()


# --- what a picture is ------------------------------------------------------------------------------


def test_a_picture_is_what_savefig_gives_at_that_moment_with_titles_legend_and_limits():
    fig, ax = plt.subplots(figsize=(2, 1.5), dpi=50)
    camera, expected = fp.Camera(fig), []
    for number in range(4):
        ax.plot(X, np.sin(X + number), color="C0", label=f"shift {number}")
        ax.legend(loc="upper left")
        ax.set(title=f"frame {number}", xlim=(number, number + 3), xlabel="x" * number)
        fig.suptitle(f"of {number}")
        ax.set_facecolor(["w", "0.9"][number % 2])
        expected.append(saved(fig))
        camera.snap()
    for picture, wanted in zip(taken(camera), expected, strict=True):
        np.testing.assert_array_equal(picture, wanted)


def polar(fig, number):
    ax = fig.axes[0] if fig.axes else fig.add_subplot(projection="polar")
    ax.plot(X, X + number)
    return 1


def three_d(fig, number):
    ax = fig.axes[0] if fig.axes else fig.add_subplot(projection="3d")
    ax.plot(X, np.sin(X), number)
    ax.plot_surface(*np.meshgrid([0, 1], [0, 1]), np.full((2, 2), number))
    ax.view_init(azim=number * 10)
    return 2


def twins(fig, number):
    left, right = fig.axes or (fig.add_subplot(), None)
    right = right or left.twinx()
    left.plot(X, X)
    right.bar([1, 2], [3, number])
    return 3


def boxes(fig, number):
    ax = fig.axes[0] if fig.axes else fig.add_subplot()
    ax.bar([1, 2, 3], [1, 2, number])
    ax.errorbar([1, 2], [1, 2], yerr=[0.1, number + 0.1])
    ax.stem([1, 2], [number, 1])
    ax.hist([1, 1, 2], bins=2)
    ax.text(1, 1, str(number))
    ax.annotate("here", (1, 1), (2, 2), arrowprops={})
    ax.table([[str(number)]])
    ax.fill_between([0, 1], [number, 2])
    ax.contour(np.outer(X, X + number))
    ax.quiver([1], [1], [number], [1])


def with_colorbar(fig, number):
    ax = fig.axes[0] if fig.axes else fig.add_subplot()
    image = ax.imshow(np.eye(3) * (number + 1), vmin=0, vmax=5)
    if len(fig.axes) == 1:
        fig.colorbar(image)
    return 1


def subfigures(fig, number):
    if not fig.subfigs:
        for part in fig.subfigures(1, 2):
            part.subplots()
    for part in fig.subfigs:
        part.axes[0].plot(X, X + number)
    fig.subfigs[0].suptitle(str(number))
    return 2


def cleared(fig, number):
    fig.clf()
    fig.add_subplot().plot(X, X + number)
    return 1


@pytest.mark.parametrize(
    "plot",
    [polar, three_d, twins, boxes, with_colorbar, subfigures, cleared],
    ids=lambda plot: plot.__name__,
)
def test_all_that_was_plotted_is_taken_once_and_then_gone(plot):
    fig = plt.figure(figsize=(2, 1.5), dpi=50)
    camera, expected, counts = Camera(fig), [], []
    for number in range(3):
        count = plot(fig, number)
        expected.append(saved(fig))
        counts.append(len(camera.snap()))
        assert count in (None, counts[-1])
    assert len(set(counts)) == 1
    for picture, wanted in zip(taken(camera), expected, strict=True):
        np.testing.assert_array_equal(picture, wanted)
    for ax in fig.axes:
        if not hasattr(ax, "_colorbar"):
            assert not ax.lines and not ax.patches and not ax.collections and not ax.images
            assert not ax.texts and not ax.tables and not ax.containers


def test_artists_that_the_program_removes_itself_are_no_trouble():
    camera = Camera(plt.figure(**SMALL))
    for number in range(3):
        (line,) = plt.plot(X, X)
        bars = plt.bar([1, 2], [1, 2])
        bars.remove()
        camera.snap()
        plt.cla()
        assert line.axes is None or line not in line.axes.lines
        plt.title(str(number))
    assert len(taken(camera)) == 3


@pytest.mark.parametrize("dpi", [None, 72])
@pytest.mark.parametrize("param", ["figure", 90])
def test_dpi_is_that_of_savefig_unless_it_is_given(dpi, param):
    with matplotlib.rc_context({"savefig.dpi": param}):
        fig = plt.figure(**SMALL)
        plt.plot(X, X)
        wanted = saved(fig, **({"dpi": dpi} if dpi else {}))
        camera = Camera(fig, dpi=dpi)
        camera.snap()
        np.testing.assert_array_equal(taken(camera)[0], wanted)


# --- in pages ---------------------------------------------------------------------------------------


def page_in(element, path):
    """The page of framepipe's player that is framed in an element."""
    path.write_text(html.unescape(re.search('srcdoc="([^"]*)"', element)[1]))
    return path


def noisy_camera():
    camera = Camera(plt.figure(**SMALL))
    noise = np.random.default_rng(4)
    for _ in range(5):
        plt.imshow(noise.random((30, 30)))
        camera.snap()
    return camera


def test_the_javascript_player_has_all_frames_whatever_the_embed_limit(tmp_path):
    camera = noisy_camera()
    anim = camera.animate(interval=50)
    with matplotlib.rc_context({"animation.embed_limit": 0.001}):
        page = page_in(anim.to_jshtml(), tmp_path / "player.html")
    assert fp.verify(page, anim.store, fps=20, loop=0).passed
    assert fp.verify(page_in(anim.to_jshtml(fps=10), page), anim.store, fps=10, loop=0).passed


@pytest.mark.parametrize(
    ("mode", "timing"),
    [("loop", {"loop": 0}), ("once", {"loop": 1}), ("reflect", {"loop": 0, "bounce": True})],
)
def test_the_javascript_player_plays_in_the_modes_of_matplotlibs(tmp_path, mode, timing):
    anim = noisy_camera().animate(interval=50, repeat=mode == "once")
    page = page_in(anim.to_jshtml(default_mode=mode), tmp_path / "player.html")
    assert fp.verify(page, anim.store, fps=20, **timing).passed
    assert not fp.verify(page, anim.store, fps=20, loop=3).passed


@pytest.mark.parametrize("wrong", [{"embed_frames": False}, {"default_mode": "backwards"}])
def test_what_the_javascript_player_cannot_do_is_refused(wrong):
    with pytest.raises(fp.UsageError, match=next(iter(wrong))):
        noisy_camera().animate().to_jshtml(**wrong)


def test_a_video_beyond_the_embed_limit_is_refused_not_cut():
    camera = Camera(plt.figure(**SMALL))
    camera.snap()
    anim = camera.animate()
    with pytest.raises(fp.UsageError, match="embed_limit"):
        anim.to_html5_video(embed_limit=1e-6)
    with matplotlib.rc_context({"animation.embed_limit": 1e-6}):
        with pytest.raises(fp.UsageError, match="embed_limit"):
            anim.to_html5_video()


@pytest.mark.parametrize(("html", "wanted"), [("none", "<video"), ("html5", "<video"), ("jshtml", "<iframe")])
def test_a_notebook_shows_it(html, wanted):
    camera = Camera(plt.figure(**SMALL))
    camera.snap()
    with matplotlib.rc_context({"animation.html": html}):
        assert wanted in camera.animate()._repr_html_()


# --- what is left behind ----------------------------------------------------------------------------


def test_a_camera_that_is_gone_leaves_no_folder_and_no_process(own_temporary_folder):
    camera = fp.Camera(plt.figure(**SMALL))
    for _ in range(6):
        plt.plot(X, X)
        camera.snap()
    anim = camera.animate()
    camera.snap()
    del camera
    gc.collect()
    assert list(own_temporary_folder.glob("framepipe-camera-*"))  # the animation still needs it
    del anim
    gc.collect()
    assert list(own_temporary_folder.iterdir()) == []
    assert started() == []


def test_a_camera_that_cannot_be_made_leaves_no_folder(own_temporary_folder):
    with pytest.raises(fp.UsageError, match="dpi"):
        Camera(plt.figure(**SMALL), dpi=-1)
    assert list(own_temporary_folder.iterdir()) == []


@pytest.mark.parametrize(
    ("end", "code"), all_if_long([("", 0), ("1 / 0", 1), ("sys.exit(4)", 4)], ("1 / 0", 1))
)
def test_a_program_that_ends_leaves_no_folder_and_warns_of_nothing(own_temporary_folder, tmp_path, end, code):
    _, err = run(
        tmp_path,
        f"""
        camera = fp.Camera(level(1))
        for _ in range(6):
            camera.snap()
        {end}
        """,
        code=code,
        TMPDIR=str(own_temporary_folder),
    )
    assert "Warning" not in err
    assert list(own_temporary_folder.iterdir()) == []


def test_a_forked_child_does_not_delete_its_parents_pictures(own_temporary_folder, tmp_path):
    run(
        tmp_path,
        """
        camera = fp.Camera(level(1))
        camera.snap()
        camera.animate()
        if os.fork() == 0:
            sys.exit(0)
        os.wait()
        camera.snap()
        assert camera.animate().save("a.gif").frames == 2
        """,
        TMPDIR=str(own_temporary_folder),
    )
    assert list(own_temporary_folder.iterdir()) == []


def test_frames_in_a_folder_of_ones_own_stay_and_a_new_camera_begins_anew(tmp_path):
    for count in (3, 2):
        camera = Camera(plt.figure(**SMALL), store=tmp_path / "s")
        for number in range(count):
            plt.plot([0, 1], [0, number])
            camera.snap()
        assert camera.animate().save(tmp_path / "a.gif").frames == count
        del camera
        gc.collect()
    assert fp.status(tmp_path / "s").done == (0, 1)
    assert len(list(Path(tmp_path / "s").glob("frame_*.png"))) == 3


def test_every_process_of_a_parallel_program_has_its_own_pictures(monkeypatch):
    monkeypatch.setenv("RANK", "1")
    camera = Camera(plt.figure(**SMALL))
    camera.snap()
    assert len(taken(camera)) == 1
    assert os.environ["RANK"] == "1"


# --- celluloid's insides, which programs use ------------------------------------------------------------


def test_photos_hold_the_artists_of_each_picture_and_frame_seq_the_pictures():
    camera, kept = Camera(plt.figure(**SMALL)), []
    for number in range(4):
        plt.plot(X, X)
        plt.legend(plt.plot(X, -X), [f"line {number}"])
        kept.append(camera.snap())
    assert [len(photo) for photo in camera._photos] == [3, 3, 3, 3]
    assert [photo[-1].texts[0].get_text() for photo in camera._photos] == [f"line {n}" for n in range(4)]
    assert [list(photo) for photo in camera._photos] == kept
    anim = camera.animate()
    assert len(list(anim.frame_seq)) == len(list(anim.new_frame_seq())) == 4


def test_an_artist_that_nobody_keeps_is_thrown_away_and_that_is_said():
    camera = Camera(plt.figure(**SMALL))
    plt.plot(X, X)
    camera.snap()
    gc.collect()
    with pytest.raises(ReferenceError, match=r"artist 0 of picture 0 .* keep what snap\(\) returns"):
        camera._photos[0][0]
    assert repr(camera._photos) == "[<picture 0 of 1 artists>]"


@pytest.mark.parametrize("limits", ["own", "last"])
def test_pictures_that_a_program_rearranges_are_shown_as_it_says(tmp_path, limits):
    camera = Camera(plt.figure(**SMALL), limits=limits)
    for number in range(3):
        plt.plot([0, 1], [0, number])
        camera.snap()
    plain = taken(camera)
    camera._photos = [camera._photos[-1], *camera._photos]
    again = taken(camera)
    for picture, number in zip(again, [2, 0, 1, 2], strict=True):
        np.testing.assert_array_equal(picture, plain[number])
    camera._photos.clear()
    with pytest.raises(fp.UsageError, match="taken no picture"):
        camera.animate()
    plt.plot([0, 1], [5, 5])
    camera.snap()
    assert camera.animate().save(tmp_path / "a.gif").frames == 1


# --- limits="last": all pictures with the axes of the end, as celluloid has them --------------------------


def growing_lines(fig, number):
    fig.gca().plot(X, np.sin(X + number) * (number + 1), color="C0")


def growing_bars(fig, number):
    fig.gca().bar([0, 1, 2], [number, 2, number**2], color="g")


def growing_twins(fig, number):
    left, right = fig.axes or fig.subplots(2)
    left.plot([0, number], [0, 1], color="b")
    right.scatter([0, -number], [number, 1], color="k")


def growing_3d(fig, number):
    ax = fig.axes[0] if fig.axes else fig.add_subplot(projection="3d")
    ax.plot(X, np.sin(X), X * number, color="b")


def set_limits(fig, number):
    fig.gca().plot([0, number], [0, number], color="b")
    fig.gca().set_xlim(-number, number + 3)


def all_at_once(fig, plot, count):
    """The pictures of celluloid: everything is plotted, then only a frame's artists are visible."""
    groups = []
    for number in range(count):
        before = {id(each) for ax in fig.axes for each in ax.get_children()}
        plot(fig, number)
        children = [each for ax in fig.axes for each in (*ax.lines, *ax.patches, *ax.collections)]
        groups.append([each for each in children if id(each) not in before])
    for group in groups:
        for artist in itertools.chain(*groups):
            artist.set_visible(any(artist is each for each in group))
        yield saved(fig)


@pytest.mark.parametrize(
    "plot",
    [growing_lines, growing_bars, growing_twins, growing_3d, set_limits],
    ids=lambda plot: plot.__name__,
)
def test_the_last_limits_are_those_of_all_pictures(plot):
    size = {"figsize": (2, 1.5), "dpi": 50}
    fig = plt.figure(**size)
    camera = Camera(fig, limits="last")
    for number in range(4):
        plot(fig, number)
        camera.snap()
    expected = all_at_once(plt.figure(**size), plot, 4)
    for picture, wanted in zip(taken(camera), expected, strict=True):
        np.testing.assert_array_equal(picture, wanted)


def test_limits_that_are_set_after_the_last_picture_count_and_pictures_are_drawn_again_for_others():
    fig, ax = plt.subplots(**SMALL)
    camera, plain = Camera(fig, limits="last"), Camera(fig)
    for number in range(3):
        ax.plot([0, 1], [0, number], color="C0")
        camera.snap()
    ax.set_ylim(-5, 5)
    low = taken(camera)
    ax.set_ylim(-50, 50)
    wide = taken(camera)
    for number, picture in enumerate(wide):
        ax.set_ylim(-50, 50)
        ax.plot([0, 1], [0, number], color="C0")
        plain.snap()
        assert not np.array_equal(picture, low[number]) or number == 0
    for picture, wanted in zip(wide, taken(plain), strict=True):
        np.testing.assert_array_equal(picture, wanted)


def test_waiting_pictures_keep_the_style_of_their_time_and_go_with_the_camera(own_temporary_folder):
    with matplotlib.rc_context({"lines.linewidth": 5, "path.simplify": False, "axes.unicode_minus": False}):
        fig, ax = plt.subplots(**SMALL)
        camera = fp.Camera(fig, limits="last")
        ax.plot([0, 1], [-3, 0])
        wanted = saved(fig)
        camera.snap()
    np.testing.assert_array_equal(taken(camera)[0], wanted)
    assert list(own_temporary_folder.iterdir())
    del camera
    gc.collect()
    assert list(own_temporary_folder.iterdir()) == []


def test_other_limits_are_refused():
    with pytest.raises(fp.UsageError, match="limits is 'first'; give one of own, last"):
        Camera(plt.figure(**SMALL), limits="first")
