"""Frames out of running programs, whatever happens to these programs."""

from __future__ import annotations

import gc
import importlib.metadata
import os
import shutil
import signal
import threading

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot as plt
from PIL import Image

import framepipe as fp
from tests.integration.pictures_of_figures import (
    KINDS,
    dpi_100,
    dpi_137,
    plain,
    returns_axes,
    returns_subfigure,
    transparent,
)
from tests.integration.programs import levels, run, saved, start, started, stored, times, workers
from tests.support.sizes import all_if_long
from tests.support.waiting import PATIENCE_S, wait_for

#: In the program, and in a worker.
WHERE = [0, 1]
#: In the program; in a worker only in the long run: what comes out is decided before a frame is sent there.
HERE = all_if_long(WHERE, 0)


def level(value):
    """A figure of one grey level, which tells which one it was."""
    fig = plt.figure("level", figsize=(0.4, 0.4), dpi=50, clear=True)
    fig.set_facecolor(str(value / 255))
    return fig


def record(store, values, **keywords):
    with fp.Recorder(store, **keywords) as recorder:
        for value in values:
            recorder.snap(level(value))


def broken(text):
    """A figure that cannot be drawn."""
    fig = level(1)
    fig.text(0, 0, f"${text}$", parse_math=True)
    return fig


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


# --- pixels ---------------------------------------------------------------------------------------


ALONE = [dpi_100, dpi_137, transparent]  # of another size, or with an alpha channel
ALIKE = [kind for kind in KINDS if kind not in ALONE]


@pytest.mark.parametrize(
    ("kinds", "where"),
    [(ALIKE, 0), (ALIKE, 1), ([dpi_100], 0), ([dpi_137], 0), ([transparent], 1)],
    ids=lambda value: value if isinstance(value, int) else value[0].__name__,
)
def test_a_frame_has_the_pixels_that_savefig_gives_at_that_moment(tmp_path, where, kinds):
    with fp.Recorder(tmp_path / "s", workers=where) as recorder:
        for kind in kinds:
            recorder.snap(kind(1))
            plt.close()
    plt.close("all")
    for number, kind in enumerate(kinds):
        wanted = saved(kind(1))
        np.testing.assert_array_equal(stored(tmp_path / "s", number), wanted, err_msg=kind.__name__)


@pytest.mark.parametrize("where", WHERE)
def test_the_program_may_change_the_figure_at_once(tmp_path, where):
    fig, ax = plt.subplots(figsize=(1, 1), dpi=50)
    (line,) = ax.plot([0, 1], [0, 1])
    image = ax.imshow(np.zeros((2, 2)), vmin=0, vmax=9)
    expected = []
    with fp.Recorder(tmp_path / "s", workers=where) as recorder:
        for number in range(6):
            line.set_ydata([0, number])
            image.set_data(np.full((2, 2), number))
            expected.append(saved(fig))
            recorder.snap(fig)
            line.set_ydata([9, 9])
            image.get_array()[:] = 0
        fig.clear()
    for number in range(6):
        np.testing.assert_array_equal(stored(tmp_path / "s", number), expected[number])


@pytest.mark.parametrize("where", all_if_long(WHERE, 1))
def test_rc_parameters_are_those_of_the_moment_before_during_and_after_a_style(tmp_path, where):
    def savefigs_own():
        return plt.figure(figsize=(0.4, 0.4), dpi=50)

    recorder = fp.Recorder(tmp_path / "s", workers=where)
    with recorder:
        with matplotlib.rc_context({"savefig.facecolor": "0.2"}):
            recorder.snap(savefigs_own())
        recorder.snap(savefigs_own())
        with matplotlib.rc_context({"savefig.facecolor": "0.4"}):
            recorder.snap(savefigs_own())
        recorder.snap(savefigs_own())
        recorder.flush()  # other processes draw what comes now
        with matplotlib.rc_context({"savefig.facecolor": "0.6"}):
            recorder.snap(savefigs_own())
            recorder.snap(savefigs_own())
            recorder.flush()
        recorder.snap(savefigs_own())
    assert list(levels(tmp_path / "s").values()) == [51, 255, 102, 255, 153, 153, 255]


@pytest.mark.parametrize(("where", "options"), [(0, {"dpi": 80}), (1, {"transparent": True})], ids=str)
def test_options_of_drawing_are_those_of_savefig(tmp_path, where, options):
    with fp.Recorder(tmp_path / "s", workers=where, **options) as recorder:
        recorder.snap(plain(1))
    np.testing.assert_array_equal(stored(tmp_path / "s", 0), saved(plain(1), **options))


@pytest.mark.parametrize("where", HERE)
def test_the_callers_figures_rc_parameters_and_current_figure_are_left_alone(tmp_path, where):
    fig, other = plain(1), plain(2)
    plt.figure(fig.number)
    before, params = saved(fig), dict(matplotlib.rcParams)
    with fp.Recorder(tmp_path / "s", workers=where, dpi=77) as recorder:
        recorder.snap(other)
        recorder.snap(fig)
    assert plt.get_fignums() == [fig.number, other.number]
    assert (plt.gcf(), fig.dpi, dict(matplotlib.rcParams)) == (fig, 50, params)
    np.testing.assert_array_equal(saved(fig), before)


def test_a_figure_may_have_formatters_and_handlers_that_are_lambdas(tmp_path):
    fig, ax = plt.subplots(figsize=(1, 1))
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:g} m")
    ax.callbacks.connect("ylim_changed", lambda axes: axes.set_title("changed"))
    ax.plot([1, 2])
    with fp.Recorder(tmp_path / "s") as recorder:
        recorder.snap(fig)
    np.testing.assert_array_equal(stored(tmp_path / "s", 0), saved(fig))


def test_what_cannot_be_pickled_is_told_and_leaves_no_hole_and_is_drawn_in_the_program(tmp_path):
    fig = level(7)
    fig.of_mine = (k for k in "a generator")
    with fp.Recorder(tmp_path / "s") as recorder:
        with pytest.raises(fp.FramepipeError, match=r"cannot be pickled.*generator.*workers=0"):
            recorder.snap(fig)
        assert recorder.snap(plt.figure(figsize=(0.4, 0.4), dpi=50, facecolor=str(8 / 255))) == 0
    with fp.Recorder(tmp_path / "s", workers=0) as recorder:
        assert recorder.next_number == 1
        assert recorder.snap(fig) == 1
    assert levels(tmp_path / "s") == {0: 8, 1: 7}


@pytest.mark.parametrize(("where", "kind"), [(0, returns_axes), (1, returns_subfigure)])
def test_what_belongs_to_a_figure_stands_for_it(tmp_path, where, kind):
    with fp.Recorder(tmp_path / "s", workers=where) as recorder:
        recorder.snap(kind(1))
    np.testing.assert_array_equal(stored(tmp_path / "s", 0), saved(plt.gcf()))


def test_nothing_given_takes_pyplots_current_figure_and_says_if_there_is_none(tmp_path):
    with fp.Recorder(tmp_path / "s", workers=0) as recorder:
        with pytest.raises(fp.FramepipeError, match="there is no figure to record"):
            recorder.snap()
        level(9)
        recorder.snap()
        plt.close("all")
    assert levels(tmp_path / "s") == {0: 9}


# --- pictures that exist already ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "channels", "where"),
    [(np.asarray, 3, 1), (np.asarray, 4, 0), (Image.fromarray, 3, 0), (Image.fromarray, 4, 1)],
)
def test_pixels_are_stored_as_they_are_at_that_moment(tmp_path, where, channels, kind):
    pixels = np.random.default_rng(3).integers(0, 256, (9, 11, channels), np.uint8)
    with fp.Recorder(tmp_path / "s", workers=where) as recorder:
        given = pixels.copy()
        recorder.snap(kind(given))
        given[:] = 0
    with Image.open(tmp_path / "s" / "frame_000000.png") as picture:
        np.testing.assert_array_equal(np.asarray(picture), pixels)


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "LA"])
def test_pillow_images_of_any_mode_are_taken(tmp_path, mode):
    picture = Image.new("RGB", (4, 4), (255, 255, 255)).convert(mode)
    with fp.Recorder(tmp_path / "s", workers=0) as recorder:
        recorder.snap(picture)
    assert levels(tmp_path / "s") == {0: 255}


@pytest.mark.parametrize(
    "thing",
    [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((4, 0, 3), np.uint8), "text", 3, []],
    ids=["grey", "floats", "empty", "text", "number", "list"],
)
def test_what_is_no_picture_is_refused_and_counts_for_nothing(tmp_path, thing):
    with fp.Recorder(tmp_path / "s", workers=0) as recorder:
        with pytest.raises(fp.FramepipeError, match="uint8"):
            recorder.snap(thing)
        assert recorder.next_number == 0


# --- numbers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", all_if_long([0, 2], 0))
def test_numbers_may_have_holes_and_any_order_and_be_numpys(tmp_path, where):
    with fp.Recorder(tmp_path / "s", workers=where) as recorder:
        for number in (7, np.int64(3), np.uint8(5)):
            assert recorder.snap(level(number), number=number) == number
        assert recorder.snap(level(8)) == 8
        assert recorder.next_number == 9
    assert levels(tmp_path / "s") == {3: 3, 5: 5, 7: 7, 8: 8}
    assert fp.status(tmp_path / "s").complete


@pytest.mark.parametrize("number", [-1, 2.5, "3"])
def test_what_is_no_number_of_a_frame_is_refused(tmp_path, number):
    with fp.Recorder(tmp_path / "s") as recorder:
        with pytest.raises(fp.UsageError, match="number is"):
            recorder.snap(level(1), number=number)
        assert recorder.next_number == 0


def test_a_number_that_is_given_twice_keeps_its_first_frame_and_the_end_says_so(tmp_path):
    recorder = fp.Recorder(tmp_path / "s", existing="replace", workers=0)
    for value in (10, 20):
        recorder.snap(level(value), number=4)
    with pytest.warns(UserWarning, match="frames 4 were snapped more than once"):
        recorder.close()
    assert levels(tmp_path / "s") == {4: 10}


# --- restarts --------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", HERE)
def test_a_restarted_program_goes_on_and_draws_nothing_again(tmp_path, where):
    record(tmp_path / "s", [10, 11, 12], workers=where)
    before = times(tmp_path / "s")
    with fp.Recorder(tmp_path / "s", workers=where) as recorder:
        assert recorder.next_number == 3
        recorder.snap(level(13))
    assert levels(tmp_path / "s") == {0: 10, 1: 11, 2: 12, 3: 13}
    assert before.items() <= times(tmp_path / "s").items()


def test_a_program_that_begins_at_0_again_keeps_its_frames_and_the_end_says_so(tmp_path):
    record(tmp_path / "s", [10, 11, 12], workers=0)
    with pytest.warns(UserWarning, match=r"frames 0-2 were in .* already.*existing='replace'"):
        with fp.Recorder(tmp_path / "s", workers=0) as recorder:
            for number in range(5):
                recorder.snap(level(50 + number), number=number)
    assert list(levels(tmp_path / "s").values()) == [10, 11, 12, 53, 54]


def test_a_new_run_takes_no_frame_of_the_old_one(tmp_path):
    record(tmp_path / "s", [10, 11, 12], workers=0)
    with fp.Recorder(tmp_path / "s", existing="replace", workers=0) as recorder:
        assert recorder.next_number == 0
        recorder.snap(level(20))
    found = fp.status(tmp_path / "s")
    assert (found.done, found.extra) == ((0,), (1, 2))
    with fp.Recorder(tmp_path / "s", workers=0) as recorder:
        assert recorder.next_number == 1


def test_a_damaged_frame_is_taken_again(tmp_path):
    record(tmp_path / "s", [10, 11, 12], workers=0)
    path = tmp_path / "s" / "frame_000002.png"
    path.write_bytes(path.read_bytes()[:-20])
    with fp.Recorder(tmp_path / "s", workers=0) as recorder:
        assert recorder.next_number == 2
        recorder.snap(level(13))
    assert levels(tmp_path / "s")[2] == 13


def test_frames_that_another_matplotlib_drew_stay(tmp_path, monkeypatch):
    version = importlib.metadata.version
    monkeypatch.setattr(
        importlib.metadata, "version", lambda name: "2.0" if name == "matplotlib" else version(name)
    )
    record(tmp_path / "s", [10, 11, 12], workers=0)
    monkeypatch.undo()
    with fp.Recorder(tmp_path / "s", workers=0) as recorder:
        assert recorder.next_number == 3
        recorder.snap(level(13))
    assert fp.status(tmp_path / "s").done == (0, 1, 2, 3)


def test_a_recording_goes_on_with_another_numpy(tmp_path, monkeypatch):
    record(tmp_path / "s", [10, 11], workers=0)
    monkeypatch.setattr(np, "__version__", "1.0")
    with fp.Recorder(tmp_path / "s", workers=0) as recorder:
        assert recorder.next_number == 2


@pytest.mark.parametrize("where", HERE)
def test_a_restart_fits_its_frames_to_those_that_are_there(tmp_path, where):
    record(tmp_path / "s", [10], workers=where)
    with pytest.raises(fp.FramesFailed, match=r"frame 1: .*50x50 px, the first frame 20x20"):
        with fp.Recorder(tmp_path / "s", workers=where) as recorder:
            recorder.snap(plt.figure(figsize=(1, 1), dpi=50), number=recorder.next_number)


@pytest.mark.parametrize("where", all_if_long(WHERE, 1))
def test_a_tight_box_is_that_of_the_first_frame_also_after_a_restart(tmp_path, where):
    def titled(text):
        fig, ax = plt.subplots(figsize=(1, 1), dpi=50)
        ax.set_title(text)
        return fig

    for begin in (0, 2):
        with fp.Recorder(tmp_path / "s", workers=where, tight=True) as recorder:
            assert recorder.next_number == begin
            recorder.snap(titled("a"))
            recorder.snap(titled("much, much wider than the axes below it"))
    shapes = {stored(tmp_path / "s", number).shape for number in range(4)}
    assert len(shapes) == 1
    np.testing.assert_array_equal(stored(tmp_path / "s", 1), stored(tmp_path / "s", 3))
    with pytest.raises(fp.FramesFailed, match=r"frame 4: "):  # not silently another size
        with fp.Recorder(tmp_path / "s", workers=where, tight=True) as recorder:
            recorder.snap(titled("much, much wider than the axes below it"), number=4)


@pytest.mark.parametrize(
    "other",
    [
        {"params": {"lr": 0.2}},
        {"params": {"lr": 0.1}, "dpi": 70},
        {"params": {"lr": 0.1}, "transparent": True},
    ],
    ids=str,
)
def test_frames_of_another_run_are_neither_mixed_nor_drawn_over(tmp_path, other):
    record(tmp_path / "s", [10, 11], params={"lr": 0.1}, workers=0)
    before = times(tmp_path / "s")
    with pytest.raises(fp.StoreError, match=r"another run \((params|canvas) differ\)"):
        fp.Recorder(tmp_path / "s", **other)
    assert times(tmp_path / "s") == before
    with fp.Recorder(tmp_path / "s", existing="replace", **other) as recorder:
        assert recorder.next_number == 0


def test_the_store_of_another_job_and_foreign_pictures_are_refused(tmp_path):
    fp.render(lambda k: level(k), 2, store=tmp_path / "s", engine="serial")
    before = times(tmp_path / "s")
    for existing in ("keep", "replace"):
        with pytest.raises(fp.StoreError, match="choose another"):
            fp.Recorder(tmp_path / "s", existing=existing)
    (tmp_path / "f").mkdir()
    Image.new("RGB", (4, 4)).save(tmp_path / "f" / "frame_000000.png")
    with pytest.raises(fp.StoreError, match="did not draw"):
        fp.Recorder(tmp_path / "f")
    assert times(tmp_path / "s") == before


@pytest.mark.parametrize("wrong", [{"workers": -1}, {"existing": "append"}, {"dpi": 0}], ids=str)
def test_wrong_arguments_are_refused_before_anything_is_written(tmp_path, wrong):
    with pytest.raises(fp.UsageError):
        fp.Recorder(tmp_path / "s", **wrong)
    assert not (tmp_path / "s").exists()


def test_two_recorders_on_one_store_leave_whole_frames(tmp_path):
    with fp.Recorder(tmp_path / "s") as one, fp.Recorder(tmp_path / "s") as two:
        for value in (10, 20, 30):
            one.snap(level(value))
            two.snap(level(value))
    assert levels(tmp_path / "s") == {0: 10, 1: 20, 2: 30}
    assert fp.status(tmp_path / "s").done == (0, 1, 2)


# --- what goes wrong ------------------------------------------------------------------------------


@pytest.mark.parametrize("where", WHERE)
def test_a_frame_that_fails_is_named_at_the_next_snap_and_may_be_taken_again(tmp_path, where):
    recorder = fp.Recorder(tmp_path / "s", workers=where)
    recorder.snap(level(10))
    recorder.snap(broken(r"\nosuch"))
    with pytest.raises(
        fp.FramesFailed, match=r"frame 1: .*ParseFatalException|frame 1: .*ValueError"
    ) as told:
        recorder.flush()
    assert [each.number for each in told.value.report.failed] == [1]
    recorder.snap(level(11), number=1)
    assert recorder.snap(level(12)) == 2
    recorder.close()
    assert levels(tmp_path / "s") == {0: 10, 1: 11, 2: 12}


@pytest.mark.parametrize("where", HERE)
def test_a_failure_surfaces_in_a_program_that_only_snaps(tmp_path, where):
    with pytest.raises(fp.FramesFailed, match="frame 3: "):
        with fp.Recorder(tmp_path / "s", workers=where) as recorder:
            for number in range(200):
                recorder.snap(broken(r"\nosuch") if number == 3 else level(number))
    assert {0, 1, 2} <= levels(tmp_path / "s").keys()
    assert 3 not in levels(tmp_path / "s")


@pytest.mark.parametrize("where", HERE)
def test_a_figure_of_another_size_is_told_with_its_number(tmp_path, where):
    with pytest.raises(fp.FramesFailed, match=r"frame 5: .*50x50 px, the first frame 20x20"):
        with fp.Recorder(tmp_path / "s", workers=where) as recorder:
            for number in range(6):
                recorder.snap(level(number) if number < 5 else plt.figure(figsize=(1, 1), dpi=50))
    assert fp.status(tmp_path / "s").done == (0, 1, 2, 3, 4)


@pytest.mark.parametrize(
    ("error", "where"), [(ZeroDivisionError, 0), (KeyboardInterrupt, 0), (SystemExit, 1)]
)
def test_the_programs_own_error_is_the_one_that_is_seen_and_its_frames_are_stored(tmp_path, where, error):
    with pytest.raises(error):
        with fp.Recorder(tmp_path / "s", workers=where) as recorder:
            recorder.snap(level(10))
            recorder.snap(level(11))
            recorder.snap(broken(r"\nosuch"))
            raise error
    assert levels(tmp_path / "s") == {0: 10, 1: 11}
    assert started() == []


@pytest.mark.parametrize("where", all_if_long(WHERE, 1))
def test_a_folder_that_is_removed_meanwhile_is_told(tmp_path, where):
    recorder = fp.Recorder(tmp_path / "s", workers=where)
    recorder.snap(level(10))
    recorder.flush()
    shutil.rmtree(tmp_path / "s")
    recorder.snap(level(11))
    with pytest.raises(fp.StoreError, match="cannot write frame 1: No such file"):
        recorder.close()


@pytest.mark.parametrize("where", all_if_long(WHERE, 1))
def test_a_full_disk_is_told(tmp_path, where):
    _, err = run(
        tmp_path,
        f"""
        import resource
        import numpy as np
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        with fp.Recorder("s", workers={where}) as recorder:
            recorder.snap(np.zeros((300, 300, 3), np.uint8))
            recorder.snap(np.random.default_rng(1).integers(0, 255, (300, 300, 3), np.uint8))
        """,
        code=1,
    )
    assert "framepipe.errors.StoreError" in err
    assert "cannot write frame 1: no space left" in err
    assert [path.name for path in sorted((tmp_path / "s").iterdir())] == ["frame_000000.png", "job.json"]


class Deadly(plt.Artist):
    """Kills the process that draws it, as often as its file has lines."""

    def __init__(self, file):
        super().__init__()
        self.file = file

    def draw(self, renderer):
        if lives := self.file.read_text():
            self.file.write_text(lives[1:])
            os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("deaths", all_if_long([1, 2], 2))
def test_a_frame_whose_worker_is_killed_is_drawn_once_more_while_the_program_goes_on(tmp_path, deaths):
    lives = tmp_path / "lives"
    lives.write_text("x" * deaths)
    recorder = fp.Recorder(tmp_path / "s")
    for number in range(4):
        fig = level(10 + number)
        if number == 1:
            fig.add_artist(Deadly(lives))
        recorder.snap(fig)
    wait_for(lambda: len(levels(tmp_path / "s")) == (4 if deaths == 1 else 3))
    if deaths == 1:
        recorder.close()
    else:
        with pytest.raises(fp.FramesFailed, match=r"frame 1: its process was killed"):
            recorder.close()
    assert levels(tmp_path / "s").items() <= {0: 10, 1: 11, 2: 12, 3: 13}.items()


def test_an_idle_worker_that_is_killed_is_replaced(tmp_path):
    with fp.Recorder(tmp_path / "s") as recorder:
        recorder.snap(level(10))
        wait_for(lambda: levels(tmp_path / "s"))
        (before,) = workers()
        os.kill(before, signal.SIGKILL)
        recorder.snap(level(11))
        wait_for(lambda: len(levels(tmp_path / "s")) == 2)
        assert workers() != [before]
    assert started() == []


def test_figures_are_taken_while_other_threads_take_theirs(tmp_path):
    failed = []

    def program(name):
        try:
            for half in range(2):
                with fp.Recorder(tmp_path / name) as recorder:
                    assert recorder.next_number == 10 * half
                    for value in range(10):
                        fig = matplotlib.figure.Figure(figsize=(0.4, 0.4))
                        fig.add_subplot().imshow([[value]])
                        recorder.snap(fig)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=program, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(levels(tmp_path / "a")) == len(levels(tmp_path / "b")) == 20


# --- how programs end -----------------------------------------------------------------------------

ENDS = {
    "by itself": ("", 0),
    "sys.exit": ("sys.exit(3)", 3),
    "an error": ("1 / 0", 1),
    "deleted": ("del recorder; print(len(os.listdir('s')))", 0),
}


@pytest.mark.parametrize("end", all_if_long(ENDS, "an error", "deleted"))
def test_a_program_that_never_closes_its_recorder_has_all_frames(tmp_path, end):
    text, code = ENDS[end]
    run(
        tmp_path,
        f"""
        recorder = fp.Recorder("s")
        for number in range(7):
            recorder.snap(level(number))
        {text}
        """,
        code=code,
    )
    assert levels(tmp_path / "s") == {number: number for number in range(7)}


def test_a_recorder_that_is_forgotten_draws_what_is_waiting_and_ends_its_processes(tmp_path):
    recorder = fp.Recorder(tmp_path / "s")
    for number in range(7):
        recorder.snap(level(number))
    del recorder
    gc.collect()
    assert len(levels(tmp_path / "s")) == 7
    assert started() == []


def test_a_killed_program_leaves_a_store_with_which_it_goes_on_and_no_process(tmp_path):
    text = """
        recorder = fp.Recorder("s")
        for number in range(recorder.next_number, 100_000):
            recorder.snap(level(number % 200))
    """
    found = 0
    for _ in range(2):
        with start(tmp_path, text) as process:
            wait_for(lambda: len(list((tmp_path / "s").glob("frame_*.png"))) > found + 8)
            below = started(process.pid)
            assert len(below) == 2
            process.kill()
            process.communicate()
        wait_for(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in below))
        status = fp.status(tmp_path / "s", deep=True)
        assert status.complete
        assert status.done == tuple(range(len(status.done)))
        found = len(status.done)
    assert levels(tmp_path / "s") == {number: number % 200 for number in range(found)}


def test_the_movie_so_far_is_built_while_the_program_still_runs(tmp_path, cli):
    text = """
        recorder = fp.Recorder("s")
        for number in range(4):
            recorder.snap(level(number))
        recorder.flush()
        recorder.snap(level(4))
        print("there", flush=True)
        sys.stdin.read()
    """
    with start(tmp_path, text) as process:
        assert process.stdout.readline() == "there\n"
        cli("assemble", "s", "-o", "far.gif", "--fps", "5", ok=True)
        with Image.open(tmp_path / "far.gif") as movie:
            assert movie.n_frames in (4, 5)
        process.kill()
        process.communicate()


@pytest.mark.parametrize("how", all_if_long(["exit", "_exit", "snap", "with", "own"], "exit", "own"))
def test_a_forked_child_neither_draws_nor_ends_what_is_its_parents(tmp_path, how):
    text = {
        "exit": "sys.exit(0)",
        "_exit": "os._exit(0)",
        "snap": """
            try: recorder.snap(level(99))
            except fp.UsageError as error: print(error, flush=True)
            os._exit(0)""",
        "with": """
            with recorder: pass
            recorder.flush()
            del recorder
            os._exit(0)""",
        "own": """
            with fp.Recorder("t") as mine: mine.snap(level(7))
            os._exit(0)""",
    }[how]
    body = "\n".join(
        f"            {line.strip()}" if i == 0 else line for i, line in enumerate(text.split("\n"))
    )
    out, _ = run(
        tmp_path,
        f"""
        recorder = fp.Recorder("s")
        recorder.snap(level(0))
        recorder.flush()
        recorder.snap(level(1))
        sys.stdout.flush()
        if os.fork() == 0:
{body}
        os.wait()
        recorder.snap(level(2))
        recorder.close()
        """,
    )
    assert levels(tmp_path / "s") == {0: 0, 1: 1, 2: 2}
    assert ("made by another process" in out) == (how == "snap")
    assert (tmp_path / "t").exists() == (how == "own")


def test_ctrl_c_in_the_middle_leaves_all_frames_that_were_taken(tmp_path):
    text = """
        with fp.Recorder("s") as recorder:
            print("begun", flush=True)
            for number in range(100_000):
                recorder.snap(level(number % 200))
    """
    with start(tmp_path, text) as process:
        process.stdout.readline()
        wait_for(lambda: (tmp_path / "s" / "frame_000005.png").exists())
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=PATIENCE_S)
    assert err.rstrip().endswith("KeyboardInterrupt")
    status = fp.status(tmp_path / "s")
    assert status.done == tuple(range(len(status.done)))


# --- parallel programs ------------------------------------------------------------------------------

SLURM = {"SLURM_NTASKS": "4"}
RANKS = {
    "torchrun 0": ({"RANK": "0", "WORLD_SIZE": "2"}, True),
    "torchrun 1": ({"RANK": "1", "WORLD_SIZE": "2"}, False),
    "Open MPI 1": ({"OMPI_COMM_WORLD_RANK": "1"}, False),
    "MPICH 2": ({"PMI_RANK": "2"}, False),
    "PMIx 3": ({"PMIX_RANK": "3"}, False),
    "MVAPICH 1": ({"MV2_COMM_WORLD_RANK": "1"}, False),
    "srun 0": ({**SLURM, "SLURM_PROCID": "0"}, True),
    "srun 3": ({**SLURM, "SLURM_PROCID": "3"}, False),
    "one task of Slurm": ({"SLURM_NTASKS": "1", "SLURM_PROCID": "0"}, True),
    "nonsense": ({"RANK": "first"}, True),
    "torchrun 1 in srun 0": ({**SLURM, "SLURM_PROCID": "0", "RANK": "1"}, False),
}


@pytest.mark.parametrize("launcher", RANKS)
def test_only_rank_0_writes(tmp_path, monkeypatch, launcher):
    variables, writes = RANKS[launcher]
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with fp.Recorder(tmp_path / "s", workers=0) as recorder:
        assert recorder.snap(level(10)) == (0 if writes else None)
        recorder.flush()
    assert (tmp_path / "s").exists() == writes
    with fp.Recorder(tmp_path / "t", workers=0, rank=0) as recorder:
        assert recorder.snap(level(10)) == 0


def test_a_rank_that_does_not_write_knows_where_to_go_on(tmp_path):
    record(tmp_path / "s", [10, 11], workers=0)
    before = times(tmp_path / "s")
    with fp.Recorder(tmp_path / "s", rank=1) as recorder:
        assert recorder.next_number == 2
        assert recorder.snap("not looked at") is None
    assert times(tmp_path / "s") == before


# --- processes --------------------------------------------------------------------------------------


def test_no_process_is_started_before_the_first_snap_and_none_lives_after_the_end(tmp_path):
    recorder = fp.Recorder(tmp_path / "s", workers=2)
    assert started() == []
    recorder.snap(level(1))
    assert len(wait_for(lambda: len(workers()) == 2 and workers())) == 2
    recorder.flush()
    assert started() == []
    recorder.snap(level(2))
    recorder.close()
    assert started() == []
    recorder.close()
    with pytest.raises(fp.UsageError, match="closed"):
        recorder.snap(level(3))
