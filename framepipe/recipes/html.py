"""The HTML player: what goes into the page. No program builds it; see `framepipe.encoders.player`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate

from framepipe.errors import UsageError
from framepipe.frames import file_name
from framepipe.recipes.common import Recipe
from framepipe.recipes.labels import NUMBER, VALUE, Labels
from framepipe.recipes.options import Options
from framepipe.store import Shape
from framepipe.timeline import Timeline

_LONGEST_SIDE_PX = 16383  # of WebP: its header has 14 bits for a side


def by_framepipe(timeline: Timeline, shape: Shape, ground: tuple[int, int, int], options: Options) -> Recipe:
    """One page with all pictures in it, or beside it.

    Raises
    ------
    UsageError
        The pictures are too large for WebP, or asked of ImageMagick.
    """
    if options.encoder == "imagemagick":
        raise UsageError("ImageMagick builds no html, framepipe does: leave --encoder out")
    if max(shape.width, shape.height) > _LONGEST_SIDE_PX:
        raise UsageError(
            f"frames of {shape.width}x{shape.height} px: html holds {_LONGEST_SIDE_PX} px a side; "
            "use a smaller dpi, or mp4"
        )
    spec = {
        "frames": [file_name(number) for number in timeline.numbers],
        "numbers": list(timeline.numbers),
        "ends_s": ends_s(timeline),
        "plays": timeline.loop,
        "labels": texts(options.labels, len(timeline.numbers)),
        "width": shape.width,
        "height": shape.height,
        "ground": "#{:02x}{:02x}{:02x}".format(*ground),
        "lossless": options.quality != "draft",
        "metadata": dict(options.metadata),
        "limit_mb": options.player_limit_mb,
        "assets": options.html_assets,
    }
    return Recipe("html", "player", {}, (), spec, "movie.html", len(timeline.numbers))


def ends_s(timeline: Timeline) -> list[float]:
    """When each frame ends: exact sums of durations, each rounded once, so that no error adds up."""
    return [float(end) for end in accumulate(timeline.durations_s)]


def texts(labels: Labels, count: int) -> list[str] | None:
    """A label for each frame of the timeline; None where it is its number."""
    if isinstance(labels, str):
        return None
    # to try the tools, a recipe is made for a frame or two that nobody has given labels for
    return list(labels) if len(labels) == count else [""] * count


def settle(
    options: Options, planned: Sequence[int], shown: Sequence[int], title: str, *, values_are_numbers: bool
) -> Options:
    """The same options, said of the frames that are shown and not of those that were planned.

    Parameters
    ----------
    options : Options
    planned : sequence of int
        Frame numbers that ``options.labels`` has a text for, in its order.
    shown : sequence of int
        Frame numbers of the timeline.
    title : str
        Of the page, if ``options.metadata`` has none.
    values_are_numbers : bool
        The frames were drawn from their numbers.

    Raises
    ------
    UsageError
        There are not as many labels as frames, or none are known.
    """
    labels, metadata = options.labels, {"title": title, **options.metadata}
    if labels == VALUE and not values_are_numbers:
        raise UsageError(
            "labels 'value': the store keeps no values. Give a list, or a file of a line a frame; "
            "or build the .html with make"
        )
    if isinstance(labels, str):
        return replace(options, metadata=metadata, labels=NUMBER)
    if len(labels) != len(planned):
        raise UsageError(f"labels: {len(labels)} texts for {len(planned)} frames; give one a frame")
    by_number = dict(zip(planned, labels))
    return replace(options, metadata=metadata, labels=tuple(by_number[number] for number in shown))
