"""A recording whose program was killed: what is lost is known, and what is there is gone on with."""

from __future__ import annotations

import signal
import warnings

import numpy as np
import pytest
from PIL import Image

import framepipe as fp
from framepipe.core import png
from framepipe.job.frames import file_name
from framepipe.job.stamp import stamp
from tests.integration.programs import BEGIN, levels, start, started, times
from tests.support.processes import is_running
from tests.support.waiting import wait_for

SLOW = """
    import time
    import matplotlib.artist

    class Slow(matplotlib.artist.Artist):
        def draw(self, renderer):
            time.sleep(600)

    def slow(number):
        fig = level(number)
        fig.add_artist(Slow())
        return fig
"""


def picture(value):
    return np.full((4, 4, 3), value, np.uint8)


def record(store, numbers, **keywords):
    with fp.Recorder(store, workers=0, **keywords) as recorder:
        for number in numbers:
            recorder.snap(picture(number), number=number)


def lose(store, *numbers):
    """What a kill leaves out: the frame that was on its way."""
    for number in numbers:
        (store / file_name(number)).unlink()


def killed(folder, lost, last, step=1, how=signal.SIGKILL):
    """Leave a recording of which one frame was being drawn when its program was killed."""
    text = f"""
        recorder = fp.Recorder("s", workers=2)
        for number in range(0, {last} + 1, {step}):
            recorder.snap((slow if number == {lost} else level)(number), number=number)
        print("snapped", flush=True)
        time.sleep(600)
    """
    with start(folder, text, begin=BEGIN + SLOW) as process:
        try:
            assert process.stdout.readline() == "snapped\n", process.stderr.read()
            wait_for(lambda: (folder / "s" / file_name(last)).exists())
        finally:
            drawing = started(process.pid)
            process.send_signal(how)
            process.communicate()
    wait_for(lambda: not any(is_running(pid) for pid in drawing))


@pytest.mark.parametrize(
    ("lost", "last", "step", "how"),
    [(3, 9, 1, signal.SIGKILL), (30, 90, 10, signal.SIGKILL), (4, 6, 1, signal.SIGTERM)],
)
def test_a_frame_that_was_being_drawn_when_the_program_was_killed_is_missing(tmp_path, lost, last, step, how):
    killed(tmp_path, lost, last, step, how)
    status = fp.status(tmp_path / "s", deep=True)
    assert status.missing == (lost,)
    assert status.done == tuple(number for number in range(0, last + 1, step) if number != lost)
    assert status.numbers == tuple(range(0, last + 1, step))
    with pytest.raises(fp.IncompleteStore, match=rf"(?s)1 missing.*missing: {lost}\n.*run the program again"):
        fp.assemble(tmp_path / "s", tmp_path / "a.gif")
    movie = fp.assemble(tmp_path / "s", tmp_path / "a.gif", missing="hold", fps=10)
    assert movie.frames == len(status.numbers) or movie.duration_s == pytest.approx(len(status.numbers) / 10)
    with fp.Recorder(tmp_path / "s") as recorder:
        assert recorder.next_number == lost


@pytest.mark.parametrize("numbered", [True, False])
def test_a_restarted_program_draws_the_hole_and_leaves_what_is_behind_it_without_a_word(tmp_path, numbered):
    store = tmp_path / "s"
    record(store, range(10))
    lose(store, 4, 7)
    before = times(store)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with fp.Recorder(store, workers=0) as recorder:
            for number in range(recorder.next_number, 12):
                assert recorder.snap(picture(100 + number), number=number if numbered else None) == number
    assert levels(store) == {n: n for n in (0, 1, 2, 3, 5, 6, 8, 9)} | {n: 100 + n for n in (4, 7, 10, 11)}
    assert before.items() <= times(store).items()
    assert fp.status(store).complete


def test_a_program_that_records_every_tenth_number_has_none_missing_and_goes_on_at_its_hole(tmp_path):
    store = tmp_path / "s"
    record(store, range(0, 100, 10))
    assert fp.status(store).numbers == tuple(range(0, 100, 10))
    assert fp.status(store).complete
    lose(store, 40)
    with fp.Recorder(store, workers=0) as recorder:
        assert recorder.next_number == 40
        for epoch in range(recorder.next_number, 121):
            if epoch % 10 == 0:
                recorder.snap(picture(epoch), number=epoch)
    assert fp.status(store).numbers == tuple(range(0, 121, 10))
    assert fp.status(store).complete


def test_all_that_was_lost_in_a_row_is_missing(tmp_path):
    store = tmp_path / "s"
    record(store, range(0, 60, 3))
    lose(store, 0, 30, 33, 36)
    status = fp.status(store)
    assert status.missing == (0, 30, 33, 36)
    with fp.Recorder(store, workers=0) as recorder:
        assert recorder.next_number == 0


def test_holes_are_known_after_a_restart_that_did_not_fill_them(tmp_path):
    store = tmp_path / "s"
    record(store, range(6))
    lose(store, 2)
    record(store, [6, 7])
    lose(store, 3, 4, 5, 6)
    assert fp.status(store).missing == (2, 3, 4, 5, 6)


def test_a_frame_of_another_run_does_not_fill_a_hole(tmp_path):
    store = tmp_path / "s"
    record(store, range(6))
    record(store, [0], existing="replace")
    assert (fp.status(store).done, fp.status(store).extra) == ((0,), (1, 2, 3, 4, 5))
    record(store, [2])
    lose(store, 0)
    status = fp.status(store)
    assert (status.done, status.missing, status.extra) == ((2,), (0,), (1, 3, 4, 5))


def test_a_damaged_frame_is_broken_and_the_next_number(tmp_path):
    store = tmp_path / "s"
    record(store, range(6))
    (store / file_name(1)).write_bytes(b"")
    assert tuple(fp.status(store).broken) == (1,)
    assert fp.Recorder(store, workers=0).next_number == 1


def test_a_frame_that_could_not_be_drawn_is_missing_when_the_program_went_on(tmp_path):
    store = tmp_path / "s"
    recorder = fp.Recorder(store, workers=0)
    recorder.snap(picture(1))
    recorder.snap(np.zeros((9, 9, 3), np.uint8))  # another size
    with pytest.raises(fp.FramesFailed, match="frame 1: "):
        recorder.snap(picture(2))
    assert recorder.snap(picture(2)) == 2
    recorder.close()
    assert fp.status(store).missing == (1,)


def test_frames_without_the_list_are_a_recording_as_they_are(tmp_path):
    """Those of framepipe up to now."""
    store = tmp_path / "s"
    record(store, [0, 1, 5])
    record_of_job = fp.Recorder(store, workers=0).store.read_job()[0]
    for number in (0, 1, 5):
        parts = {**record_of_job.parts, "value": ""}
        (store / file_name(number)).write_bytes(png.encode(picture(number), stamp(number, parts)))
    status = fp.status(store)
    assert (status.done, status.missing) == ((0, 1, 5), ())
    with fp.Recorder(store, workers=0) as recorder:
        assert recorder.next_number == 6
        recorder.snap(picture(6))
    lose(store, 1)
    assert fp.status(store).missing == (1,)


def test_a_loop_that_begins_again_says_that_it_appends_before_it_does(tmp_path):
    store = tmp_path / "s"
    record(store, range(3))
    with fp.Recorder(store, workers=0) as recorder:
        with pytest.warns(
            UserWarning, match=r"frames 0-2 .*appended, from 3 on.*next_number.*existing='replace'"
        ) as said:
            assert recorder.snap(picture(10)) == 3
        assert recorder.snap(picture(11)) == 4
    assert said[0].filename == __file__
    assert levels(store) == {0: 0, 1: 1, 2: 2, 3: 10, 4: 11}


def test_what_is_appended_stands_behind_a_hole_that_stays_missing(tmp_path):
    store = tmp_path / "s"
    record(store, range(5))
    lose(store, 2)
    with (
        fp.Recorder(store, workers=0) as recorder,
        pytest.warns(UserWarning, match="frames 0-1,3-4 .* from 5 on"),
    ):
        assert recorder.snap(picture(50)) == 5
    assert fp.status(store).missing == (2,)
    assert levels(store) == {0: 0, 1: 1, 3: 3, 4: 4, 5: 50}


def test_nothing_is_said_where_nothing_is_appended(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for existing in ("keep", "replace"):
            with fp.Recorder(tmp_path / "s", workers=0, existing=existing) as recorder:
                recorder.snap(picture(1))
        with fp.Recorder(tmp_path / "s", workers=0) as recorder:
            assert recorder.append(quiet=True) == 1
            recorder.snap(picture(1))
    assert fp.status(tmp_path / "s").done == (0, 1)


@pytest.mark.parametrize("missing", ["hold", "skip"])
def test_a_movie_is_built_without_the_lost_frame_if_that_is_asked_for(tmp_path, missing):
    store = tmp_path / "s"
    record(store, range(0, 60, 10))
    lose(store, 20)
    fp.assemble(store, tmp_path / "a.gif", missing=missing, fps=10)
    with Image.open(tmp_path / "a.gif") as movie:
        shown = []
        for index in range(movie.n_frames):
            movie.seek(index)
            shown += [movie.convert("RGB").getpixel((0, 0))[0]] * (movie.info["duration"] // 100)
    assert shown == ([0, 10, 10, 30, 40, 50] if missing == "hold" else [0, 10, 30, 40, 50])


def test_cleaning_that_was_stopped_goes_on_though_frames_are_gone(tmp_path):
    store = tmp_path / "s"
    record(store, range(6))
    fp.assemble(store, tmp_path / "a.gif", fps=10)
    lose(store, 0, 1, 2)
    assert fp.clean(store).deleted == 3
    assert not store.exists()


def test_the_command_line_says_what_to_do_about_a_hole(tmp_path, cli):
    record(tmp_path / "s", range(4))
    lose(tmp_path / "s", 1)
    for verb in (["status", "s"], ["assemble", "s", "-o", "a.gif", "-q"]):
        done = cli(*verb)
        assert done.returncode == 3
        assert "missing: 1" in done.stdout + done.stderr
        assert "un the program again" in done.stdout + done.stderr
        assert "framepipe resume" not in done.stdout + done.stderr
