"""Movies damaged anywhere: verification finds it, or the film shows what it should; it never raises or hangs.

Also wrong ones: a frame dropped, doubled or swapped with another, wherever it is.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

import framepipe as fp
from tests.conftest import bundled_ffmpeg, debian_ffmpeg
from tests.integration.movies import built_by_hand, failed_checks
from tests.integration.read_back import (
    FORMATS,
    VIDEOS,
    as_shown,
    clear,
    in_planes,
    number_in,
    numbered,
    patches_off,
    read,
    source,
)
from tests.support.sizes import FAULTS, all_if_long

SIZE, FRAMES, FPS = (80, 64), 16, 25
FOR_EVER = 0
PLACES = 16 if FAULTS == 1 else 40 * FAULTS
#: What a passed film may be off by, of 255 in the mean of any 8x8 px.
LIMIT = 30
#: Formats that keep transparency are damaged with it, one half of them.
SCENES = {format_: clear if format_ in ("webm", "mov", "webp", "html") else numbered for format_ in FORMATS}
#: Matroska is read as WebM is, QuickTime's container as MP4's.
CONTAINERS = all_if_long(FORMATS, *(format_ for format_ in FORMATS if format_ not in ("mkv", "mov")))
InvalidFile = Callable[[bytes, random.Random], bytes]


def place(data: bytes, dice: random.Random) -> slice:
    start, length = dice.randrange(len(data)), int(2 ** dice.uniform(0, 8))
    return slice(start, min(len(data), start + length))


def flipped(data: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(data))
    return data[:at] + bytes([data[at] ^ dice.randrange(1, 256)]) + data[at + 1 :]


def zeroed(data: bytes, dice: random.Random) -> bytes:
    run = place(data, dice)
    return data[: run.start] + bytes(run.stop - run.start) + data[run.stop :]


def removed(data: bytes, dice: random.Random) -> bytes:
    run = place(data, dice)
    return data[: run.start] + data[run.stop :]


def doubled(data: bytes, dice: random.Random) -> bytes:
    run = place(data, dice)
    return data[: run.stop] + data[run.start :]


DAMAGES: list[InvalidFile] = [flipped, zeroed, removed, doubled]


def quiet(value: int) -> Figure:
    """A small square that creeps over a ground: frames that stand side by side hardly differ."""
    return numbered(value, told=False)


def hue(value: int) -> Figure:
    """A square that is as light as its ground (BT.709): only its colour tells the frames apart."""
    red, blue = 0.5 + 0.4 * np.cos(value / 3), 0.5 + 0.4 * np.sin(value / 3)
    green = (0.5 - 0.2126 * red - 0.0722 * blue) / 0.7152
    figure = Figure(figsize=(1.6, 1.28), dpi=50)
    pixels = np.full((64, 80, 3), 0.5)
    pixels[16:32, 32:48] = (red, green, blue)
    figure.figimage(pixels)
    return figure


@pytest.fixture(scope="session")
def store_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A maker of stores that are drawn once."""
    made: dict[str, Path] = {}

    def get(scene: Callable[..., Figure], frames: int = FRAMES) -> Path:
        name = scene.__name__
        if name not in made:
            place = tmp_path_factory.mktemp(name) / "s"
            about = {"engine": "serial", "order": "free", "transparent": scene is clear}
            made[name] = fp.render(scene, list(range(frames)), store=place, **about).store
        return made[name]

    return get


@pytest.fixture(autouse=True)
def quick_ffmpeg(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that starts faster verifies; the other one reads what passed."""
    monkeypatch.setenv("FRAMEPIPE_FFMPEG", bundled_ffmpeg())


def wrong_in(path: Path, store: Path, plays: object, alpha: bool) -> str:
    """What another reader finds wrong with a film that passed; empty if it is right.

    Lossy films are compared in the colours that they keep, and chroma where it is kept.
    """
    format_ = path.suffix[1:]
    planes = format_ in ("mp4", "webm", "mov")
    film = read(path, debian_ffmpeg(), SIZE, alpha, planes)
    said = [number_in(picture[..., :1].repeat(3, -1)) for picture in film.pictures]
    if said != list(range(FRAMES)):
        return f"shows {said}"
    if film.times_ms != pytest.approx([1000 / FPS] * FRAMES, abs=1):
        return f"times {film.times_ms}"
    if film.plays != plays:
        return f"plays {film.plays}"
    for number, picture in enumerate(film.pictures):
        drawn = as_shown(source(store, number), format_)
        off = patches_off(picture, in_planes(drawn) if planes else drawn)
        if planes and format_ != "mov":  # a sample of chroma is 2x2 px
            off[1:3] = patches_off(picture, in_planes(drawn), 16)[1:3]
        if off.max() > LIMIT:
            return f"frame {number} is off by {off}"
    return ""


@pytest.mark.parametrize("format_", CONTAINERS)
def test_damage_anywhere_is_found_or_the_film_shows_what_it_should(
    tmp_path: Path, store_of: Callable[..., Path], format_: str, dice: random.Random
) -> None:
    scene, path = SCENES[format_], tmp_path / f"m.{format_}"
    store = store_of(scene)
    plays = None if format_ in VIDEOS else FOR_EVER
    data = fp.assemble(store, path, fps=FPS).path.read_bytes()
    assert wrong_in(path, store, plays, scene is clear) == ""
    found: Counter[str] = Counter()
    for turn in range(PLACES):
        damage = DAMAGES[turn % len(DAMAGES)]
        while (harmed := damage(data, dice)) == data:
            pass  # it was zero before
        path.write_bytes(harmed)
        report = fp.verify(path, store, fps=FPS)
        found[damage.__name__] += not report.passed
        if report.passed:
            assert wrong_in(path, store, plays, scene is clear) == "", f"{damage.__name__}, turn {turn}"
    each = PLACES // len(DAMAGES)
    assert sum(found.values()) > 0.7 * PLACES
    # a good deal of a small film is what says by whom it was made, and a flip may be one that nobody sees
    assert found["flipped"] + found["zeroed"] > each
    assert found["removed"] > 0.9 * each


@pytest.mark.parametrize("format_", CONTAINERS)
def test_a_film_cut_at_any_byte_is_found(
    tmp_path: Path, store_of: Callable[..., Path], format_: str, dice: random.Random
) -> None:
    store, path = store_of(SCENES[format_]), tmp_path / f"m.{format_}"
    data = fp.assemble(store, path, fps=FPS).path.read_bytes()
    ends = [0, 1, 12, len(data) - 2, len(data) - 1]
    lengths = [*ends, *(dice.randrange(len(data)) for _ in range(7 if FAULTS == 1 else 15 * FAULTS))]
    for length in lengths:
        path.write_bytes(data[:length])
        assert not fp.verify(path, store, fps=FPS).passed, length


def dropped(order: list[int], at: int, _: random.Random) -> list[int]:
    return order[:at] + order[at + 1 :]


def repeated(order: list[int], at: int, _: random.Random) -> list[int]:
    return order[: at + 1] + order[at:]


def swapped(order: list[int], at: int, dice: random.Random) -> list[int]:
    """With one beside it, or with any other."""
    beside = [other for other in (at - 1, at + 1) if other in order]
    other = dice.choice([dice.choice(beside), dice.choice([other for other in order if other != at])])
    return [{at: other, other: at}.get(number, number) for number in order]


FILMS = ["gif", "mp4", "webm", "webp", "apng", "avif"]


@pytest.mark.parametrize("format_", FILMS)
def test_a_movie_that_is_built_by_hand_of_the_right_frames_passes(
    tmp_path: Path, store_of: Callable[..., Path], format_: str
) -> None:
    right = built_by_hand(tmp_path / f"right.{format_}", store_of(quiet), range(FRAMES))
    assert failed_checks(fp.verify(right, store_of(quiet), fps=FPS)) == set()


@pytest.mark.parametrize("wrong", [dropped, repeated, swapped], ids=lambda wrong: wrong.__name__)
@pytest.mark.parametrize("format_", FILMS)
def test_a_frame_dropped_doubled_or_swapped_anywhere_is_found(
    tmp_path: Path,
    store_of: Callable[..., Path],
    format_: str,
    wrong: Callable[..., list[int]],
    dice: random.Random,
) -> None:
    store = store_of(quiet)
    turns = (3 if wrong is swapped else 2) if FAULTS == 1 else (8 if wrong is swapped else 4) * FAULTS
    for turn in range(turns):  # anywhere, and in each part of the film
        order = wrong(list(range(FRAMES)), int((turn + dice.random()) * FRAMES / turns), dice)
        movie = built_by_hand(tmp_path / f"{turn}.{format_}", store, order)
        assert failed_checks(fp.verify(movie, store, fps=FPS)), order


@pytest.mark.parametrize("format_", all_if_long(["mp4", "webm", "mov"], "mp4"))
def test_frames_that_differ_in_colour_only_are_told_apart_wherever_they_are(
    tmp_path: Path, store_of: Callable[..., Path], format_: str
) -> None:
    store, frames = store_of(hue, 40), list(range(40))
    right = built_by_hand(tmp_path / f"right.{format_}", store, frames)
    assert failed_checks(fp.verify(right, store, fps=FPS)) == set()
    for at in range(1, 39, 4 if FAULTS > 1 else 8):
        order = [*frames[:at], at + 1, at, *frames[at + 2 :]]
        movie = built_by_hand(tmp_path / f"{at}.{format_}", store, order)
        assert failed_checks(fp.verify(movie, store, fps=FPS)), order
