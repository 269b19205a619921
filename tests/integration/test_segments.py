"""Movies in segments: encoded side by side, kept in the store, joined without encoding again."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from matplotlib.figure import Figure

import framepipe as fp
from framepipe.core import files, signing
from framepipe.core.shape import Shape
from framepipe.formats import FORMATS
from framepipe.formats.gif.palette import resolve_palette
from framepipe.formats.recipe import MovieSpec
from framepipe.formats.video.recipe import segment_runs
from framepipe.job.frames import file_name
from framepipe.options import EncodeOptions
from framepipe.store.segment_cache import Key, SegmentCache
from framepipe.timeline import Timeline
from tests.conftest import bundled_ffmpeg, debian_ffmpeg
from tests.integration.movies import failed_checks, fake_ffmpeg
from tests.integration.read_back import other_ffmpeg
from tests.support.sizes import LONG, all_if_long
from tests.support.waiting import wait_for

TWO = 260  # two segments
#: Three segments where their length is no subject; `test_format_matrix` has long ones of all formats.
SHORT, SEGMENT = 104, 50
JOINED = 60  # one short segment and a tail
SIZE = (80, 64)


def square(value, alpha=1.0):
    """A square that goes round on a ground that changes: cheap to draw, every frame another."""
    width, height = SIZE
    pixels = np.empty((height, width, 4))
    pixels[...] = (0.9, 0.9 - value % 100 / 200, 1.0, alpha)
    left, top = int(30 + 25 * np.cos(value / 20)), int(22 + 20 * np.sin(value / 20))
    pixels[top : top + 16, left : left + 20] = (0.8, value % 7 / 10, 0.1, 1.0)
    figure = Figure(figsize=(width / 50, height / 50), dpi=50, facecolor=(1, 1, 1, 0))
    figure.figimage(pixels)
    return figure


def see_through(value):
    return square(value, alpha=0.0)


def drawn(folder, values, scene=square):
    """A store of these frames; drawing it again draws what changed."""
    keywords = {"transparent": True} if scene is see_through else {}
    return fp.render(scene, list(values), store=folder, engine="serial", order="free", **keywords).store


@pytest.fixture(scope="module")
def stores_of(tmp_path_factory):
    """A maker of stores that are drawn once."""
    made = {}

    def get(scene=square, frames=SHORT):
        if (scene, frames) not in made:
            made[scene, frames] = drawn(tmp_path_factory.mktemp("drawn") / "s", range(frames), scene)
        return made[scene, frames]

    return get


def copied(store, to, *, segments=False):
    left = shutil.ignore_patterns("movies.json", *([] if segments else ["segments"]))
    return shutil.copytree(store, to, ignore=left)


def shorten_segments(patch):
    """Segments of a fifth of their length, which take a fifth of the time."""
    patch.setattr("framepipe.formats.video.recipe._SEGMENT_TICKS", SEGMENT)
    patch.setattr("framepipe.formats.gif.recipe._CACHED_FRAMES", SEGMENT)


@pytest.fixture
def short_segments(monkeypatch):
    shorten_segments(monkeypatch)


@pytest.fixture
def short(stores_of, tmp_path, short_segments):
    """A copy to spoil, of three short segments."""
    return copied(stores_of(frames=SHORT), tmp_path / "s")


@pytest.fixture(scope="module")
def store_with_segments(stores_of, tmp_path_factory):
    """That of `short` with the segments of an mp4, which are encoded once for all tests that begin with them."""
    folder = tmp_path_factory.mktemp("encoded")
    store = copied(stores_of(frames=SHORT), folder / "s")
    with pytest.MonkeyPatch.context() as patch:
        shorten_segments(patch)
        fp.assemble(store, folder / "m.mp4", preset="ultrafast")
    return store


@pytest.fixture
def encoded(store_with_segments, tmp_path, short_segments):
    """A copy to spoil, with the three segments of an mp4 of the preset ultrafast."""
    return copied(store_with_segments, tmp_path / "s", segments=True)


@pytest.fixture(scope="module")
def store_with_reports(stores_of, tmp_path_factory):
    """That of `short` with the segments of an mp4 and their reports, by two shares."""
    folder = tmp_path_factory.mktemp("shared")
    store = copied(stores_of(frames=SHORT), folder / "s")
    with pytest.MonkeyPatch.context() as patch:
        shorten_segments(patch)
        for k in (1, 2):
            share(store, folder / "m.mp4", k)
    return store


@pytest.fixture
def shared(store_with_reports, tmp_path, short_segments):
    """A copy to spoil, with what two shares have encoded and verified; of other files, so the join opens each."""
    return copied(store_with_reports, tmp_path / "s", segments=True)


def kept(store):
    folder = store / "segments"
    return sorted(folder.iterdir()) if folder.is_dir() else []


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def from_the_shelf(movie):
    """How many segments were taken from the store."""
    return next((int(note.split()[0]) for note in movie.notes if "segments were in the store" in note), 0)


# GIF: the bytes of one pass, whoever made them


@pytest.mark.parametrize(
    "options",
    all_if_long(
        [
            {},
            {"dither": "floyd_steinberg", "colors": 32},
            {"palette": "per-frame"},
            {"dither": "bayer:2", "colors": 16},
        ],
        {"dither": "floyd_steinberg", "colors": 32},
        {"palette": "per-frame"},
    ),
    ids=str,
)
@pytest.mark.parametrize("scene", [square, see_through], ids=lambda scene: scene.__name__)
def test_a_gif_has_the_same_bytes_for_any_number_of_workers(tmp_path, each_ffmpeg, scene, options):
    store = drawn(tmp_path / "s", range(60), scene)
    found = {
        digest(fp.assemble(store, tmp_path / f"{workers}.gif", workers=workers, **options).path)
        for workers in (1, 3)
    }
    # a table a frame, chosen with a transparent place, is not always filled in the same order
    assert len(found) == 1 or (scene is see_through and "palette" in options)


def test_a_gif_of_segments_has_the_bytes_of_one_pass(short, tmp_path):
    store = short
    movie = fp.assemble(store, tmp_path / "m.gif", fps=30, hold_last_s=2)
    timeline = Timeline.of(range(SHORT), fps=30, hold_last_s=2)
    shape, options = Shape(*SIZE, "RGB"), EncodeOptions()
    palette = resolve_palette(options, [store / file_name(number) for number in range(SHORT)], shape)
    whole = FORMATS["gif"].recipe(MovieSpec(timeline, shape, options, palette=palette))
    work = tmp_path / "work"
    work.mkdir()
    (work / "frames").symlink_to(store)
    for name, content in whole.lists.items():
        (work / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    first, *others = whole.segments
    lists = [whole.lists[segment.step.args[segment.step.args.index("-i") + 1]] for segment in whole.segments]
    entries = [text.split("\nfile ")[1:] for text in lists]
    together = [*entries[0], *(entry for each in entries[1:] for entry in each[1:])]
    (work / "segment-000000.ffconcat").write_text(
        "ffconcat version 1.0\n" + "".join(f"file {e.strip()}\n" for e in together)
    )
    last = others[-1].step.args
    args = [*first.step.args]
    args[args.index("-final_delay") + 1] = last[last.index("-final_delay") + 1]
    program = movie.encoder.path
    for step in (*(step.args for step in whole.steps), args):
        subprocess.run([program, *step], cwd=work, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    assert digest(work / "segment-000000.gif") == digest(movie.path)


def test_a_short_movie_has_one_segment_and_keeps_nothing(tmp_path):
    store = drawn(tmp_path / "s", range(30))
    fp.assemble(store, tmp_path / "m.mp4")
    fp.assemble(store, tmp_path / "m.gif")
    assert not (store / "segments").exists()


# videos


#: Each codec is joined by the bundled ffmpeg; by the system's, the one whose joints differ most.
BY_PROGRAM = {"system": debian_ffmpeg, "bundled": bundled_ffmpeg}


@pytest.mark.parametrize("program", all_if_long(BY_PROGRAM, "bundled"))
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("m.mp4", {}),
        ("m.mp4", {"codec": "h265", "preset": "ultrafast"}),
        ("m.mp4", {"codec": "av1"}),
        ("m.webm", {"quality": "lossless", "fps": 24}),
        ("m.mkv", {"codec": "h264", "quality": "lossless"}),
        ("m.mov", {"codec": "h264", "chroma": "444", "depth": 10}),
    ],
    ids=str,
)
def test_every_codec_can_be_joined(stores_of, tmp_path, monkeypatch, short_segments, program, name, options):
    monkeypatch.setenv("FRAMEPIPE_FFMPEG", str(BY_PROGRAM[program]()))
    movie = fp.assemble(stores_of(frames=JOINED), tmp_path / name, **options)
    assert movie.report.passed
    assert movie.frames == JOINED


@pytest.mark.parametrize(
    ("program", "name", "fps"),
    all_if_long(
        [
            (program, *film)
            for film in (("m.webm", "30000/1001"), ("m.mkv", "24000/1001"))
            for program in BY_PROGRAM
        ],
        ("system", "m.mkv", "24000/1001"),
        ("bundled", "m.webm", "30000/1001"),
    ),
)
def test_rates_that_are_no_whole_number_are_kept_over_a_seam(
    stores_of, tmp_path, monkeypatch, program, name, fps
):
    """A segment of the usual length lasts whole milliseconds; a short one would not."""
    monkeypatch.setenv("FRAMEPIPE_FFMPEG", str(BY_PROGRAM[program]()))
    movie = fp.assemble(stores_of(frames=TWO), tmp_path / name, fps=fps)
    assert movie.report.passed
    assert movie.frames == TWO


@pytest.mark.parametrize(
    ("program", "name"),
    all_if_long(
        [(program, name) for name in ("m.webm", "m.mkv", "m.mov") for program in BY_PROGRAM],
        ("bundled", "m.webm"),
        ("system", "m.mov"),
    ),
)
def test_transparency_is_kept_where_segments_are_joined(
    stores_of, tmp_path, monkeypatch, short_segments, program, name
):
    monkeypatch.setenv("FRAMEPIPE_FFMPEG", str(BY_PROGRAM[program]()))
    assert fp.assemble(stores_of(see_through, JOINED), tmp_path / name).report.passed


@pytest.mark.parametrize("tail", [1, pytest.param(3, marks=pytest.mark.long)])
def test_a_tail_of_few_frames_is_joined(short, tmp_path, both_ffmpegs, tail):
    part, frames = f"0-{SEGMENT - 1 + tail}", SEGMENT + tail
    films = {"m.mp4": {"preset": "ultrafast"}, "m.webm": {}, "m.gif": {}, "a.mp4": {"codec": "av1"}}
    by_both = ("m.mp4", "m.webm")
    for name, options in films.items():
        if both_ffmpegs == debian_ffmpeg() and name not in by_both and not LONG:
            continue
        assert fp.assemble(short, tmp_path / name, part=part, **options).frames == frames


def test_a_held_frame_may_lie_on_a_seam(short, tmp_path):
    durations = {49: 1.0, 50: 0.6, 99: 2.0}
    movie = fp.assemble(short, tmp_path / "m.mp4", durations_s=durations, hold_last_s=3, loop=1)
    assert movie.report.passed
    assert movie.duration_s == pytest.approx((SHORT - 4) / 25 + 6.6)


@pytest.mark.parametrize(
    "rate", ["24", "25", "30", "60", "30000/1001", "24000/1001", "60000/1001", "12.5", "50"]
)
def test_segments_last_whole_milliseconds_at_usual_rates(rate):
    fps = Timeline.of([0, 1], fps=rate).video_fps
    runs = segment_runs(1000, fps)
    assert 4 <= len(runs) <= 5
    assert all((1000 * run.start / fps).denominator == 1 for run in runs)


@pytest.mark.parametrize("count", [250, 251, 300, 499, 500, 501, 749])
def test_the_last_two_segments_are_of_about_the_same_length(count):
    runs = segment_runs(count, Fraction(25))
    assert [at for run in runs for at in run] == list(range(count))
    assert max(map(len, runs)) <= 250
    assert all(len(run) == 250 for run in runs[:-2])
    assert len(runs[-2:][0]) - len(runs[-1]) in (0, 1)


def test_segments_may_be_large(tmp_path, short_segments):
    """Their index is at their end, and what is read of it is there."""
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (2 * SEGMENT, 120, 160, 3), np.uint8)
    store = fp.render(pictures.__getitem__, 2 * SEGMENT, store=tmp_path / "s", engine="serial").store
    movie = fp.assemble(store, tmp_path / "m.mp4", crf=10, preset="ultrafast")
    assert all(path.stat().st_size > 2**20 for path in kept_segments(store, ".mp4"))
    assert movie.report.passed and "segments" in names_of_checks(movie)
    assert fp.verify(movie.path, store).passed


# what is kept


def test_the_same_again_encodes_nothing_and_is_the_same(short, tmp_path):
    first = fp.assemble(short, tmp_path / "a.mp4", preset="ultrafast")
    assert len(kept_segments(short, ".mp4")) == 3
    assert from_the_shelf(first) == 0
    again = fp.assemble(short, tmp_path / "b.mp4", preset="ultrafast")
    assert from_the_shelf(again) == 3
    assert digest(first.path) == digest(again.path)


@pytest.mark.parametrize("name", ["m.mp4", "m.gif"])
def test_three_changed_frames_encode_one_segment(short, tmp_path, name):
    options = {"palette": "viridis"} if name == "m.gif" else {"preset": "ultrafast"}
    fp.assemble(short, tmp_path / name, **options)
    values = list(range(SHORT))
    values[60], values[61], values[75] = 3000, 3001, 3077
    report = fp.render(square, values, store=short, engine="serial", order="free")
    assert sorted(report.drawn) == [60, 61, 75]
    movie = fp.assemble(short, tmp_path / name, **options)
    assert from_the_shelf(movie) == 2
    assert movie.report.passed
    assert len(kept_segments(short, name[1:])) == 3, "the one that is no longer needed went"


@pytest.mark.parametrize("name", all_if_long(["m.mp4", "m.webm"], "m.webm"))
def test_frames_that_are_appended_cost_only_the_last_two(tmp_path, name, short_segments):
    store = drawn(tmp_path / "s", range(104))
    fp.assemble(store, tmp_path / name)
    drawn(store, range(112))
    movie = fp.assemble(store, tmp_path / name)
    assert (movie.frames, from_the_shelf(movie)) == (112, 1)


def test_segments_of_other_settings_are_not_used(encoded, tmp_path):
    for other in ({"crf": 30}, {"fps": 30}, {"codec_options": {"tune": "film"}}):
        how = {"preset": "ultrafast", "part": f"0-{SEGMENT}", **other}
        assert from_the_shelf(fp.assemble(encoded, tmp_path / "n.mp4", **how)) == 0, other


def test_what_says_nothing_of_pictures_does_not_encode_again(encoded, tmp_path):
    again = fp.assemble(encoded, tmp_path / "n.mp4", preset="ultrafast", metadata={"title": "Waves"})
    assert from_the_shelf(again) == 3
    fp.assemble(encoded, tmp_path / "m.gif")
    assert from_the_shelf(fp.assemble(encoded, tmp_path / "n.gif", fps=10, loop=3, hold_last_s=2)) == 3


def test_segments_of_another_ffmpeg_are_not_used(encoded, tmp_path, monkeypatch):
    movie = fp.assemble(encoded, tmp_path / "m.mp4", preset="ultrafast")
    assert from_the_shelf(movie) == 3
    monkeypatch.setenv("FRAMEPIPE_FFMPEG", str(other_ffmpeg(movie.encoder.path)))
    assert from_the_shelf(fp.assemble(encoded, tmp_path / "m.mp4", preset="ultrafast")) == 0


def test_a_damaged_segment_is_encoded_again(encoded, tmp_path):
    good = digest(fp.assemble(encoded, tmp_path / "m.mp4", preset="ultrafast").path)
    victim, other, _ = kept_segments(encoded, ".mp4")
    data = victim.read_bytes()
    middle = len(data) // 2
    spoilt = {
        "flipped": data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :],
        "cut": data[:-10],
        "empty": b"",
        "swapped": other.read_bytes(),
    }
    for how, content in spoilt.items():
        victim.unlink()
        victim.write_bytes(content)
        movie = fp.assemble(encoded, tmp_path / "m.mp4", preset="ultrafast")
        assert from_the_shelf(movie) == 2, how
        assert digest(movie.path) == good, how


def test_segments_that_came_with_a_store_from_elsewhere_are_not_used(encoded, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another account"))
    assert signing.sign({"this": "account"})
    assert from_the_shelf(fp.assemble(encoded, tmp_path / "m.mp4", preset="ultrafast")) == 0


def test_a_link_in_the_place_of_the_segments_is_left_alone(short, tmp_path):
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "diary.txt").write_text("dear")
    (short / "segments").symlink_to(tmp_path / "private")
    assert fp.assemble(short, tmp_path / "m.mp4", preset="ultrafast").report.passed
    fp.clean(short)
    assert [path.name for path in (tmp_path / "private").iterdir()] == ["diary.txt"]


def test_an_account_that_can_keep_no_key_keeps_no_segments(short, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    assert fp.assemble(short, tmp_path / "m.mp4", preset="ultrafast").report.passed
    assert kept(short) == []


def test_a_store_that_cannot_take_segments_is_assembled_all_the_same(short, tmp_path):
    (short / "segments").write_text("in the way")
    assert fp.assemble(short, tmp_path / "m.mp4", preset="ultrafast").report.passed
    assert (short / "segments").read_text() == "in the way"


def test_cleaning_up_removes_segments_with_the_frames(encoded, tmp_path):
    fp.assemble(encoded, tmp_path / "m.mp4", preset="ultrafast")
    assert len(kept_segments(encoded, ".mp4")) == 3
    fp.clean(encoded)
    assert not encoded.exists()


def test_segments_of_two_movies_are_kept_side_by_side(short, tmp_path):
    fp.assemble(short, tmp_path / "a.mp4", preset="ultrafast", part="0-59")
    fp.assemble(short, tmp_path / "b.mp4", preset="ultrafast", part="40-103")
    assert from_the_shelf(fp.assemble(short, tmp_path / "a.mp4", preset="ultrafast", part="0-59")) == 2
    assert from_the_shelf(fp.assemble(short, tmp_path / "b.mp4", preset="ultrafast", part="40-103")) == 2


def test_segments_that_nobody_used_for_a_day_go(encoded, tmp_path):
    fp.assemble(encoded, tmp_path / "m.mp4", preset="ultrafast")
    old = kept(encoded)
    fp.assemble(encoded, tmp_path / "m.mp4", preset="ultrafast", crf=30)  # the same movie, other settings
    assert len(kept_segments(encoded, ".mp4")) == 6
    for path in old:
        os.utime(path, (1, 1))
    fp.assemble(encoded, tmp_path / "m.mp4", preset="ultrafast", crf=30)
    assert set(kept(encoded)).isdisjoint(old)


# shares, for array tasks


def test_shares_are_encoded_apart_and_joined(short, tmp_path):
    alone = fp.assemble(short, tmp_path / "alone.mp4", fps=20, preset="ultrafast")
    shutil.rmtree(short / "segments")
    shares = [fp.encode_share(short, tmp_path / "m.mp4", (k, 2), fps=20, preset="ultrafast") for k in (1, 2)]
    assert [share.own_segments for share in shares] == [(0, 2), (1,)]
    assert not (tmp_path / "m.mp4").exists()
    movie = fp.assemble(short, tmp_path / "m.mp4", fps=20, preset="ultrafast")
    assert from_the_shelf(movie) == 3
    assert digest(movie.path) == digest(alone.path)
    assert fp.encode_share(short, tmp_path / "m.mp4", "1/2", fps=20, preset="ultrafast").reused == 2


def test_the_progress_of_a_share_says_of_which_movie(short, tmp_path):
    seen = []
    fp.encode_share(short, tmp_path / "m.mp4", "1/2", fps=20, progress=seen.append)
    assert {(each.stage, each.label) for each in seen} == {("encode", "m.mp4")}


def test_shares_on_the_command_line(short, cli):
    def run(*more):
        return cli("assemble", short, "-o", "m.gif", "-q", *more, ok=True).stdout

    assert "1 segments encoded, 0 were in the store; of 3 in all" in run("--shard", "2/3")
    assert "2 segments encoded" in run("--shard", "1/2")
    assert "3 of 3 segments were in the store: none was encoded" in run()
    assert "nothing to share" in run("--shard", "1/2", "--part", "0-20")


@pytest.mark.parametrize("wrong", ["0/2", "3/2", "x", "1"])
def test_a_share_that_is_none_is_refused(short, tmp_path, wrong):
    with pytest.raises(fp.UsageError, match="K/N"):
        fp.encode_share(short, tmp_path / "m.mp4", wrong)
    with pytest.raises(fp.UsageError, match="colour"):
        fp.encode_share(short, tmp_path / "m.mp4", "1/2", colour="red")


def share(store, to, k, n=2, **options):
    return fp.encode_share(store, to, (k, n), **options)


def settle(store):
    """Wait until a change of any frame must show in the times of its file."""
    newest_ns = max(path.stat().st_ctime_ns for path in store.glob("frame_*.png"))
    wait_for(lambda: time.time_ns() > newest_ns + files.RACY_NS + 10**8)


def test_a_share_looks_at_its_own_frames_only(short, tmp_path):
    (short / "frame_000060.png").write_bytes(b"damaged")  # of the second segment, so of the second share
    assert share(short, tmp_path / "m.mp4", 1).own_segments == (0, 2)
    with pytest.raises(fp.IncompleteStore, match="broken: 60"):
        share(short, tmp_path / "m.mp4", 2)
    with pytest.raises(fp.IncompleteStore, match="broken: 60"):
        fp.assemble(short, tmp_path / "m.mp4")


def test_where_other_frames_decide_a_share_looks_at_all(short, tmp_path):
    use = {"missing": "skip"}
    (short / "frame_000003.png").unlink()
    for k in (1, 2):
        share(short, tmp_path / "m.mp4", k, **use)
    movie = fp.assemble(short, tmp_path / "m.mp4", **use)
    assert from_the_shelf(movie) == len(kept_segments(short, ".mp4"))
    assert movie.report.passed


def test_a_share_without_segments_is_none(short, tmp_path):
    assert share(short, tmp_path / "m.mp4", 9, 9).own_segments == ()


def test_frames_of_a_gif_decide_its_palette_wherever_they_are(short, tmp_path):
    (short / "frame_000060.png").unlink()
    with pytest.raises(fp.IncompleteStore, match="missing: 60"):
        share(short, tmp_path / "m.gif", 1)
    assert share(short, tmp_path / "m.gif", 1, palette="viridis").own_segments == (0, 2)


def kept_segments(store, suffix):
    return [path for path in kept(store) if path.suffix == suffix]


def names_of_checks(movie):
    return [check.name for check in movie.report.checks]


@pytest.mark.parametrize(
    ("name", "options"),
    [("m.mp4", {}), ("m.webm", {"quality": "lossless"})],
    ids=str,
)
def test_shares_are_verified_where_they_are_encoded_and_the_join_reads_no_source(
    short, tmp_path, name, options, monkeypatch
):
    settle(short)
    for k in (1, 2):
        share(short, tmp_path / name, k, **options)
    reports = kept_segments(short, ".json")
    assert len(reports) == len(kept_segments(short, f".{name[2:]}")) == 3
    checks = {check["name"] for path in reports for check in json.loads(path.read_bytes())["checks"]}
    assert {"frames", "order", "patches"} <= checks
    opened, real = [], os.open
    monkeypatch.setattr(
        os, "open", lambda path, *more, **ways: (opened.append(str(path)), real(path, *more, **ways))[1]
    )
    movie = fp.assemble(short, tmp_path / name, **options)
    assert [path for path in opened if path.startswith(str(short / "frame_"))] == []
    assert movie.report.passed and "segments" in names_of_checks(movie)
    assert fp.verify(movie.path, short).passed, "as who does not believe reports says too"


def opens(folder, *args):
    """How often framepipe and its encoders open each frame."""
    trace = folder / "trace"
    command = [
        "strace",
        "-f",
        "--seccomp-bpf",
        "-qq",
        "-e",
        "trace=open,openat",
        "-e",
        "signal=none",
        "-o",
        str(trace),
    ]
    command += [sys.executable, "-m", "framepipe", "assemble", *args, "-q"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return Counter(re.findall(r"frame_(\d{6})\.png", trace.read_text(errors="replace")))


def test_shares_and_their_join_open_each_frame_twice_in_all(stores_of, tmp_path):
    store = copied(stores_of(frames=TWO), tmp_path / "s")
    settle(store)
    shares = [opens(tmp_path, str(store), "-o", "m.mp4", "--shard", f"{k}/2") for k in (1, 2)]
    join = opens(tmp_path, str(store), "-o", "m.mp4")
    trial = 2  # frames of the tiny movie by which an ffmpeg is tried
    assert [len(each) for each in shares] == [TWO // 2, TWO // 2 + trial], (
        "a share opens its own, and the first"
    )
    assert len(join) <= trial, "the join opens none"
    compared_whole = 2 * 8 * 2  # some frames of each segment, by several checks
    assert sum(sum(each.values()) for each in (*shares, join)) <= 2 * TWO + compared_whole + 3 * 2 * trial


def test_a_movie_in_one_go_opens_each_frame_twice(stores_of, tmp_path):
    store = copied(stores_of(frames=TWO), tmp_path / "s")
    settle(store)
    assert sum(opens(tmp_path, str(store), "-o", "m.mp4").values()) <= 2 * TWO + 2 * 8 + 4


def test_a_frame_that_changed_after_its_share_was_verified_is_seen(short, tmp_path):
    settle(short)
    for k in (1, 2):
        share(short, tmp_path / "m.mp4", k)
    values = list(range(SHORT))
    values[60] = 3000
    fp.render(square, values, store=short, engine="serial", order="free")
    movie = fp.assemble(short, tmp_path / "m.mp4")
    assert from_the_shelf(movie) == 2 and "segments" in names_of_checks(movie)
    assert fp.verify(movie.path, short).passed
    (short / "frame_000070.png").write_bytes(b"damaged")
    with pytest.raises(fp.IncompleteStore, match="broken: 70"):
        fp.assemble(short, tmp_path / "m.mp4")


def test_a_share_that_is_encoded_already_is_verified_all_the_same(short, tmp_path):
    fp.assemble(short, tmp_path / "m.mp4")
    for path in kept_segments(short, ".json"):
        path.unlink()
    assert share(short, tmp_path / "m.mp4", 1).reused == 2
    assert len(kept_segments(short, ".json")) == 2


def test_what_is_left_of_shares_is_verified_by_the_join(short, tmp_path):
    share(short, tmp_path / "m.mp4", 1)
    movie = fp.assemble(short, tmp_path / "m.mp4")
    assert from_the_shelf(movie) == 2 and "segments" in names_of_checks(movie)


@pytest.mark.parametrize("spoil", ["flipped", "cut", "of another account"])
def test_a_report_that_is_not_ours_is_not_believed(shared, tmp_path, monkeypatch, spoil):
    victim = kept_segments(shared, ".json")[0]
    if spoil == "of another account":
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another account"))
    else:
        data = victim.read_bytes()
        victim.unlink()
        victim.write_bytes(data.replace(b"0", b"1", 1) if spoil == "flipped" else data[:-9])
    spoilt = victim.read_bytes()
    movie = fp.assemble(shared, tmp_path / "m.mp4")
    assert movie.report.passed and fp.verify(movie.path, shared).passed
    assert spoil == "of another account" or not victim.exists() or victim.read_bytes() != spoilt


def test_where_the_packets_are_not_those_of_the_reports_the_frames_decide(shared, tmp_path):
    assert "segments" in names_of_checks(fp.assemble(shared, tmp_path / "right.mp4"))
    cache = SegmentCache(fp.Store(shared))
    for path in kept_segments(shared, ".json"):  # signed by us, but wrong
        report = json.loads(path.read_bytes())
        report["packets"].reverse()
        path.unlink()
        settings, frames = path.name.split("-")[:2]
        (tmp_path / "report").write_text(json.dumps(report))
        cache.add(Key(settings, frames, ".json"), tmp_path / "report")
    movie = fp.assemble(shared, tmp_path / "m.mp4")
    assert movie.report.passed and "segments" not in names_of_checks(movie)


@pytest.mark.parametrize(
    "body",
    [
        'if [[ $last == movie.mp4 ]]; then sed -i "s/t-000001/t-X/; s/t-000002/t-000001/; s/t-X/t-000002/" '
        "frames.ffconcat; fi",
        pytest.param(
            'if [[ $last == movie.mp4 ]]; then "$real" "$@"; truncate -s -400 $last; exit; fi',
            marks=pytest.mark.long,
        ),
    ],
    ids=["segments exchanged", "cut short"],
)
def test_a_join_that_goes_wrong_is_not_published(short, tmp_path, monkeypatch, body):
    fake_ffmpeg(tmp_path, monkeypatch, body)
    for k in (1, 2):
        share(short, tmp_path / "m.mp4", k)
    with pytest.raises(fp.VerificationFailed):
        fp.assemble(short, tmp_path / "m.mp4")
    assert not (tmp_path / "m.mp4").exists()
    assert kept(short) == [], "one of them may be the reason"


def test_a_share_that_shows_other_frames_is_not_kept(short, tmp_path, monkeypatch):
    body = 'if [[ $last == segment-*.mp4 ]]; then sed -i "s/_000003/_000030/" segment-000000.ffconcat; fi'
    fake_ffmpeg(tmp_path, monkeypatch, body)
    with pytest.raises(fp.VerificationFailed, match=r"segment 1 of 3 of m\.mp4 failed verification"):
        share(short, tmp_path / "m.mp4", 1, workers=1)
    assert len(kept_segments(short, ".mp4")) < 2
    monkeypatch.delenv("FRAMEPIPE_FFMPEG")
    assert share(short, tmp_path / "m.mp4", 1).own_segments == (0, 2)


# stopping


def test_a_stop_keeps_finished_segments(short, tmp_path):
    stop = fp.Stop()

    def watch(progress):
        if progress.stage == "encode" and len(kept(short)) >= 1:
            stop.request("SIGTERM")

    with pytest.raises(fp.Interrupted, match="finished segments are safe"):
        fp.assemble(short, tmp_path / "m.mp4", workers=1, preset="slow", progress=watch, stop=stop)
    assert not (tmp_path / "m.mp4").exists()
    assert 1 <= len(kept(short)) < 3
    assert from_the_shelf(fp.assemble(short, tmp_path / "m.mp4", workers=1, preset="slow")) >= 1


def test_an_encoder_that_fails_in_one_segment_is_one_error(short, tmp_path):
    (short / "frame_000060.png").unlink()
    with pytest.raises(fp.IncompleteStore):
        fp.assemble(short, tmp_path / "m.mp4")
    with pytest.raises(fp.EncoderFailed, match="nonsense"):
        fp.assemble(short, tmp_path / "m.mp4", missing="hold", codec_options={"profile": "nonsense"})
    assert failed_checks(fp.assemble(short, tmp_path / "m.mp4", missing="hold").report) == set()
