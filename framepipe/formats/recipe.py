"""The parts of all recipes: what a movie is to be, and the files and commands that build it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from framepipe.core.shape import Shape
from framepipe.encoders.ffmpeg import GLOBAL_ARGS, PROGRESS_ARGS
from framepipe.options import EncodeOptions
from framepipe.timeline import Timeline

PALETTE_LIST, PALETTE = "palette.ffconcat", "palette.png"
Colour = tuple[int, int, int]
WHITE: Colour = (255, 255, 255)


@dataclass(frozen=True)
class Palette:
    """The colours of a GIF, if they are given or few.

    Attributes
    ----------
    colours : tuple of tuple of int
        1 to 256 of red, green and blue, 0 to 255.
    exact : bool
        No frame has any other colour.
    """

    colours: tuple[tuple[int, int, int], ...]
    exact: bool


@dataclass(frozen=True)
class MovieSpec:
    """The specification of a movie: all that its recipe depends on.

    Attributes
    ----------
    timeline : Timeline
    shape : Shape
        The shape of the frames.
    encode : EncodeOptions
    background : tuple of int
        Red, green and blue, 0 to 255, under transparent pixels if the format cannot hold these.
    palette : Palette or None
        The colours, if the format has a palette and they are given or few.
    jobs : int
        Encoders to run at once, if that helps.
    """

    timeline: Timeline
    shape: Shape
    encode: EncodeOptions = field(default_factory=EncodeOptions)
    background: Colour = WHITE
    palette: Palette | None = None
    jobs: int = 1


@dataclass(frozen=True)
class Step:
    """One ffmpeg command.

    Attributes
    ----------
    args : tuple of str
        All arguments after the program.
    frames : int or None
        Frames that it must write, None where it does not count them.
    reports_progress : bool
        Its progress is the movie's.
    filmed : tuple of str
        All arguments of the same command if it is to film its sources too; see
        `framepipe.formats.video.film`. Empty if it cannot.
    """

    args: tuple[str, ...]
    frames: int | None
    reports_progress: bool
    filmed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Segment:
    """A run of a movie's frames that is encoded separately.

    Attributes
    ----------
    numbers : tuple of int
        Frame numbers in the order in which they are shown, repeated frames repeatedly.
    step : Step
        The command that reads its list and writes its output.
    output : str
        Name in the work folder.
    """

    numbers: tuple[int, ...]
    step: Step
    output: str


@dataclass(frozen=True)
class Recipe:
    """The files and commands that build one movie.

    Attributes
    ----------
    format : str
        See `framepipe.formats.FORMATS`.
    encoder : {"ffmpeg", "imagemagick", "player"}
    lists : mapping of str to str or bytes
        Files to write into the work folder, by name.
    steps : tuple of Step
        ffmpeg's commands; with segments, those before them.
    child : str
        With ImageMagick: the module that builds the movie in a process of its own.
    spec : dict
        Input of that process, of the player, or of `Format.finish`; names relative to the work folder.
    output : str
        Name of the movie in the work folder.
    frames : int
        Frames of the finished movie.
    segments : tuple of Segment
        Two or more segments, encoded in parallel and joined; or none.
    join : Step or None
        Joins the segments. None for GIF: see `framepipe.formats.gif.container.splice`.
    cache_segments : bool
        Segments are worth keeping in the store.
    counts_plays : bool
        Some versions of ffmpeg ignore a number of plays: the tool is probed with one.
    """

    format: str
    encoder: str
    lists: Mapping[str, str | bytes]
    steps: tuple[Step, ...]
    spec: dict[str, Any]
    output: str
    frames: int
    segments: tuple[Segment, ...] = ()
    join: Step | None = None
    cache_segments: bool = False
    counts_plays: bool = False
    child: str = ""


def args_of(output: Any) -> tuple[str, ...]:
    """Return all arguments, global options first: ffmpeg may ignore those after the output."""
    return (*GLOBAL_ARGS, *PROGRESS_ARGS, *output.get_args())


def spread(names: Sequence[str], max_count: int) -> list[str]:
    """Select at most ``max_count`` names, evenly spread, with the first and the last."""
    if len(names) <= max_count:
        return list(names)
    return [names[round(index * (len(names) - 1) / (max_count - 1))] for index in range(max_count)]


def cuts(count: int, length: int) -> list[range]:
    """Cut into runs of ``length``, the last one shorter: if a movie grows, all but the last are unchanged."""
    return [range(start, min(start + length, count)) for start in range(0, count, length)]
