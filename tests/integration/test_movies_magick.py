"""What ImageMagick is asked for, and layers of GIF, through `assemble`: read back by Pillow and by bytes."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import framepipe as fp
from framepipe.errors import UsageError
from framepipe.formats.gif import container
from framepipe.options import LAYERS
from tests.integration.movies import (
    moving,
    noise,
    see_through,
)
from tests.support.sizes import all_if_long


def titled_by_pairs(k):
    """Frames of which two in a row are equal."""
    return moving(k // 2)


def read(path):
    with Image.open(path) as image:
        shown = []
        for index in range(getattr(image, "n_frames", 1)):
            image.seek(index)
            shown.append(np.asarray(image.convert("RGBA")))
    return shown


def by_imagemagick(store, output, **options):
    movie = fp.assemble(store, output, encoder="imagemagick", **options)
    assert movie.encoder.name == "imagemagick"
    assert [path.name for path in output.parent.iterdir()] == [output.name]
    return movie


@pytest.mark.parametrize("format_", ("webp", "apng", "avif"))
def test_imagemagick_is_refused_for_what_it_does_not_write_before_anything_is_drawn(tmp_path, format_):
    def draw(k):
        raise AssertionError("drawn")

    with pytest.raises(UsageError, match=f"ImageMagick builds no {format_}: use --encoder ffmpeg, or gif"):
        fp.make(draw, 2, tmp_path / f"m.{format_}", store=tmp_path / "s", encoder="imagemagick")
    assert not list(tmp_path.iterdir())


# --- layers of GIF ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def layered(stores, tmp_path_factory):
    """A maker of GIFs of one film that are built once."""
    built = {}

    def get(layers, palette="global"):
        if (layers, palette) not in built:
            output = tmp_path_factory.mktemp("layered") / "m.gif"
            built[layers, palette] = by_imagemagick(stores(moving), output, layers=layers, palette=palette)
        return built[layers, palette]

    return get


@pytest.mark.parametrize("palette", all_if_long(["global", "per-frame"], "per-frame"))
@pytest.mark.parametrize("layers", LAYERS)
def test_a_gif_of_any_layers_shows_the_same(layered, layers, palette):
    one, two = layered("none", palette), layered(layers, palette)
    assert all(np.array_equal(*pair) for pair in zip(read(one.path), read(two.path), strict=True))
    shrinks = layers != "none" and (palette == "global" or layers != "optimize-transparency")
    assert (two.size_bytes < one.size_bytes) == shrinks  # a frame of 256 colours has none for transparent


def test_auto_is_the_smaller_of_two_ways(layered):
    sizes = {layers: layered(layers).size_bytes for layers in LAYERS}
    assert sizes["auto"] <= sizes["optimize"] < sizes["none"]


@pytest.mark.parametrize("layers", LAYERS)
def test_equal_frames_stay_frames_whatever_the_layers(stores, tmp_path, layers):
    movie = by_imagemagick(stores(titled_by_pairs), tmp_path / "m.gif", layers=layers, fps=25)
    assert container.inspect(movie.path).delays_cs == (4,) * 6


@pytest.mark.parametrize("layers", LAYERS)
@pytest.mark.parametrize("scene", all_if_long([see_through, noise], noise))
def test_layers_that_cannot_be_leave_frames_whole(stores, tmp_path, scene, layers):
    store = stores(scene, transparent=scene is see_through)
    movie = by_imagemagick(store, tmp_path / "m.gif", layers=layers)
    assert movie.report.passed
    told = any(f"layers {layers}" in note for note in movie.notes)
    assert told == (scene is see_through and layers not in ("auto", "none"))


def test_layers_are_refused_without_imagemagick(stores, tmp_path):
    with pytest.raises(UsageError, match="add --encoder imagemagick"):
        fp.assemble(stores(moving), tmp_path / "m.gif", layers="optimize")
    with pytest.raises(UsageError, match="layers is 'merge'; give one of"):
        fp.assemble(stores(moving), tmp_path / "m.gif", layers="merge", encoder="imagemagick")
