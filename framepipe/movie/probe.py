"""Find the tool that builds a format here, by building a tiny movie with it."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from framepipe.core import png
from framepipe.core.control import NO_CONTROL
from framepipe.core.process import Tool
from framepipe.core.shape import Shape
from framepipe.encoders import imagemagick
from framepipe.encoders.ffmpeg import find_ffmpeg
from framepipe.errors import EncoderFailed, ToolMissing
from framepipe.formats import FORMATS, Format, targets
from framepipe.formats.animated import container
from framepipe.formats.frame_input import FRAMES
from framepipe.formats.gif import gifsicle
from framepipe.formats.html import page
from framepipe.formats.recipe import MovieSpec, Recipe
from framepipe.formats.video.codecs import CODECS, codec_family
from framepipe.job.frames import file_name
from framepipe.movie.encode import run_recipe
from framepipe.options import EncodeOptions
from framepipe.timeline import Timeline

_TINY = Shape(64, 64, "RGB")  # the smallest that SVT-AV1 supports
_TINY_HARDWARE = Shape(256, 256, "RGB")  # NVENC needs at least 145x49, and others have limits of their own


def check_tools(formats: Sequence[Format], options: EncodeOptions) -> None:
    """Check that each format can be built here, before hours of drawing.

    Raises
    ------
    ToolMissing
    UsageError
        The options conflict with a format, or the format with the target.
    """
    for format_ in formats:
        tool_for_format(format_, options)
    optimizer(options)


def tool_for_format(format_: Format, options: EncodeOptions) -> Tool:
    """Return the tool that builds a format here; raises the errors of `check_tools`."""
    applied = targets.apply_target(options, format_)
    return tool_for_recipe(format_.recipe(MovieSpec(Timeline.of([0]), _TINY, applied)), applied)


def optimizer(options: EncodeOptions) -> Tool | None:
    """Return the gifsicle for optimising, None if this is not requested.

    Raises
    ------
    ToolMissing
    """
    return gifsicle.find_gifsicle() if options.optimize else None


def tool_for_recipe(recipe: Recipe, options: EncodeOptions) -> Tool:
    """Return the first tool that can carry out a recipe.

    Raises
    ------
    ToolMissing
    """
    if recipe.encoder == "imagemagick":
        return imagemagick.find_imagemagick()
    if recipe.encoder == "player":
        return page.find_pillow()
    relevant = replace(
        EncodeOptions(), **{name: getattr(options, name) for name in ("codec", "quality", "chroma", "depth")}
    )
    settings = [
        f"{name} {value}" for name, value in vars(relevant).items() if value != getattr(EncodeOptions(), name)
    ]
    what = f"{recipe.format} ({', '.join(settings)})" if settings else recipe.format
    if plays := recipe.spec.get("plays", 0) if recipe.counts_plays else 0:
        what += " with a number of plays"  # which ffmpeg 5.1 cannot write
    hint = {"hint": f"{relevant.codec} {why}"} if (why := _needs(relevant.codec)) else {}
    return find_ffmpeg(what, lambda tool: _build_tiny_movie(tool, recipe.format, relevant, plays), **hint)


def _needs(codec: str | None) -> str:
    details = CODECS.get(codec or "")
    if details is None or not details.hardware:
        return ""
    return f"needs {details.hardware}, and an ffmpeg with that encoder. Without: --codec {details.family}"


def decoder(format_: str, codec: str | None = None) -> Tool | None:
    """Return the ffmpeg that reads a format for verification; None if Pillow reads it.

    Parameters
    ----------
    format_ : str
    codec : str, optional
        The movie's codec, if it is known: an ffmpeg that builds it can read it, if there is one.
    """
    movie_format = FORMATS[format_]
    if not movie_format.is_video:
        return None
    if codec is not None:
        with contextlib.suppress(ToolMissing):
            return tool_for_format(movie_format, EncodeOptions(codec=codec_family(codec)))
    return tool_for_format(movie_format, EncodeOptions())


def _build_tiny_movie(tool: Tool, format_: str, options: EncodeOptions, plays: int) -> None:
    """Build a movie of two small frames: a better test than a list of codecs."""
    import numpy as np

    timeline, shape = Timeline.of([0, 1], loop=plays), _TINY_HARDWARE if _needs(options.codec) else _TINY
    recipe = FORMATS[format_].recipe(MovieSpec(timeline, shape, options))
    with tempfile.TemporaryDirectory(prefix="framepipe-") as name:
        frames = Path(name) / FRAMES
        frames.mkdir()
        for number in timeline.numbers:
            pixels = np.full((shape.height, shape.width, 3), 100 * number, np.uint8)
            (frames / file_name(number)).write_bytes(png.encode(pixels))
        run_recipe(recipe, tool, Path(name), lambda _: None, 60.0, NO_CONTROL)
        if plays:  # ffmpeg 5.1 accepts the option and ignores it
            with contextlib.suppress(container.InvalidFile):
                if container.inspect(Path(name) / recipe.output, format_).plays == plays:
                    return
            raise EncoderFailed("ffmpeg ignores a number of plays although it exited with status 0")
