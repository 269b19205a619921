"""Functions that return pictures instead of figures, and frames out of tables."""

from __future__ import annotations

import functools
import io

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from PIL import Image

import framepipe as fp
from tests.integration.programs import stored

NOISE = np.random.default_rng(1).integers(0, 256, (6, 20, 30, 4), np.uint8)


def frame_of_gif(plot):
    """What the decorator ``frame`` of the package gif does."""

    @functools.wraps(plot)
    def inner(*args, **kwargs):
        buffer = io.BytesIO()
        plot(*args, **kwargs)
        plt.savefig(buffer, format="png", dpi=50)
        plt.close()
        buffer.seek(0)
        return Image.open(buffer)

    return inner


@frame_of_gif
def wave(k):
    plt.figure(figsize=(2, 1))
    plt.plot(np.sin(np.arange(20) + k))


def pixels(path, number):
    with Image.open(path / f"frame_{number:06d}.png") as image:
        return np.asarray(image.convert("RGBA"))


@pytest.mark.parametrize("engine", ["serial", "local"])
def test_a_function_of_the_package_gif_is_a_scene_as_it_is(tmp_path, engine):
    store = tmp_path / "s"
    report = fp.render(wave, 4, store=store, engine=engine, workers=2 if engine == "local" else None)
    assert sorted(report.drawn) == [0, 1, 2, 3]
    for number in range(4):
        np.testing.assert_array_equal(pixels(store, number), np.asarray(wave(number).convert("RGBA")))
    assert plt.get_fignums() == []
    assert fp.assemble(store, tmp_path / "a.gif").frames == 4


def as_image(k):
    return Image.fromarray(NOISE[k])


def as_rgb(k):
    return NOISE[k][..., :3]


def as_grey_image(k):
    return Image.fromarray(NOISE[k][..., 0])


def as_palette(k):
    return Image.fromarray(NOISE[k][..., :3]).quantize(16)


RETURNED = {
    as_image: lambda k: NOISE[k],
    NOISE.__getitem__: lambda k: NOISE[k],
    as_rgb: lambda k: np.dstack([NOISE[k][..., :3], np.full((20, 30), 255, np.uint8)]),
    as_grey_image: lambda k: np.dstack([NOISE[k][..., :1]] * 3 + [np.full((20, 30), 255, np.uint8)]),
    as_palette: lambda k: np.asarray(as_palette(k).convert("RGBA")),
}


@pytest.mark.parametrize("draw", RETURNED, ids=lambda draw: draw.__name__)
def test_every_pixel_of_a_picture_stays_as_it_is(tmp_path, draw):
    fp.render(lambda k: draw(k), 3, store=tmp_path / "s", engine="serial")
    for number in range(3):
        np.testing.assert_array_equal(stored(tmp_path / "s", number), RETURNED[draw](number))


def test_pictures_are_copied_from_the_buffer_that_a_function_draws_into_again_and_again(tmp_path):
    buffer = np.zeros((4, 5, 3), np.uint8)

    def paint(k):
        buffer[:, k] = 255
        return buffer

    fp.render(paint, 5, store=tmp_path / "s", workers=2)
    for number in range(5):
        assert stored(tmp_path / "s", number)[0, :, 0].tolist() == [255] * (number + 1) + [0] * (4 - number)


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda k: np.zeros((3, 4)), "a picture is uint8 of shape .*; got float64"),
        (lambda k: np.zeros((3, 4), np.uint8), r"got uint8 \(3, 4\)"),
        (lambda k: np.zeros((3 + k, 4, 3), np.uint8), "the frame is 4x4 px, the first frame 4x3"),
    ],
    ids=["floats", "no colours", "another size"],
)
def test_what_is_no_picture_or_of_another_size_is_refused(tmp_path, draw, message):
    with pytest.raises(fp.FramesFailed, match=message):
        fp.render(draw, 2, store=tmp_path / "s", engine="serial")


def paint(value):
    return np.full((2, 2, 3), value, np.uint8)


TABLE = pd.DataFrame({"name": ["b", "a", "b"], "x": [15, 25, 35]}, index=[30, 10, 20])


@pytest.mark.parametrize(
    ("frames", "draw", "shades"),
    [
        (TABLE, lambda row: paint(row.x + row.Index), [45, 35, 55]),
        (TABLE["x"], paint, [15, 25, 35]),
        (TABLE.index, paint, [30, 10, 20]),
        (TABLE.groupby("name"), lambda item: paint(item[1]["x"].sum() + ord(item[0])), [25 + 97, 50 + 98]),
        ({7: "a", 9: "b"}, paint, [7, 9]),
        ({7: 1, 9: 2}.values(), paint, [1, 2]),
    ],
    ids=["table", "column", "index", "groups", "dict", "values of a dict"],
)
def test_tables_and_collections_reach_the_workers_and_are_done_the_second_time(
    tmp_path, frames, draw, shades
):
    first = fp.render(draw, frames, store=tmp_path / "s", workers=2)
    assert len(first.drawn) == len(shades)
    assert [stored(tmp_path / "s", number)[0, 0, 0] for number in range(len(shades))] == shades
    assert fp.render(draw, frames, store=tmp_path / "s", engine="serial").drawn == ()


def test_a_changed_row_is_drawn_again_and_no_other(tmp_path):
    def draw(row):
        return paint(row.x)

    fp.render(draw, TABLE, store=tmp_path / "s", engine="serial")
    changed = TABLE.assign(x=[15, 26, 35])
    assert fp.render(draw, changed, store=tmp_path / "s", engine="serial").drawn == (1,)
