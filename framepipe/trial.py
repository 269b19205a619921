"""Which tool builds a format here: found by building something tiny with it."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from framepipe import containers, png
from framepipe.control import Stop
from framepipe.encoders import gifsicle, imagemagick, player
from framepipe.encoders.ffmpeg import find_ffmpeg, run_ffmpeg
from framepipe.encoders.tools import Tool
from framepipe.errors import EncoderFailed, ToolMissing
from framepipe.frames import file_name
from framepipe.recipes import FRAMES, PICTURES, Options, Recipe, profiles, recipe
from framepipe.recipes.codecs import CODECS
from framepipe.store import Shape
from framepipe.timeline import Timeline

_TINY = Shape(64, 64, "RGB")  # SVT-AV1 takes no smaller ones
_TINY_HARDWARE = Shape(256, 256, "RGB")  # NVENC takes none below 145x49, and others have limits of their own


def check_tools(formats: Sequence[str], options: Options) -> None:
    """See that each format can be built here, before hours are spent on drawing.

    Raises
    ------
    ToolMissing
    UsageError
        The options do not go with a format, or it not with what it is for.
    """
    for format_ in dict.fromkeys(formats):
        tool_of(format_, options)
    optimizer(options)


def tool_of(format_: str, options: Options) -> Tool:
    """The tool that builds a format here; errors as `check_tools` has them."""
    settled = profiles.settle(options, format_)
    return tool_for(recipe(format_, Timeline.of([0]), _TINY, None, settled), settled)


def optimizer(options: Options) -> Tool | None:
    """The gifsicle that is to make a GIF smaller, None if that is not asked for.

    Raises
    ------
    ToolMissing
    """
    return gifsicle.find_gifsicle() if options.optimize else None


def tool_for(made: Recipe, options: Options) -> Tool:
    """The first tool that can carry out a recipe.

    Raises
    ------
    ToolMissing
    """
    if made.encoder == "imagemagick":
        found = imagemagick.find_imagemagick()
        if made.format == "webp" and (why := _lacks_webp(found)):  # it is an option when it is compiled
            raise ToolMissing(f"{found} writes no webp: use --encoder ffmpeg. It said: {why}")
        return found
    if made.encoder == "player":
        return player.find_pillow()
    asked = replace(
        Options(), **{name: getattr(options, name) for name in ("codec", "quality", "chroma", "depth")}
    )
    told = [f"{name} {value}" for name, value in vars(asked).items() if value != getattr(Options(), name)]
    what = f"{made.format} ({', '.join(told)})" if told else made.format
    if plays := made.spec.get("plays", 0) if made.format == "avif" else 0:
        what += " with a number of plays"  # which ffmpeg 5.1 cannot write
    cure = {"cure": f"{asked.codec} {why}"} if (why := _needs(asked.codec)) else {}
    return find_ffmpeg(what, lambda tool: _try_on_something_tiny(tool, made.format, asked, plays), **cure)


def _needs(codec: str | None) -> str:
    about = CODECS.get(codec or "")
    if about is None or not about.hardware:
        return ""
    return f"needs {about.hardware}, and an ffmpeg with that encoder. Without: --codec {about.makes}"


@cache
def _lacks_webp(tool: Tool) -> str:
    try:
        _try_on_something_tiny(tool, "webp", Options(encoder="imagemagick"), 0)
    except EncoderFailed as error:
        return str(error)
    return ""


def decoder(format_: str) -> Tool | None:
    """The ffmpeg that reads a format for verification; None where Pillow does."""
    if format_ in ("gif", "html", *PICTURES):
        return None
    options = Options()
    return tool_for(recipe(format_, Timeline.of([0]), _TINY, None, options), options)


def _try_on_something_tiny(tool: Tool, format_: str, options: Options, plays: int) -> None:
    """Build a movie of two small frames: shows more than a list of codecs would."""
    import numpy as np

    timeline, shape = Timeline.of([0, 1], loop=plays), _TINY_HARDWARE if _needs(options.codec) else _TINY
    made = recipe(format_, timeline, shape, None, options)
    with tempfile.TemporaryDirectory(prefix="framepipe-") as name:
        frames = Path(name) / FRAMES
        frames.mkdir()
        for number in timeline.numbers:
            pixels = np.full((shape.height, shape.width, 3), 100 * number, np.uint8)
            (frames / file_name(number)).write_bytes(png.encode(pixels))
        run_recipe(made, tool, Path(name), lambda _: None, 60.0, None)
        if plays:  # ffmpeg 5.1 takes the option and ignores it
            with contextlib.suppress(containers.Damage):
                if containers.inspect(Path(name) / made.output, format_).plays == plays:
                    return
            raise EncoderFailed("ffmpeg knows no number of plays and said that all was well")


def prepare(
    made: Recipe,
    tool: Tool,
    folder: Path,
    on_frame: Callable[[int], None],
    stall_s: float,
    stop: Stop | None,
) -> None:
    """Write a recipe's files and run ffmpeg's commands, but for those of segments."""
    for name, content in made.lists.items():
        (folder / name).write_bytes(content.encode("ascii") if isinstance(content, str) else content)
    for step in made.steps:
        run_ffmpeg(
            tool,
            step.args,
            cwd=folder,
            frames=step.frames,
            on_frame=on_frame if step.shown else None,
            stall_s=stall_s,
            stop=stop,
        )


def run_recipe(
    made: Recipe,
    tool: Tool,
    folder: Path,
    on_frame: Callable[[int], None],
    stall_s: float,
    stop: Stop | None,
) -> None:
    """Do what a recipe without segments says; what lies in the work folder is then its output.

    Raises
    ------
    EncoderFailed, Interrupted
    """
    prepare(made, tool, folder, on_frame, stall_s, stop)
    if made.encoder == "imagemagick":
        (folder / "parts").mkdir()
        inside = {"output": str(folder / made.output), "work": str(folder / "parts")}
        inside["frames"] = [str(folder / name) for name in made.spec["frames"]]  # type: ignore[assignment]
        imagemagick.run_imagemagick(
            tool, {**made.spec, **inside}, cwd=folder, on_frame=on_frame, stall_s=stall_s, stop=stop
        )
    if made.encoder == "player":
        player.build(made.spec, folder / FRAMES, folder / made.output, on_frame, stop)
    if not (folder / made.output).is_file() or not (folder / made.output).stat().st_size:
        raise EncoderFailed(f"{tool.name} said that all was well and wrote no movie", tool=tool)
    if made.format == "webp" and made.encoder == "ffmpeg":
        try:
            containers.finish_webp(folder / made.output, **made.spec)
        except containers.Damage as error:
            raise EncoderFailed(f"{tool.name} said that all was well and wrote: {error}", tool=tool) from None
