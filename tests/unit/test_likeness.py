"""How far pictures are apart, as Pillow holds them."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from framepipe.core.images import PERFECT_DB
from framepipe.core.png import encode
from framepipe.verification import Grain, Tolerance
from framepipe.verification.blocks import BlockComparison
from framepipe.verification.judge import picture_checks
from framepipe.verification.likeness import (
    FrameScore,
    colours_and_alpha,
    colours_where_seen,
    frame_scores,
    halved,
    one_bit,
    psnr_and_patch,
)
from framepipe.verification.sparse import SparseDifference

GROUND = (9, 9, 9)


def flat(level, mode="RGB", size=(16, 16)):
    return Image.new(mode, size, level if isinstance(level, tuple) else (level,) * len(mode))


def test_equal_pictures_are_perfect_and_opposite_ones_have_0_db():
    assert psnr_and_patch([flat(7)], [flat(7)]) == (PERFECT_DB, 0.0)
    assert psnr_and_patch([flat(0)], [flat(255)]) == (pytest.approx(0), 255.0)
    assert psnr_and_patch([flat(0)], [flat(1)]) == (pytest.approx(48.13, abs=0.01), 1.0)


def test_one_sample_in_millions_is_not_equal():
    other = flat(0, size=(1200, 900))
    other.putpixel((700, 300), (0, 1, 0))
    assert psnr_and_patch([flat(0, size=(1200, 900))], [other])[0] < PERFECT_DB


def test_planes_of_different_sizes_count_by_their_samples():
    one = [flat(0, "L", (4, 4)), flat(0, "L", (2, 2))]
    other = [flat(0, "L", (4, 4)), flat(10, "L", (2, 2))]
    assert psnr_and_patch(one, other)[0] == pytest.approx(10 * np.log10(255**2 / (4 * 100 / 20)))


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32), st.sampled_from(["RGB", "L"]))
@settings(max_examples=60, deadline=None)
def test_it_is_what_numpy_says(width, height, seed, mode):
    shape = (height, width, 3) if mode == "RGB" else (height, width)
    a, b = np.random.default_rng(seed).integers(0, 256, (2, *shape), np.uint8)
    found_db, off = psnr_and_patch([Image.fromarray(a)], [Image.fromarray(b)])
    mean = np.mean((a.astype(float) - b) ** 2)
    assert found_db == pytest.approx(PERFECT_DB if mean == 0 else 10 * np.log10(255**2 / mean))
    rows, columns = range(0, height, 8), range(0, width, 8)
    differences = [
        np.abs(a[r : r + 8, c : c + 8].mean((0, 1)) - b[r : r + 8, c : c + 8].mean((0, 1)))
        for r in rows
        for c in columns
    ]
    assert off == pytest.approx(np.max(differences), abs=1.01)  # Pillow rounds each mean


@pytest.mark.parametrize(("alpha", "shown"), [(0, 9), (127, 9), (128, 200), (255, 200)])
def test_in_gif_a_pixel_is_opaque_or_not_at_all(alpha, shown):
    (plane,) = one_bit(flat((200, 200, 200, alpha), "RGBA"), GROUND)
    assert plane.getextrema() == ((shown, shown),) * 3


def test_colours_that_nobody_sees_do_not_count():
    one, other = flat((200, 0, 0, 0), "RGBA"), flat((0, 50, 0, 0), "RGBA")
    for shown in (colours_and_alpha, colours_where_seen, one_bit):
        assert psnr_and_patch(shown(one, GROUND), shown(other, GROUND))[0] == PERFECT_DB


def test_a_lossless_format_may_not_change_colours_that_are_hardly_seen():
    one, other = flat((200, 0, 0, 1), "RGBA"), flat((0, 50, 0, 1), "RGBA")
    assert psnr_and_patch(colours_where_seen(one, GROUND), colours_where_seen(other, GROUND))[0] < 20
    assert (
        psnr_and_patch(
            colours_where_seen(one, GROUND), colours_where_seen(flat((200, 0, 0, 2), "RGBA"), GROUND)
        )[0]
        < 60
    )


def test_other_alpha_is_another_picture():
    one, other = flat((9, 9, 9, 255), "RGBA"), flat((9, 9, 9, 100), "RGBA")
    assert psnr_and_patch(colours_and_alpha(one, GROUND), colours_and_alpha(other, GROUND))[0] < 20


def test_halved_chroma_does_not_count_what_4_2_0_loses():
    checks = np.zeros((16, 16, 3), np.uint8)
    checks[::2, :, 0] = checks[1::2, :, 2] = 200
    mean = np.full((16, 16, 3), checks.mean((0, 1)), np.uint8)
    one, other = [Image.fromarray(checks)], [Image.fromarray(mean)]
    assert psnr_and_patch(halved(one)[1:3], halved(other)[1:3])[1] <= 1
    assert psnr_and_patch(one, other)[0] < 12


@pytest.fixture()
def sources(tmp_path):
    """Five frames: a white square that goes to the right."""
    paths = []
    for at in range(5):
        pixels = np.zeros((32, 64, 3), np.uint8)
        pixels[8:24, 8 * at : 8 * at + 16] = 255
        paths.append(tmp_path / f"frame_{at:06d}.png")
        paths[-1].write_bytes(encode(pixels))
    return paths


class _Gif:
    """What `picture_checks` asks of what is expected."""

    tolerance = Tolerance(floor_db=5.0, patch_limit=300.0, closer_off=2.0, grain=Grain(float("inf")))

    def __init__(self, sources):
        self.sources = sources

    @staticmethod
    def to_planes(image):
        return [image.convert("RGB")]


def judged(order, sources, spoil=lambda image, at: image):
    images = [spoil(Image.open(sources[k]), at) for at, k in enumerate(order)]
    found = list(frame_scores(images, sources, lambda image: [image.convert("RGB")]))
    return {check.name for check in picture_checks(found, _Gif(sources)) if not check.ok}


def test_pictures_in_order_pass_and_swapped_ones_do_not(sources):
    assert judged([0, 1, 2, 3, 4], sources) == set()
    assert judged([0, 2, 1, 3, 4], sources) == {"order"}
    assert judged([0, 1, 1, 3, 4], sources) == {"order"}
    assert judged([0, 1, 2, 4, 4], sources) == {"order"}


def test_one_frame_from_elsewhere_among_frames_drawn_alike_is_found(tmp_path):
    """No neighbour is closer to it and the floor lets it pass: it falls against the frame beside."""
    still = np.full((32, 64, 3), 250, np.uint8)
    still[8:24, 8:24] = 60
    stale = still.copy()
    stale[8:24, 40:56] = 60
    paths = [tmp_path / f"frame_{at:06d}.png" for at in range(5)]
    for path in paths:
        path.write_bytes(encode(still))
    coded = Image.fromarray((still // 4 * 4).astype(np.uint8))
    seen = [coded, coded, Image.fromarray(stale), coded, coded]
    found = list(frame_scores(seen, paths, lambda image: [image.convert("RGB")]))
    order = next(check for check in picture_checks(found, _Gif(paths)) if check.name == "order")
    assert not order.ok
    assert order.seen.startswith("frame 2 has")


def test_a_plain_frame_among_busy_ones_is_no_fault():
    """Frames with more in them have less PSNR: told, not refused."""
    busy, plain = FrameScore(31.0, 9.0, (12.0, 12.0), (99.0, 99.0), 12.0), FrameScore(99.0, 0.0)
    checks = picture_checks([plain, plain, busy, plain, plain], _Gif(["a"] * 5))
    assert all(check.ok for check in checks)
    assert "1 more than 6 dB below" in checks[0].seen


def test_sources_of_any_number_are_read_once_each(sources, monkeypatch):
    opened = []
    really = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: opened.append(path) or really(path))
    order = [0, 1, 1, 1, 2, 3, 4]
    list(
        frame_scores(
            [flat(0, size=(64, 32))] * 7, [sources[k] for k in order], lambda image: [image.convert("RGB")]
        )
    )
    assert sorted(opened) == sources  # several threads read


@st.composite
def sparse_pair(draw):
    """A picture, and the same with a few samples changed by little."""
    width, height = draw(st.integers(9, 70)), draw(st.integers(9, 70))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    source = random.integers(4, 252, (height, width, 3), np.uint8)
    shown = source.copy()
    at = random.integers(0, source.size, draw(st.integers(0, 6)))
    shown.reshape(-1)[at] += random.integers(0, 4, at.size, np.uint8)
    return shown, source


@given(sparse_pair())
@settings(max_examples=100, deadline=None)
def test_what_is_nearly_equal_has_the_score_of_a_full_comparison(pair):
    shown, source = ([Image.fromarray(each)] for each in pair)
    scores = []
    for in_rgb in (True, False):
        with tempfile.TemporaryDirectory() as name:
            path = Path(name, "source.png")
            path.write_bytes(encode(pair[1]))
            comparison = BlockComparison(Grain(700.0))
            scores += frame_scores(
                shown, [path], lambda image: [image.copy()], comparison=comparison, in_rgb=in_rgb
            )
    assert scores[0].own_db == pytest.approx(scores[1].own_db)
    assert scores[0].off == pytest.approx(scores[1].off, abs=1.01)  # Pillow rounds each mean
    assert psnr_and_patch(shown, source)[0] == pytest.approx(scores[0].own_db)


@given(sparse_pair())
@settings(max_examples=50, deadline=None)
def test_no_block_of_a_sparse_difference_is_further_off_than_its_samples(pair):
    difference = SparseDifference.of(*pair)
    steps = pair[0].astype(int) - pair[1]
    rows, columns = (-(-side // 16) for side in steps.shape[:2])
    blocks = [
        (steps[16 * row : 16 * row + 16, 16 * column : 16 * column + 16] ** 2).sum((0, 1)).max()
        for row in range(rows)
        for column in range(columns)
    ]
    if difference is not None:  # few samples of a small picture may be many
        assert difference.worst_block() == max(blocks)
        assert difference.psnr == psnr_and_patch(*([Image.fromarray(each)] for each in pair))[0]


def test_pictures_that_differ_in_many_samples_have_no_sparse_difference():
    picture = np.zeros((40, 40, 3), np.uint8)
    assert SparseDifference.of(picture, picture + 1) is None
    assert SparseDifference.of(picture, picture[1:]) is None
    assert SparseDifference.of(picture, picture).psnr_and_patch() == (PERFECT_DB, 0.0)
