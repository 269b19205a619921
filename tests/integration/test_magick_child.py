from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import framepipe
from framepipe.formats.gif import container
from framepipe.options import LAYERS
from tests.support.forked import run_python
from tests.support.sizes import all_if_long

ROOT = Path(framepipe.__file__).parents[1]
W, H = 60, 40


def spec_file(folder, frames, work=None, **fields):
    """SPEC.json of a GIF, but for what ``fields`` say; a field of None is left out."""
    work = work or folder / "work"
    work.mkdir(exist_ok=True)
    spec = {
        "frames": [str(frame) for frame in frames],
        "output": str(folder / "out.gif"),
        "work": str(work),
        "delays_cs": [4] * len(frames),
        "plays": 0,
        "width": W,
        "height": H,
        "colors": 256,
        "dither": "none",
        "palette": "global",
        "transparent": False,
    } | fields
    path = work / "spec.json"
    path.write_text(json.dumps({name: value for name, value in spec.items() if value is not None}))
    return path


def run(folder, frames, **fields):
    """The child on ``frames``; what it said, and where its movie should be."""
    environment = fields.pop("environment", {})
    path = spec_file(folder, frames, **fields)
    done = run_python(["-m", "framepipe.formats.gif.magick_child", path], folder, environment)
    return done, Path(json.loads(path.read_text())["output"])


def build(folder, frames, **fields):
    done, output = run(folder, frames, **fields)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == f"frame={len(frames)}"
    return output


def refused(folder, frames, **fields):
    done, output = run(folder, frames, **fields)
    assert done.returncode == 1
    assert not output.exists()
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr
    return done.stderr


def save(folder, pictures, names=None):
    paths = []
    for number, pixels in enumerate(pictures):
        paths.append(folder / (names[number] if names else f"f{number:04d}.png"))
        Image.fromarray(pixels).save(paths[-1], format="PNG")
    return paths


def few_colours(count, colours=12, seed=0):
    random = np.random.default_rng(seed)
    palette = random.integers(0, 256, (colours, 3), np.uint8)
    pictures = []
    for step in range(count):
        pixels = np.tile(palette[0], (H, W, 1))
        for block in range(1, colours):
            x, y = (block * 5 + step * 3) % (W - 6), (block * 7 + step) % (H - 6)
            pixels[y : y + 6, x : x + 6] = palette[block]
        pictures.append(pixels)
    return pictures


def many_colours(count):
    y, x = np.mgrid[0:H, 0:W]
    pictures = []
    for step in range(count):
        red, green = (x * 4 + step * 9) % 256, (y * 6 + step * 5) % 256
        pictures.append(np.stack([red, green, (x * y + step) % 256], axis=2).astype(np.uint8))
    return pictures


def with_alpha(pictures):
    shown = []
    for step, pixels in enumerate(pictures):
        alpha = np.full((H, W, 1), [0, 100, 127][step % 3], np.uint8)
        alpha[step % 20 : step % 20 + 12, 5 : 20 + step] = [128, 200, 255][step % 3]
        shown.append(np.concatenate([pixels, alpha], axis=2))
    return shown


def decoded(path, mode="RGB"):
    shown = []
    with Image.open(path) as image:
        for position in range(image.n_frames):
            image.seek(position)
            shown.append(np.array(image.convert(mode)))
    return shown


def assert_same(seen, expected):
    assert len(seen) == len(expected)
    for position, (one, two) in enumerate(zip(seen, expected)):
        assert np.array_equal(one, two), f"frame {position}"


# --- pixels -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("palette", "colours"),
    all_if_long(
        [("global", 2), ("global", 255), ("global", 256), ("per-frame", 256)],
        ("global", 255),
        ("per-frame", 256),
    ),
)
def test_few_colours_are_kept_exactly(tmp_path, palette, colours):
    random = np.random.default_rng(colours)
    values = random.permutation(256**3)[:colours].astype("<u4")
    values = values.view(np.uint8).reshape(-1, 4)[:, :3]
    pictures = []
    for step in range(5):  # all colours are in every frame, most pixels stay from frame to frame
        indices = np.resize(np.arange(colours), (H, W))
        indices[step * 3 : step * 3 + 5] = random.integers(0, colours, (5, W))
        pictures.append(values[indices])
    output = build(tmp_path, save(tmp_path, pictures), palette=palette, chunk_frames=3)
    assert_same(decoded(output), pictures)


def test_neighbouring_colours_are_not_merged(tmp_path):
    pictures = [np.zeros((H, W, 3), np.uint8) for _ in range(3)]
    for step, pixels in enumerate(pictures):
        pixels[:, :, 0] = 100 + np.arange(W) % 4
        pixels[:, :, 1] = 100 + (np.arange(H)[:, None] + step) % 4
    assert_same(decoded(build(tmp_path, save(tmp_path, pictures))), pictures)


def test_repeated_frames_stay_frames(tmp_path):
    one, two = save(tmp_path, few_colours(2))
    frames = [one, one, one, two, one, one, two, two]
    output = build(tmp_path, frames, chunk_frames=3)
    expected = few_colours(2)
    assert_same(decoded(output), [expected[frame == two] for frame in frames])


def test_seams_between_parts_cannot_be_seen(tmp_path):
    frames = save(tmp_path, many_colours(10))
    whole = decoded(build(tmp_path, frames, chunk_frames=10))
    output = build(tmp_path, frames, chunk_frames=3)
    assert_same(decoded(output), whole)
    assert container.inspect(output).local_palettes == 0


@pytest.mark.parametrize(
    ("dither", "palette", "transparent"),
    [
        ("none", "global", True),
        ("floyd_steinberg", "global", False),
        ("riemersma", "global", True),
        ("floyd_steinberg", "per-frame", True),
        ("none", "per-frame", False),
    ],
)
def test_many_colours_stay_near(tmp_path, dither, palette, transparent):
    pictures = many_colours(4)
    output = build(
        tmp_path,
        save(tmp_path, pictures),
        dither=dither,
        palette=palette,
        transparent=transparent,
        chunk_frames=3,
    )
    for seen, source in zip(decoded(output), pictures, strict=True):
        assert np.mean(np.abs(seen.astype(int) - source)) < 14


def test_more_colours_than_a_row_may_have_are_no_error(tmp_path):
    # Debian's policy limits a side to 16,000 pixels; IM's own list of colours is one row of them.
    y, x = np.mgrid[0:150, 0:150]
    pixels = np.stack([x, y, (x + y) % 256], axis=2).astype(np.uint8)
    output = build(tmp_path, save(tmp_path, [pixels] * 2), width=150, height=150)
    assert np.mean(np.abs(decoded(output)[1].astype(int) - pixels)) < 8


def test_fewer_colours_are_used_when_asked(tmp_path):
    output = build(tmp_path, save(tmp_path, many_colours(4)), colors=16)
    seen = np.concatenate(decoded(output)).reshape(-1, 3)
    assert 12 <= len(np.unique(seen, axis=0)) <= 16


def test_palette_of_each_frame_is_its_own(tmp_path):
    pictures = [few_colours(1, colours=200, seed=seed)[0] for seed in range(6)]
    output = build(tmp_path, save(tmp_path, pictures), palette="per-frame", chunk_frames=4)
    assert_same(decoded(output), pictures)


def test_grey_and_palette_pngs_are_kept_exactly(tmp_path):
    grey = np.tile(np.arange(W, dtype=np.uint8) * 4, (H, 1))
    paths = save(tmp_path, [grey])
    Image.fromarray(few_colours(1)[0]).quantize(16).save(tmp_path / "p.png")
    output = build(tmp_path, [*paths, tmp_path / "p.png"])
    assert_same(decoded(output), [np.repeat(grey[:, :, None], 3, 2), *few_colours(1)])


# --- transparency -------------------------------------------------------------------------------


@pytest.mark.parametrize("palette", ["global", "per-frame"])
def test_transparent_frames_do_not_ghost(tmp_path, palette):
    pictures = with_alpha(few_colours(8))
    frames = save(tmp_path, pictures)
    output = build(tmp_path, frames, transparent=True, palette=palette, chunk_frames=3)
    for seen, source in zip(decoded(output, "RGBA"), pictures, strict=True):
        opaque = source[:, :, 3] >= 128
        assert np.array_equal(seen[:, :, 3] == 255, opaque)
        assert np.array_equal(seen[:, :, 3] == 0, ~opaque)
        assert np.array_equal(seen[opaque][:, :3], source[opaque][:, :3])


@pytest.mark.parametrize("layers", LAYERS)
def test_what_goes_away_is_gone_whatever_the_layers(tmp_path, layers):
    both = np.zeros((H, W, 4), np.uint8)
    both[:10, :10] = (200, 30, 30, 255)
    both[-10:, -10:] = (20, 30, 200, 255)
    without_first, without_last = both.copy(), both.copy()
    without_first[:10, :10] = 0
    without_last[-10:, -10:] = 0
    pictures = [both, both, both, without_first, both, without_last, without_last, without_last]
    output = build(tmp_path, save(tmp_path, pictures), transparent=True, layers=layers)
    assert_same(decoded(output, "RGBA"), pictures)


def test_opaque_pixels_far_from_every_colour_stay_opaque(tmp_path):
    # 32 of 40 frames are sampled and frame 2 is not: its colour is not in the palette. As a fourth
    # coordinate, transparent would be nearer to it than blue and white are.
    blue = np.full((H, W, 4), (0, 0, 255, 255), np.uint8)
    blue[:10] = (255, 255, 255, 255)
    blue[30:] = 0
    red = np.where(blue[:, :, 3:] > 0, np.uint8([255, 0, 0, 255]), blue)
    one, two = save(tmp_path, [blue, red])
    frames = [one] * 40
    frames[2] = two
    seen = decoded(build(tmp_path, frames, transparent=True), "RGBA")[2]
    assert np.array_equal(seen[:, :, 3], red[:, :, 3])
    assert (seen[:30, :, 2] == 255).all()


def test_frames_without_an_opaque_pixel_are_empty(tmp_path):
    pictures = [np.zeros((H, W, 4), np.uint8)] * 3
    output = build(tmp_path, save(tmp_path, pictures), transparent=True)
    assert all((seen[:, :, 3] == 0).all() for seen in decoded(output, "RGBA"))


def test_alpha_is_laid_over_white_when_not_wanted(tmp_path):
    pixels = np.full((H, W, 4), (200, 0, 0, 255), np.uint8)
    pixels[:20, :, 3] = 0
    seen = decoded(build(tmp_path, save(tmp_path, [pixels] * 2)))
    assert (seen[0][:20] == 255).all()
    assert (seen[1][20:] == (200, 0, 0)).all()


# --- layers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("layers", LAYERS)
@pytest.mark.parametrize("colours", all_if_long([12, 256], 256))
def test_layers_do_not_change_a_pixel(tmp_path, layers, colours):
    """256 colours leave no place for a transparent one."""
    pictures = few_colours(7, colours=12)
    for pixels in pictures:
        pixels[:5].reshape(-1, 3)[: colours - 12] = np.arange(colours - 12, dtype=np.uint8)[:, None]
    output = build(tmp_path, save(tmp_path, pictures), layers=layers, chunk_frames=4)
    assert_same(decoded(output), pictures)


# --- times --------------------------------------------------------------------------------------


@pytest.mark.parametrize("plays", all_if_long([0, 1, 3], 1, 3))
def test_delays_and_plays_are_as_asked(tmp_path, plays):
    delays = [2, 3, 4, 100, 65535]
    frames = save(tmp_path, few_colours(5))
    info = container.inspect(build(tmp_path, frames, delays_cs=delays, plays=plays, chunk_frames=2))
    assert info.delays_cs == tuple(delays)
    assert (info.plays, info.frames, info.width, info.height) == (plays, 5, W, H)


def test_one_frame_is_enough(tmp_path):
    output = build(tmp_path, save(tmp_path, few_colours(1)))
    assert_same(decoded(output), few_colours(1))


# --- names and errors ---------------------------------------------------------------------------

HOSTILE = [
    "100%d [0].png",
    "msl:x.png",
    "-leading.png",
    "@list.png",
    "st*r?.png",
    "new\nline.png",
    "quo'te\".png",
    "|cat.png",
    "sp ace.gif",
    os.fsdecode(b"\xff\xfe.png"),
]


def test_names_are_data(tmp_path):
    folder = tmp_path / "50% [1]:x\n@"
    folder.mkdir()
    frames = save(folder, few_colours(len(HOSTILE)), HOSTILE)
    output = build(folder, frames, output=str(folder / "out%d[0]:.gif"))
    assert_same(decoded(output), few_colours(len(HOSTILE)))


@pytest.mark.parametrize("keep", [0, 0.5, -1])
def test_truncated_png_is_named_and_leaves_no_gif(tmp_path, keep):
    frames = save(tmp_path, many_colours(5))
    data = frames[3].read_bytes()
    frames[3].write_bytes(data[: len(data) // 2 if keep == 0.5 else keep])
    message = refused(tmp_path, frames, chunk_frames=2)
    assert "frame 3 of 5" in message
    assert "f0003.png" in message


def test_png_of_another_size_is_named_and_leaves_no_gif(tmp_path):
    frames = save(tmp_path, [*few_colours(3), few_colours(1)[0][:-1]])
    message = refused(tmp_path, frames)
    assert f"is {W}x{H - 1}, expected {W}x{H}" in message
    assert "f0003.png" in message


def test_missing_png_with_a_hostile_name_is_one_line(tmp_path):
    frames = [*save(tmp_path, few_colours(2)), tmp_path / "no\nsuch.png"]
    assert r"no\nsuch.png': there is no such file" in refused(tmp_path, frames)


@pytest.mark.parametrize(
    ("size", "words"), [("60KiB", "part-000000.gif, frames 0 to 11: "), ("8KiB", "frame 0 of 12, ")]
)
def test_limit_of_imagemagick_is_an_error(tmp_path, size, words):
    limits = {f"MAGICK_{kind}_LIMIT": size for kind in ("MEMORY", "MAP", "DISK")}
    assert words in refused(tmp_path, save(tmp_path, few_colours(12)), environment=limits)


@pytest.mark.parametrize(
    "fields",
    [{"delays_cs": [1]}, {"palette": "x"}, {"colors": 1}, {"layers": "merge"}, {"colour": 3}],
)
def test_wrong_spec_is_one_line(tmp_path, fields):
    refused(tmp_path, save(tmp_path, few_colours(2)), **fields)


def test_missing_library_has_its_own_exit_code(tmp_path):
    (tmp_path / "wand").mkdir()
    (tmp_path / "wand" / "__init__.py").write_text("")
    (tmp_path / "wand" / "image.py").write_text("raise ImportError('no MagickWand\\nlibrary')")
    path = {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    done, output = run(tmp_path, save(tmp_path, few_colours(2)), environment=path)
    assert done.returncode == 4
    assert done.stderr == "Wand cannot load MagickWand: no MagickWand library\n"
    assert not output.exists()
