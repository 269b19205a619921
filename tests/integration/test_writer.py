"""``anim.save(…, writer="framepipe")``, held against matplotlib's own tests of its writers."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib import animation
from matplotlib import pyplot as plt
from matplotlib.patheffects import withStroke
from matplotlib.transforms import Affine2D
from PIL import Image

import framepipe as fp
from framepipe.integrations.matplotlib_writer import ffmpeg_options
from framepipe.scenes.figures import digest_figure
from tests.integration.programs import run, run_anew, started, stored, times
from tests.support.sizes import all_if_long

X = np.linspace(0, 6, 40)


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield
    plt.close("all")


def here(**options):
    """A writer that draws in this process, where the worker is no subject."""
    return fp.FramepipeWriter(workers=0, **options)


def function_animation(frames=4, **options):
    fig, ax = plt.subplots(figsize=(1, 0.8), dpi=50)
    (line,) = ax.plot(X, np.sin(X))
    ax.set_title("shifted")

    def update(number):
        line.set_ydata(np.sin(X + number))
        return (line,)

    return animation.FuncAnimation(fig, update, frames, **options)


def artist_animation(frames=4):
    fig, ax = plt.subplots(figsize=(1, 0.8), dpi=50)
    return animation.ArtistAnimation(fig, [ax.plot(X, np.sin(X + number)) for number in range(frames)])


def frames_of_matplotlib(anim, folder, **options):
    """The PNG files that matplotlib's HTML writer puts beside its page, as RGBA."""
    writer = animation.HTMLWriter(fps=5, embed_frames=False)
    anim.save(folder / "page.html", writer=writer, **options)
    paths = sorted((folder / "page_frames").iterdir())
    return [np.asarray(Image.open(path).convert("RGBA")) for path in paths]


# --- as matplotlib tests its writers ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "suffix", "path"),
    [(function_animation, ".mp4", str), (artist_animation, ".gif", Path)],
)
def test_animations_are_saved(tmp_path, kind, suffix, path):
    output = path(tmp_path / f"movie{suffix}")
    kind().save(output, writer="framepipe", fps=30, dpi=60, codec="h264")
    assert fp.verify(output, tmp_path / "frames" / "movie").passed
    assert started() == []


@pytest.mark.parametrize("writer", ["framepipe", fp.FramepipeWriter(fps=7, crf=30, metadata={"title": "t"})])
def test_the_writer_is_given_by_name_or_as_an_object(tmp_path, writer):
    keywords = {"fps": 7} if isinstance(writer, str) else {}
    function_animation().save("movie.mp4", writer=writer, **keywords)
    assert fp.verify("movie.mp4", "frames/movie", fps=7).passed


def test_metadata_is_in_the_movie(tmp_path):
    function_animation().save("movie.mp4", writer=here(metadata={"title": "seen by all"}))
    assert b"seen by all" in (tmp_path / "movie.mp4").read_bytes()


def test_it_is_registered():
    assert "framepipe" in animation.writers.list()
    assert animation.writers.is_available("framepipe")
    assert animation.writers["framepipe"] is fp.FramepipeWriter
    with pytest.raises(TypeError, match="dpi"):
        fp.FramepipeWriter().saving(plt.figure(), "movie.gif")


@pytest.mark.parametrize(("param", "dpi", "width"), [("figure", None, 50), (70, None, 70), (70, 90, 90)])
def test_dpi_defaults_to_rc_parameters(param, dpi, width):
    with matplotlib.rc_context({"savefig.dpi": param}):
        function_animation().save("movie.gif", writer=here(), dpi=dpi)
    with Image.open("movie.gif") as movie:
        assert movie.width == width


@pytest.mark.parametrize("wrong", [{"dpi": 0}, {"bbox_inches": "tight"}, {"format": "png"}], ids=str)
def test_grab_frame_refuses_what_would_change_the_size(wrong):
    fig = plt.figure(figsize=(1, 1), dpi=50)
    writer = fp.FramepipeWriter(fps=5)
    with pytest.raises(TypeError, match="unexpected keyword"):
        with writer.saving(fig, "movie.gif", 50):
            writer.grab_frame(**wrong)
    assert writer.movie is None


def test_a_tight_bounding_box_is_refused_by_grab_frame_and_turned_off_by_save():
    fig = plt.figure(figsize=(1, 1), dpi=50)
    writer = fp.FramepipeWriter(fps=5)
    with pytest.raises(ValueError, match="tight"):
        with writer.saving(fig, "movie.gif", 50), matplotlib.rc_context({"savefig.bbox": "tight"}):
            writer.grab_frame()
    with matplotlib.rc_context({"savefig.bbox": "tight"}):
        function_animation().save("saved.gif", writer=here())
    with Image.open("saved.gif") as movie:
        assert movie.size == (50, 40)


@pytest.mark.parametrize(
    "options",
    [{}, {"dpi": 80}, {"savefig_kwargs": {"facecolor": "lime"}}, {"savefig_kwargs": {"transparent": True}}],
    ids=str,
)
@pytest.mark.parametrize("kind", [function_animation, artist_animation], ids=lambda kind: kind.__name__)
def test_frames_are_those_of_matplotlibs_own_lossless_writer(tmp_path, kind, options):
    wanted = frames_of_matplotlib(kind(), tmp_path, **options)
    kind().save("movie.mp4", writer=here() if options else "framepipe", **options)
    for number, pixels in enumerate(wanted):
        np.testing.assert_array_equal(stored("frames/movie", number), pixels)
    assert len(times("frames/movie")) == len(wanted) == 4


def test_a_figure_that_changes_its_size_is_drawn_at_its_first_as_matplotlib_does(tmp_path):
    fig = plt.figure(figsize=(1, 1), dpi=50)
    writer = here(fps=5)
    with writer.saving(fig, "movie.gif", 50):
        writer.grab_frame()
        fig.set_size_inches(2, 2)
        writer.grab_frame()
    assert (writer.movie.frames, writer.movie.width, writer.movie.height) == (2, 50, 50)


def test_a_gif_keeps_its_transparency():
    fig = plt.figure(figsize=(1, 1), dpi=50)
    fig.patch.set_alpha(0)
    anim = animation.FuncAnimation(fig, lambda number: [fig.text(number / 3, 0.5, "x")], 3)
    anim.save("movie.gif", writer=here())
    assert stored("frames/movie", 0)[0, 0, 3] == 0
    with Image.open("movie.gif") as movie:
        assert movie.convert("RGBA").getpixel((0, 0))[3] == 0


@pytest.mark.parametrize("where", [0, 1])
def test_an_error_in_the_middle_is_the_one_that_is_seen_and_no_movie_is_built(tmp_path, where):
    anim = function_animation()
    update = anim._func

    def fails(number):
        if number == 2:
            raise RuntimeError("mine")
        return update(number)

    anim._func = fails
    with pytest.raises(RuntimeError, match="mine"):
        anim.save("movie.gif", writer=fp.FramepipeWriter(workers=where))
    assert not (tmp_path / "movie.gif").exists()
    assert sorted(times("frames/movie")) == [0, 1]
    assert started() == []
    function_animation().save("movie.gif", writer=here())
    assert (tmp_path / "movie.gif").exists()


def test_a_movie_is_built_also_while_the_caller_handles_an_error(tmp_path):
    try:
        raise KeyError
    except KeyError:
        function_animation().save("movie.gif", writer=here())
    assert (tmp_path / "movie.gif").exists()


def test_a_frame_that_cannot_be_drawn_is_told(tmp_path):
    anim = function_animation()
    anim._fig.text(0, 0, "fine")
    text, update = anim._fig.texts[0], anim._func

    def breaks(number):
        text._text = [number] if number == 2 else "fine"  # noticed when it is drawn
        return update(number)

    anim._func = breaks
    anim._post_draw = lambda *_: None  # matplotlib's own draw of each frame would stumble first
    with pytest.raises(fp.FramesFailed, match="frame 2: "):
        anim.save("movie.gif", writer="framepipe")
    assert not (tmp_path / "movie.gif").exists()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"codec": "mpeg2"}, "codec 'mpeg2'"), ({"extra_args": ["-crf", "99"]}, "crf")],
    ids=["codec", "crf"],
)
def test_what_is_not_supported_is_refused_before_drawing(tmp_path, wrong, message):
    with pytest.raises(fp.UsageError, match=message):
        function_animation().save("movie.mp4", writer="framepipe", **wrong)
    with pytest.raises(fp.UsageError):
        function_animation().save("movie.xyz", writer="framepipe")
    assert list(tmp_path.iterdir()) == []


def test_a_bitrate_is_said_to_be_of_no_effect():
    with pytest.warns(UserWarning, match="bitrate"):
        fp.FramepipeWriter(bitrate=1000)


def test_no_frame_makes_no_movie(tmp_path):
    with fp.FramepipeWriter().saving(plt.figure(figsize=(1, 1)), "movie.gif", 50):
        pass
    assert not (tmp_path / "movie.gif").exists()


# --- again ------------------------------------------------------------------------------------------

SAVES = """
    import os, sys
    import numpy as np
    from matplotlib import pyplot as plt
    from matplotlib.animation import FuncAnimation
    import framepipe

    fig, ax = plt.subplots(figsize=(1, 0.8), dpi=50)
    (line,) = ax.plot([0, 1, 2], [0, 1, 2])
    image = ax.imshow(np.eye(3))
    heights = np.loadtxt("heights.txt")

    def update(number):
        if os.environ.get("DIES_AT") == str(number):
            os.kill(os.getpid(), 9)
        line.set_ydata([0, heights[number], 0])
        image.set_data(np.eye(3) * number)
        ax.set_title(f"frame {number}")

    anim = FuncAnimation(fig, update, len(heights), init_func=lambda: None)
    anim.save("movie.gif", writer=framepipe.FramepipeWriter(fps=5, workers=int(sys.argv[1:] == [])))
"""


def test_killed_and_run_again_it_draws_only_what_is_not_there_or_has_changed(tmp_path):
    np.savetxt("heights.txt", np.arange(12))
    run(tmp_path, SAVES, begin="", code=-9, DIES_AT="11")
    before = times("frames/movie")
    assert 0 < len(before) <= 11
    assert not (tmp_path / "movie.gif").exists()
    run(tmp_path, SAVES, begin="", PYTHONHASHSEED="7")
    after = times("frames/movie")
    assert before.items() <= after.items()
    assert len(after) == 12
    pixels = [stored("frames/movie", number) for number in range(12)]
    np.savetxt("heights.txt", [*range(5), 50, *range(6, 12)])
    run(tmp_path, SAVES, begin="")  # with the hashes of the first run
    again = times("frames/movie")
    assert [number for number in after if after[number] != again[number]] == [5]
    assert not np.array_equal(stored("frames/movie", 5), pixels[5])
    np.savetxt("heights.txt", np.arange(4))
    run(tmp_path, SAVES.replace("set_title(", "set_xlabel("), begin="")
    last = times("frames/movie")
    assert [number for number in again if again[number] != last[number]] == [0, 1, 2, 3]
    assert fp.status("frames/movie").done == (0, 1, 2, 3)
    with Image.open(tmp_path / "movie.gif") as movie:
        assert movie.n_frames == 4


def everything():
    fig, ax = plt.subplots(figsize=(1, 0.8), dpi=50)
    fig.line = ax.plot([0, 1], "o-")[0]
    fig.image = ax.imshow(np.eye(3), extent=(0, 1, 0, 1))
    fig.note = ax.annotate("text", (0, 0), (1, 1), bbox={"facecolor": "w"}, arrowprops={"color": "r"})
    fig.box = ax.add_patch(plt.Rectangle((0, 0), 1, 1))
    fig.dots = ax.scatter([0, 1], [1, 0])
    return fig


CHANGES = {
    "data": lambda fig: fig.line.set_ydata([0, 2]),
    "colour": lambda fig: fig.line.set_color("k"),
    "marker": lambda fig: fig.line.set_marker("x"),
    "markers of dots": lambda fig: fig.dots.set_paths([plt.Circle((0, 0)).get_path()]),
    "sizes of dots": lambda fig: fig.dots.set_sizes([9]),
    "dash": lambda fig: fig.line.set_linestyle("--"),
    "join": lambda fig: fig.line.set_solid_joinstyle("miter"),
    "colour map": lambda fig: fig.image.set_cmap("magma"),
    "colour for bad": lambda fig: fig.image.set_cmap(fig.image.get_cmap().with_extremes(bad="r")),
    "limits of colour": lambda fig: fig.image.set_clim(0, 2),
    "norm": lambda fig: fig.image.set_norm(matplotlib.colors.PowerNorm(0.5, vmin=0, vmax=1)),
    "gamma of the norm": lambda fig: fig.image.set_norm(matplotlib.colors.PowerNorm(0.7, vmin=0, vmax=1)),
    "interpolation": lambda fig: fig.image.set_interpolation("bilinear"),
    "font size": lambda fig: fig.note.set_fontsize(3),
    "font": lambda fig: fig.note.set_family("monospace"),
    "text": lambda fig: fig.note.set_text("other"),
    "box of text": lambda fig: fig.note.get_bbox_patch().set_facecolor("b"),
    "shape of the box of text": lambda fig: fig.note.get_bbox_patch().set_boxstyle("round", pad=1),
    "arrow": lambda fig: fig.note.arrow_patch.set_color("g"),
    "turn": lambda fig: fig.box.set_transform(Affine2D().rotate_deg(9) + fig.axes[0].transData),
    "hatch": lambda fig: fig.box.set_hatch("//"),
    "path effect": lambda fig: fig.note.set_path_effects([withStroke(linewidth=2)]),
    "width of a path effect": lambda fig: fig.note.set_path_effects([withStroke(linewidth=3)]),
    "scale": lambda fig: fig.axes[0].set_yscale("symlog"),
    "formatter": lambda fig: fig.axes[0].yaxis.set_major_formatter("{x} m"),
    "ticks": lambda fig: fig.axes[0].set_xticks([0.3]),
    "grid": lambda fig: fig.axes[0].grid(True),
    "spine": lambda fig: fig.axes[0].spines["top"].set_visible(False),
    "face": lambda fig: fig.set_facecolor("0.5"),
    "order": lambda fig: fig.line.set_zorder(9),
    "alpha": lambda fig: fig.image.set_alpha(0.5),
    "limits": lambda fig: fig.axes[0].set_xlim(0, 3),
    "suptitle": lambda fig: fig.suptitle("t"),
    "legend": lambda fig: fig.axes[0].legend(["a"]),
}


def test_the_digest_of_equal_figures_is_the_same_drawn_or_on_its_way():
    assert digest_figure(everything()) == digest_figure(everything())


def test_every_change_that_can_be_seen_changes_the_digest():
    digests = {"none": digest_figure(everything())}
    for name, change in CHANGES.items():
        fig = everything()
        change(fig)
        digests[name] = digest_figure(fig)
        plt.close(fig)
    alike = [(a, b) for a in digests for b in digests if a < b and digests[a] == digests[b]]
    assert alike == []


@pytest.mark.parametrize("where", all_if_long([0, 1], 0))
def test_rc_parameters_of_drawing_count(where):
    function_animation().save("movie.gif", writer=fp.FramepipeWriter(workers=where))
    before = times("frames/movie")
    function_animation().save("movie.gif", writer=fp.FramepipeWriter(workers=where))
    assert times("frames/movie") == before
    with matplotlib.rc_context({"path.simplify": False, "agg.path.chunksize": 3}):
        function_animation().save("movie.gif", writer=fp.FramepipeWriter(workers=where))
    assert not before.items() & times("frames/movie").items()


def test_the_store_of_something_else_is_refused(tmp_path):
    fp.render(lambda k: plt.figure(figsize=(1, 1)), 2, store="frames/movie", engine="serial")
    before = times("frames/movie")
    with pytest.raises(fp.StoreError, match="choose another"):
        function_animation().save("movie.gif", writer="framepipe")
    function_animation().save("movie.gif", writer=here(store="elsewhere"))
    assert times("frames/movie") == before


# --- imports ----------------------------------------------------------------------------------------

LISTED = (
    "assert 'framepipe' in {}.writers.list(); assert {}.writers['framepipe'] is framepipe.FramepipeWriter"
)
ORDERS = {
    "framepipe first": ["import framepipe", "import matplotlib.animation as a"],
    "animation first": ["import matplotlib.animation as a", "import framepipe"],
    "pyplot between": [
        "import framepipe",
        "import matplotlib.pyplot",
        "from matplotlib import animation as a",
    ],
    "writer first": ["import framepipe", "framepipe.FramepipeWriter", "import matplotlib.animation as a"],
    "looked for, not loaded": [
        "import framepipe, importlib.util",
        "assert importlib.util.find_spec('matplotlib.animation').origin.endswith('animation.py')",
        "import matplotlib.animation as a",
    ],
}


@pytest.mark.parametrize("order", all_if_long(ORDERS, "animation first", "looked for, not loaded"))
def test_the_order_of_imports_does_not_matter(tmp_path, order):
    lines = [*ORDERS[order], LISTED.format("a", "a"), "import inspect, sys", "inspect.getsource(a)"]
    lines += ["assert 'framepipe' not in type(a.__loader__).__module__, a.__loader__"]
    lines += ["assert not [f for f in sys.meta_path if 'framepipe' in type(f).__module__]"]
    run_anew(tmp_path, "\n".join(lines), begin="")


def test_importing_framepipe_loads_no_matplotlib():
    code = (
        "import framepipe, sys; print([n for n in sys.modules if re.match('matplotlib|PIL|numpy.f2py', n)])"
    )
    done = subprocess.run([sys.executable, "-c", f"import re; {code}"], capture_output=True, text=True)
    assert re.findall(r"matplotlib\S*", done.stdout) == [], done.stdout + done.stderr


@pytest.mark.parametrize(
    ("name", "codec"),
    all_if_long([("a.webm", "vp9"), ("a.mp4", "h265"), ("a.webp", None), ("a.mkv", None)], ("a.webp", None)),
)
def test_the_writer_builds_all_formats(tmp_path, monkeypatch, name, codec):
    monkeypatch.chdir(tmp_path)
    fig, ax = plt.subplots(figsize=(1.6, 1.2), dpi=50)
    (line,) = ax.plot(range(5))
    moving = animation.FuncAnimation(fig, lambda k: line.set_ydata(np.arange(5) * k), frames=3)
    writer = here(fps=10, codec=codec)
    moving.save(name, writer=writer)
    assert writer.movie is not None and writer.movie.report.passed


# --- extra_args, which are ffmpeg's -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        (["-vcodec", "libx264"], {}),
        (["-c:v", "libx265", "-crf", "18"], {"codec": "h265", "crf": 18}),
        (["-vcodec", "libvpx-vp9"], {"codec": "vp9"}),
        (["-codec:v", "hevc_nvenc", "-preset", "slow"], {"codec": "hevc_nvenc", "preset": "slow"}),
        (["-pix_fmt", "yuv420p"], {}),
        (["-pix_fmt", "yuv444p10le"], {"chroma": "444", "depth": 10}),
        (["-crf", 20], {"crf": 20}),
    ],
    ids=str,
)
def test_arguments_of_ffmpeg_are_said_in_the_words_of_assemble(arguments, options):
    assert ffmpeg_options(arguments) == (options, [])


@pytest.mark.parametrize(
    ("arguments", "ignored"),
    [
        (["-b:v", "2M"], ["-b:v", "2M"]),
        (["-vcodec", "mpeg4"], ["-vcodec", "mpeg4"]),
        (["-crf"], ["-crf"]),
        (["-crf", "best"], ["-crf", "best"]),
        (["-an", "-crf", "20"], ["-an"]),
        (["-qscale", "-1", "-crf", "20"], ["-qscale", "-1"]),
        (["-preset", "p7", "loose"], ["-preset", "p7", "loose"]),
    ],
    ids=str,
)
def test_other_arguments_of_ffmpeg_are_named_as_they_came(arguments, ignored):
    assert ffmpeg_options(arguments)[1] == ignored


def test_extra_args_are_taken_or_warned_about_and_never_refused(tmp_path):
    function_animation().save("a.mp4", writer=here(fps=30, extra_args=["-vcodec", "libx264"]))
    with pytest.warns(UserWarning, match=r"extra_args -tune film -threads 2: of no effect"):
        function_animation().save(
            "b.mp4",
            fps=30,
            writer="framepipe",
            extra_args=["-tune", "film", "-crf", "40", "-threads", "2", "-pix_fmt", "yuv420p"],
        )
    assert (tmp_path / "b.mp4").stat().st_size < (tmp_path / "a.mp4").stat().st_size


def test_an_option_of_the_writer_wins_over_an_argument_of_ffmpeg():
    assert fp.FramepipeWriter(extra_args=["-crf", "40"], crf=10)._options["crf"] == 10


def test_without_framepipe_imported_matplotlib_says_that_it_knows_no_such_writer(tmp_path):
    code = """
        import matplotlib.animation as a
        try: a.writers["framepipe"]
        except (RuntimeError, ValueError) as error: print(error)  # the latter since matplotlib 3.11
        import framepipe
        print(a.writers["framepipe"].__name__)
    """
    out, _ = run_anew(tmp_path, code, begin="import matplotlib; matplotlib.use('Agg')\n")
    assert "framepipe" in out.splitlines()[0]
    assert out.splitlines()[1] == "FramepipeWriter"
