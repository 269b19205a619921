"""The base class of formats: one object that knows all that is special about a format."""

from __future__ import annotations

import html
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from framepipe.core import files
from framepipe.core.control import Control
from framepipe.core.process import Tool
from framepipe.core.shape import Shape
from framepipe.errors import UsageError
from framepipe.formats.notebook import link
from framepipe.formats.recipe import Colour, MovieSpec, Palette, Recipe
from framepipe.options import EncodeOptions
from framepipe.timeline import Timeline
from framepipe.verification import Check, Expected, Tolerance
from framepipe.verification.evidence import SegmentEvidence
from framepipe.verification.likeness import Planes, colours_and_alpha, colours_where_seen, halved

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class Inline:
    """A movie to be shown in a notebook's cell.

    Attributes
    ----------
    path : Path
    data : str
        Its bytes in Base64.
    width : int
        In pixels.
    """

    path: Path
    data: str
    width: int
    height: int

    @property
    def name(self) -> str:
        """The file's name, as HTML."""
        return html.escape(self.path.name)


class Format(ABC):
    """All that is special about one format; this class has the defaults.

    A new format is a subclass, and an entry of `framepipe.formats.FORMATS`: `make`, `assemble`, `verify`, the
    command line and `doctor` then support it.

    Attributes
    ----------
    suffix : str
        The suffix of its files, without the dot; also its name.
    mime : str or None
        The media type by which browsers show it; None if they do not.
    keeps_alpha : bool
        Transparent pixels stay transparent, at least as one bit.
    is_video : bool
        It has a codec, and a constant rate in frames per second.
    names_itself : bool
        The movie refers to its own file name.
    has_segments : bool
        Long movies are encoded in segments, which several tasks can share.
    halves_chroma : bool
        Drafts have chroma at half the resolution (4:2:0), whose inherent loss is no error.
    """

    suffix: str
    mime: str | None = None
    keeps_alpha: bool = True
    is_video: ClassVar[bool] = False
    names_itself: ClassVar[bool] = False
    has_segments: ClassVar[bool] = False
    halves_chroma: ClassVar[bool] = False

    # before anything is drawn

    def check(self, encode: EncodeOptions) -> None:  # noqa: B027
        """Refuse options that it does not support, or that would fail later.

        Raises
        ------
        UsageError
        """

    @abstractmethod
    def check_times(self, timeline: Timeline) -> None:
        """Refuse times that it cannot hold.

        Raises
        ------
        UsageError
        """

    # the recipe

    def resolve_labels(
        self,
        encode: EncodeOptions,
        planned: Sequence[int],
        numbers: Sequence[int],
        title: str,
        *,
        values_are_numbers: bool,
    ) -> EncodeOptions:
        """Return the options for the shown frames; see `framepipe.formats.html.recipe.resolve_labels`."""
        return encode

    def palette(self, encode: EncodeOptions, sources: Sequence[Path], shape: Shape) -> Palette | None:
        """Return the colours of the movie, if it has a palette and they are given or few."""
        return None

    @abstractmethod
    def recipe(self, spec: MovieSpec) -> Recipe:
        """Return the recipe of a movie.

        Raises
        ------
        UsageError
            It does not support what is requested.
        """

    def segment_frames(self, timeline: Timeline) -> list[tuple[int, ...]]:
        """Return the frames that each segment is encoded from; none if the movie is encoded in one go."""
        return []

    def needs_all_frames(self, encode: EncodeOptions) -> bool:
        """True if frames of other segments decide how a segment is encoded too."""
        return False

    def notes(self, timeline: Timeline, shape: Shape, encode: EncodeOptions) -> list[str]:
        """Return notes for the user on what the format does to the movie."""
        return []

    def finish(self, movie: Path, recipe: Recipe) -> None:  # noqa: B027
        """Complete what the encoder leaves undone.

        Raises
        ------
        InvalidFile
            The movie is not a valid file of this format.
        """

    def rate(self, timeline: Timeline) -> Fraction | None:
        """Return the frames per second, if constant."""
        return None

    # verification

    @abstractmethod
    def lossless(self, encode: EncodeOptions, shape: Shape) -> bool:
        """True if every pixel must be as drawn."""

    @abstractmethod
    def tolerance(self, encode: EncodeOptions, shape: Shape) -> Tolerance:
        """Return the tolerance for the pictures of a right movie."""

    def size(self, encode: EncodeOptions, shape: Shape) -> tuple[int, int]:
        """Return width and height of the movie in pixels."""
        return (shape.width, shape.height)

    def duration_s(self, timeline: Timeline) -> Fraction:
        """Return the seconds of one play, as the file stores them."""
        return timeline.duration_s

    def to_planes(self, image: Image, background: Colour, *, lossless: bool) -> Planes:
        """Convert an image to planes as this format shows it."""
        if lossless:
            return colours_where_seen(image, background)
        planes = colours_and_alpha(image, background)
        return halved(planes) if self.halves_chroma else planes

    def expected(
        self,
        timeline: Timeline,
        sources: Sequence[Path],
        shape: Shape,
        background: Colour,
        encode: EncodeOptions,
        exact: bool = False,
    ) -> Expected:
        """Return the properties that a movie should have; ``exact`` if its palette holds all colours."""
        lossless = exact or self.lossless(encode, shape)
        return Expected(
            self.suffix,
            timeline,
            sources,
            shape,
            background,
            encode,
            exact,
            lossless,
            self.size(encode, shape),
            self.duration_s(timeline),
            self.tolerance(encode, shape),
            lambda image: self.to_planes(image, background, lossless=lossless),
        )

    @abstractmethod
    def checks(
        self, movie: Path, expected: Expected, tool: Tool | None, control: Control, work: Path | None
    ) -> Iterator[Check]:
        """Yield the checks of a file; see `framepipe.formats.measure`."""

    @property
    def checks_segments(self) -> bool:
        """True if segments can be verified one by one, by `evidence` and `joined_checks`."""
        return False

    def evidence(
        self, movie: Path, expected: Expected, tool: Tool, control: Control, work: Path
    ) -> tuple[list[Check], SegmentEvidence | None]:
        """Return the checks of a segment, and what is to be known of it when it is joined."""
        raise NotImplementedError

    def joined_checks(
        self,
        movie: Path,
        expected: Expected,
        segments: Sequence[SegmentEvidence],
        tool: Tool,
        control: Control,
        work: Path,
    ) -> Iterator[Check]:
        """Yield the checks of a movie joined from segments that passed verification."""
        raise NotImplementedError

    # the finished file

    def publish(self, movie: Path, output: Path) -> None:
        """Move a movie from a work folder to its name, whole or not at all.

        Raises
        ------
        OSError
            The file system's error; an earlier movie of that name is unchanged.
        """
        files.publish(movie, output)

    def set_aside(self, movie: Path, rejected: Path) -> None:
        """Keep a movie that failed verification under another name."""
        os.replace(movie, rejected)

    def forget(self, work: Path) -> None:  # noqa: B027
        """Delete what a killed build left outside of its work folder ``work``."""

    def size_bytes(self, movie: Path) -> int:
        """Return the size of all files of a movie."""
        return movie.stat().st_size

    def is_whole(self, movie: Path) -> bool:
        """True if all files of a movie besides the file itself are present."""
        return True

    # notebooks

    def in_cell(self, movie: Inline) -> str:
        """Return HTML for a notebook's cell."""
        return link(movie.path, "browsers do not play this format")


def refuse_optimize(encode: EncodeOptions, suffix: str) -> None:
    """Refuse to optimise other formats than GIF with gifsicle.

    Raises
    ------
    UsageError
    """
    if encode.optimize:
        raise UsageError(f"optimize is for GIF, not {suffix}: leave --optimize out")


def refuse_imagemagick(encode: EncodeOptions, suffix: str) -> None:
    """Refuse to build other formats than GIF with ImageMagick.

    Its ``apng:`` calls ffmpeg, which made 30 frames of 10; its ``webp:`` plays for ever instead of 3 times.

    Raises
    ------
    UsageError
    """
    if encode.encoder == "imagemagick":
        raise UsageError(f"ImageMagick builds no {suffix}: use --encoder ffmpeg, or gif")
