"""A whole render at a glance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import framepipe as fp
from framepipe.core import png
from framepipe.errors import IncompleteStore, UsageError
from framepipe.job.stamp import stamp
from tests.unit.test_job import record


def flat(k: int, channels: int = 3) -> np.ndarray:
    colour = [10 * k, 255 - 10 * k, 40, 255][:channels]
    return np.full((30, 40, channels), colour, np.uint8)


@pytest.fixture
def store(tmp_path: Path) -> fp.Store:
    job, store = record(12), fp.Store(tmp_path / "s")
    store.create()
    store.write_job(job)
    for k in range(12):
        store.commit(k, png.encode(flat(k), stamp(k, job.frame_parts(k))))
    return store


def tile(picture: Image.Image, made: fp.Sheet, place: int) -> tuple[int, ...]:
    """The colour in the middle of a tile."""
    row, column = divmod(place, made.columns)
    x = (column + 0.5) * made.width_px / made.columns
    y = (row + 0.3) * made.height_px / made.rows
    pixel = picture.convert("RGB").getpixel((int(x), int(y)))
    assert isinstance(pixel, tuple)
    return pixel


def test_every_frame_stands_in_its_place(store, tmp_path):
    made = fp.sheet(store, tmp_path / "sheet.png", columns=4)
    assert (made.columns, made.rows, made.numbers) == (4, 3, tuple(range(12)))
    with Image.open(made.path) as picture:
        assert picture.size == (made.width_px, made.height_px)
        assert [tile(picture, made, k) for k in range(12)] == [tuple(flat(k)[0, 0]) for k in range(12)]


def test_only_every_third_frame_is_shown_if_asked(store, tmp_path):
    assert fp.sheet(store, tmp_path / "sheet.png", every=3).numbers == (0, 3, 6, 9)


def test_a_frame_that_lacks_is_grey(store, tmp_path):
    store.frame_path(5).unlink()
    store.frame_path(6).write_bytes(b"")
    made = fp.sheet(store, tmp_path / "sheet.png", columns=4, labels=False)
    assert made.lacking == (5, 6)
    with Image.open(made.path) as picture:
        assert tile(picture, made, 5) == tile(picture, made, 6) == (0xD0, 0xD0, 0xD0)
        assert tile(picture, made, 7) == tuple(flat(7)[0, 0])


def test_the_sheet_keeps_to_its_largest_size_and_frames_are_never_enlarged(store, tmp_path):
    small = fp.sheet(store, tmp_path / "a.png", max_px=140)
    assert max(small.width_px, small.height_px) <= 140
    large = fp.sheet(store, tmp_path / "b.png", max_px=20_000, columns=1, labels=False)
    assert large.width_px < 60


def test_numbers_are_written_below_the_frames(store, tmp_path):
    plain, labelled = (fp.sheet(store, tmp_path / f"{k}.png", labels=k, columns=4) for k in (False, True))
    assert labelled.height_px > plain.height_px
    with Image.open(labelled.path) as picture:
        dark = (np.asarray(picture.convert("L")) < 100).sum()
    with Image.open(plain.path) as picture:
        assert dark > (np.asarray(picture.convert("L")) < 100).sum() + 50


@pytest.mark.parametrize("suffix", ["jpg", "webp", "tiff", "gif", "bmp", "pdf"])
def test_any_format_of_pillows_will_do(store, tmp_path, suffix):
    made = fp.sheet(store, tmp_path / f"sheet.{suffix}")
    assert made.path.stat().st_size > 100
    if suffix != "pdf":
        with Image.open(made.path) as picture:
            assert picture.size == (made.width_px, made.height_px)


def test_transparent_frames_lie_over_the_figures_own_colour(tmp_path):
    job, store = record(1), fp.Store(tmp_path / "s")
    store.create()
    store.write_job(job)
    clear = np.zeros((30, 40, 4), np.uint8)
    store.commit(0, png.encode(clear, stamp(0, job.frame_parts(0)), background=(9, 99, 199)))
    made = fp.sheet(store, tmp_path / "sheet.png")
    with Image.open(made.path) as picture:
        assert tile(picture, made, 0) == (9, 99, 199)


@pytest.mark.parametrize(
    ("keywords", "words"),
    [
        ({"output": "a.xyz"}, "no such format"),
        ({"output": "nowhere/a.png"}, "does not exist"),
        ({"every": 0}, "1 or more"),
        ({"columns": 0}, "1 or more"),
        ({"max_px": 10}, "64 to 30000"),
        ({"max_px": 64, "columns": 12}, "fewer with every"),
    ],
    ids=str,
)
def test_bad_input_is_told_in_a_line(store, tmp_path, monkeypatch, keywords, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=words):
        fp.sheet(store, **{"output": "a.png", **keywords})
    assert list(tmp_path.iterdir()) == [store.path]


def test_a_store_without_a_frame_has_no_sheet(tmp_path):
    store = fp.Store(tmp_path / "s")
    store.create()
    store.write_job(record(3))
    with pytest.raises(IncompleteStore, match="no frame that can be shown"):
        fp.sheet(store, tmp_path / "a.png")
