"""Carry out a recipe in a work folder: write its lists, run its commands, check that there is a movie."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from framepipe.core.control import Control
from framepipe.core.process import Tool
from framepipe.encoders import imagemagick
from framepipe.encoders.ffmpeg import run_ffmpeg
from framepipe.errors import EncoderFailed
from framepipe.formats import FORMATS
from framepipe.formats.animated import container
from framepipe.formats.frame_input import FRAMES
from framepipe.formats.html import page
from framepipe.formats.recipe import Recipe


def write_lists(recipe: Recipe, folder: Path) -> None:
    """Write a recipe's files."""
    for name, content in recipe.lists.items():
        (folder / name).write_bytes(content.encode("ascii") if isinstance(content, str) else content)


def prepare(
    recipe: Recipe,
    tool: Tool,
    folder: Path,
    on_frame: Callable[[int], None],
    idle_timeout_s: float,
    control: Control,
) -> None:
    """Write a recipe's files and run ffmpeg's commands, except those of segments."""
    write_lists(recipe, folder)
    for step in recipe.steps:
        run_ffmpeg(
            tool,
            step.filmed or step.args,
            cwd=folder,
            frames=step.frames,
            on_frame=on_frame if step.reports_progress else None,
            idle_timeout_s=idle_timeout_s,
            control=control,
        )


def run_recipe(
    recipe: Recipe,
    tool: Tool,
    folder: Path,
    on_frame: Callable[[int], None],
    idle_timeout_s: float,
    control: Control,
    *,
    is_encoded: bool = False,
) -> None:
    """Carry out a recipe without segments; its output is then in the work folder, or was before.

    Raises
    ------
    EncoderFailed, Interrupted
    """
    if not is_encoded:
        prepare(recipe, tool, folder, on_frame, idle_timeout_s, control)
    if recipe.encoder == "imagemagick":
        (folder / "parts").mkdir()
        paths = {"output": str(folder / recipe.output), "work": str(folder / "parts")}
        paths["frames"] = [str(folder / name) for name in recipe.spec["frames"]]  # type: ignore[assignment]
        imagemagick.run_imagemagick(
            tool,
            recipe.child,
            {**recipe.spec, **paths},
            cwd=folder,
            on_frame=on_frame,
            idle_timeout_s=idle_timeout_s,
            control=control,
        )
    if recipe.encoder == "player":
        page.build(recipe.spec, folder / FRAMES, folder / recipe.output, on_frame, control)
    if not (folder / recipe.output).is_file() or not (folder / recipe.output).stat().st_size:
        raise EncoderFailed(f"{tool.name} wrote no movie although it exited with status 0", tool=tool)
    try:
        FORMATS[recipe.format].finish(folder / recipe.output, recipe)
    except container.InvalidFile as error:
        raise EncoderFailed(f"{tool.name} exited with status 0 but wrote: {error}", tool=tool) from None
