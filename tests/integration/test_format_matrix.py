"""Every format with every kind of film: frames, times and plays as another reader finds them in the file."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import pytest

import framepipe as fp
from tests.conftest import FFMPEGS
from tests.integration.read_back import (
    FORMATS,
    VIDEOS,
    as_shown,
    clear,
    number_in,
    numbered,
    other_ffmpeg,
    patches_off,
    read,
    source,
)

MANY = 260  # two segments
SIZE, ODD = (80, 64), (81, 67)
KEPT_EXACTLY = ("mkv", "webp", "apng", "html")
LIMIT = 20  # of 255, in the mean of 8x8 px; another frame is off by 25 in the square, 255 in its number
STILLS = ("apng", "avif")  # of one frame they are a picture, without times and plays


@dataclass
class Kind:
    """A film: of which frames, how it is asked for, and what is to be shown for how many milliseconds."""

    scene: object
    size: tuple[int, int]
    numbers: range
    times_ms: list[int]
    timing: dict = field(default_factory=dict)


KINDS = {
    "opaque": Kind(numbered, SIZE, range(24), [40] * 23 + [1000], {"fps": 25, "hold_last_s": 1, "loop": 0}),
    "transparent": Kind(clear, SIZE, range(24), [50] * 24, {"fps": 20, "loop": 3}),
    "odd": Kind(numbered, ODD, range(24), [80] * 24, {"fps": 12.5, "loop": 1}),
    "odd-transparent": Kind(clear, ODD, range(24), [40] * 24, {"fps": 25, "loop": 2}),
    "one-frame": Kind(numbered, SIZE, range(7, 8), [500], {"fps": 10, "hold_last_s": 0.5, "loop": 0}),
    "two-frames": Kind(
        clear, SIZE, range(2), [100, 300], {"fps": 10, "durations_s": {0: 0.1, 1: 0.3}, "loop": 2}
    ),
    "two-segments": Kind(numbered, SIZE, range(MANY), [40] * MANY, {"fps": 25, "loop": 0}),
    "two-segments-transparent": Kind(clear, SIZE, range(MANY), [20] * MANY, {"fps": 50, "loop": 5}),
}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A maker of stores, drawn once: of 260 frames, of 24 of an odd size."""
    made = {}

    def get(kind):
        key = (kind.scene, kind.size)
        if key not in made:
            frames = list(range(MANY if kind.size == SIZE else 24))
            params = dict(zip(("width", "height"), kind.size))
            made[key] = fp.render(
                kind.scene,
                frames,
                store=tmp_path_factory.mktemp("drawn") / "s",
                engine="serial",
                order="free",
                params=params,
                transparent=kind.scene is clear,
            ).store
        return made[key]

    return get


def cases():
    """Every kind of every format by the bundled ffmpeg, by the system's some of them in turn, and in the long run all.

    Of two segments are opaque and transparent films in turn, but of mkv and mov, which are joined as webm and mp4; joins by both are for `test_segments`; pages need none.
    """
    for (row, format_), (column, name) in itertools.product(enumerate(FORMATS), enumerate(KINDS)):
        is_long, turn = name.startswith("two-segments"), row + column
        by_both = turn % 4 == 1 and format_ != "html" and not is_long
        for id_, program in FFMPEGS.items():
            in_turn = (
                name != "odd-transparent" if not is_long else turn % 2 == 0 and format_ not in ("mkv", "mov")
            )
            marks = () if by_both or (id_ == "bundled-ffmpeg" and in_turn) else pytest.mark.long
            yield pytest.param(format_, name, program, id=f"{format_}-{id_}-{name}", marks=marks)


@pytest.mark.parametrize(("format_", "name", "program"), [*cases()])
def test_another_reader_finds_the_right_frames_times_and_plays(
    drawn, tmp_path, monkeypatch, format_, name, program
):
    monkeypatch.setenv("FRAMEPIPE_FFMPEG", program())
    kind = KINDS[name]
    store = drawn(kind)
    first, last = kind.numbers[0], kind.numbers[-1]
    movie = fp.assemble(store, tmp_path / f"m.{format_}", part=f"{first}-{last}", **kind.timing)
    assert movie.report.passed, movie.report.table()
    assert [path.name for path in tmp_path.iterdir()] == [f"m.{format_}"]

    width, height = kind.size
    padded = format_ in VIDEOS and format_ != "mkv"
    size = (width + width % 2, height + height % 2) if padded else kind.size
    film = read(movie.path, other_ffmpeg(movie.encoder.path), size, alpha=kind.scene is clear)
    film.pictures = [picture[:height, :width] for picture in film.pictures]

    still = len(kind.numbers) == 1 and format_ in STILLS
    due = [(number, None if still else time) for number, time in zip(kind.numbers, kind.times_ms)]
    assert [number for number, _ in film.runs()] == list(kind.numbers)
    assert film.runs() == [(number, pytest.approx(time, abs=1e-6)) for number, time in due]
    assert film.plays == (None if still or format_ in VIDEOS else kind.timing["loop"])

    drawn_so = {number: as_shown(source(store, number), format_) for number in kind.numbers}
    off = [patches_off(picture, drawn_so[number_in(picture)]).max() for picture in film.pictures]
    assert max(off) <= (0 if format_ in KEPT_EXACTLY else LIMIT)
