"""The recipe of the HTML player. No program builds it; see `framepipe.formats.html.page`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from framepipe.core.labels import NUMBER, VALUE, Labels
from framepipe.errors import UsageError
from framepipe.formats.recipe import MovieSpec, Recipe
from framepipe.job.frames import file_name
from framepipe.options import EncodeOptions

_MAX_SIDE_PX = 16383  # WebP's header has 14 bits for a side


def by_framepipe(spec: MovieSpec) -> Recipe:
    """Return the recipe of a page with all pictures embedded, or in a folder next to it.

    Raises
    ------
    UsageError
        The pictures are too large for WebP, or ImageMagick is requested.
    """
    timeline, shape, options = spec.timeline, spec.shape, spec.encode
    if options.encoder == "imagemagick":
        raise UsageError("ImageMagick builds no html, framepipe does: leave --encoder out")
    if max(shape.width, shape.height) > _MAX_SIDE_PX:
        raise UsageError(
            f"frames of {shape.width}x{shape.height} px: html holds {_MAX_SIDE_PX} px a side; "
            "use a smaller dpi, or mp4"
        )
    facts = {
        "frames": [file_name(number) for number in timeline.numbers],
        "numbers": list(timeline.numbers),
        "ends_s": timeline.ends_s,
        "plays": timeline.loop,
        "labels": texts(options.labels, len(timeline.numbers)),
        "width": shape.width,
        "height": shape.height,
        "ground": "#{:02x}{:02x}{:02x}".format(*spec.background),
        "lossless": options.quality != "draft",
        "metadata": dict(options.metadata),
        "limit_mb": options.player_limit_mb,
        "assets": options.html_assets,
    }
    return Recipe("html", "player", {}, (), facts, "movie.html", len(timeline.numbers))


def texts(labels: Labels, count: int) -> list[str] | None:
    """Return a label for each frame of the timeline; None if it is the frame's number."""
    if isinstance(labels, str):
        return None
    # tools are probed with a recipe of one or two frames, which have no labels
    return list(labels) if len(labels) == count else [""] * count


def resolve_labels(
    options: EncodeOptions,
    planned: Sequence[int],
    numbers: Sequence[int],
    title: str,
    *,
    values_are_numbers: bool,
) -> EncodeOptions:
    """Return the options with labels for the shown frames instead of the planned ones.

    Parameters
    ----------
    options : EncodeOptions
    planned : sequence of int
        Frame numbers of the texts in ``options.labels``, in its order.
    numbers : sequence of int
        Frame numbers of the timeline.
    title : str
        Title of the page, if ``options.metadata`` has none.
    values_are_numbers : bool
        The frames were drawn from their numbers.

    Raises
    ------
    UsageError
        The number of labels differs from that of the frames, or no labels are known.
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
    return replace(options, metadata=metadata, labels=tuple(by_number[number] for number in numbers))
