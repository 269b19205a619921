"""How each format is built: a pure function from options and timeline to commands.

All commands run in a work folder that holds ``frames`` (a link to the store), the ffconcat list
and what they write, so no file name of the user's ever stands in a command or a list.

Sources: ffmpeg manual, "concat demuxer", "palettegen", "paletteuse", "gif muxer", "libx264";
measured in both ffmpeg 5.1 and 9.
"""

from __future__ import annotations

from framepipe.errors import UsageError
from framepipe.recipes import gif, html, pictures, video
from framepipe.recipes.common import FRAMES, LIST, PALETTE, PALETTE_LIST, Recipe, Segment, Step, ffconcat
from framepipe.recipes.gif import Palette
from framepipe.recipes.options import (
    CHROMAS,
    CODECS,
    DITHERS,
    ENCODERS,
    FORMATS,
    LAYERS,
    PALETTES,
    PICTURES,
    PLAYER_LIMIT_MB,
    PRESETS,
    QUALITIES,
    TARGETS,
    VIDEOS,
    Options,
    format_of,
)
from framepipe.recipes.video import Encoding, encoding
from framepipe.store import Shape
from framepipe.timeline import Timeline

__all__ = [
    "CHROMAS",
    "CODECS",
    "DITHERS",
    "ENCODERS",
    "FORMATS",
    "FRAMES",
    "LAYERS",
    "LIST",
    "PALETTE",
    "PALETTES",
    "PALETTE_LIST",
    "PICTURES",
    "PLAYER_LIMIT_MB",
    "PRESETS",
    "QUALITIES",
    "TARGETS",
    "VIDEOS",
    "Encoding",
    "Options",
    "Palette",
    "Recipe",
    "Segment",
    "Step",
    "encoding",
    "ffconcat",
    "format_of",
    "recipe",
]


def recipe(
    format_: str,
    timeline: Timeline,
    shape: Shape,
    background: tuple[int, int, int] | None,
    options: Options,
    *,
    palette: Palette | None = None,
    jobs: int = 1,
) -> Recipe:
    """What to do for a movie of ``timeline``.

    Parameters
    ----------
    format_, timeline, shape, background, options
        As their types say.
    palette : Palette, optional
        The colours of a GIF, where they are given or known.
    jobs : int
        Encoders to run at once, where that helps.

    Raises
    ------
    UsageError
        The format cannot do what is asked for.
    """
    if options.optimize and format_ != "gif":
        raise UsageError(f"optimize is for GIF, not {format_}: leave --optimize out")
    if format_ == "html":
        return html.by_framepipe(timeline, shape, background or (255, 255, 255), options)
    if format_ == "webp" and options.encoder == "imagemagick":
        return pictures.webp_by_imagemagick(timeline, shape, options)
    if format_ in PICTURES:
        return pictures.by_ffmpeg(format_, timeline, shape, options)
    if format_ in VIDEOS:
        if options.encoder == "imagemagick":
            raise UsageError(f"ImageMagick builds no {format_}: use --encoder ffmpeg, or gif, webp")
        return video.by_ffmpeg(format_, timeline, shape, background or (255, 255, 255), options)
    if options.encoder == "imagemagick":
        return gif.by_imagemagick(timeline, shape, options, palette)
    return gif.by_ffmpeg(timeline, shape, options, palette, jobs)
