"""The film of an encoder's sources counts only if it shows the right ones."""

from __future__ import annotations

import hashlib

import pytest

from framepipe.core.shape import Shape
from framepipe.formats import FORMATS
from framepipe.formats.recipe import MovieSpec
from framepipe.formats.video.film import film_in
from framepipe.options import EncodeOptions
from framepipe.timeline import Timeline


@pytest.fixture
def frames(tmp_path):
    paths = [tmp_path / f"frame_{number:06d}.png" for number in range(4)]
    for path in paths:
        path.write_bytes(path.name.encode())
    return paths


def filmed(folder, name, shown):
    """Write what an encoder leaves that has read these files."""
    lines = ["#format: frame checksums"]
    lines += [
        f"0, {at}, {at}, 1, {path.stat().st_size}, {hashlib.sha256(path.read_bytes()).hexdigest()}"
        for at, path in enumerate(shown)
    ]
    (folder / f"{name}.read").write_text("\n".join(lines) + "\n")
    (folder / f"{name}.film.mkv").touch()
    return folder / f"{name}.film.mkv"


@pytest.mark.parametrize(
    "order",
    [(0, 2, 1, 3), (0, 1, 1, 3), (0, 1, 2), (0, 1, 2, 3, 3)],
    ids=["swapped", "twice", "short", "long"],
)
def test_a_film_of_an_encoder_that_read_other_frames_does_not_count(tmp_path, frames, order):
    filmed(tmp_path, "movie", [frames[at] for at in order])
    assert film_in(tmp_path, frames, {}) is None


def test_a_film_does_not_count_if_a_frame_has_changed_since(tmp_path, frames):
    filmed(tmp_path, "movie", frames)
    frames[2].write_bytes(b"another picture")
    assert film_in(tmp_path, frames, {}) is None


def test_without_a_film_there_is_none(tmp_path, frames):
    assert film_in(tmp_path, frames, {}) is None


@pytest.mark.parametrize(
    ("suffix", "options", "films"),
    [
        ("mp4", {}, True),
        ("mp4", {"quality": "lossless"}, False),
        ("mp4", {"codec": "h265"}, False),
        ("webm", {}, False),
    ],
)
def test_only_the_fastest_encoder_films_its_sources(suffix, options, films):
    spec = MovieSpec(Timeline.of(range(3)), Shape(101, 76, "RGB"), EncodeOptions(**options))
    (step,) = FORMATS[suffix].recipe(spec).steps
    assert ("movie.film.mkv" in step.filmed) == films
    if films:
        assert step.filmed[-1] == step.args[-1] == "movie.mp4"
        kept = [arg for arg in step.args if arg.startswith("-") and arg not in ("-filter_complex", "-map")]
        assert set(kept) <= set(step.filmed), "the movie is encoded in the same way"


def test_a_frame_whose_digest_is_known_is_not_read_again(tmp_path, frames):
    film = filmed(tmp_path, "movie", frames)
    digests = {path: hashlib.sha256(path.read_bytes()).digest() for path in frames}
    for path in frames:
        path.unlink()
    assert film_in(tmp_path, frames, digests) == film
    assert film_in(tmp_path, frames, {**digests, frames[1]: bytes(32)}) is None
