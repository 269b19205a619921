"""A page with all frames and a player, which framepipe writes itself."""

from __future__ import annotations

import base64
import html as markup
from collections.abc import Iterator, Sequence
from pathlib import Path

from framepipe.core.control import Control
from framepipe.core.process import Tool
from framepipe.core.shape import Shape
from framepipe.formats.base import Format, Inline, refuse_optimize
from framepipe.formats.html import assets
from framepipe.formats.html import checks as player
from framepipe.formats.html import recipe as html
from framepipe.formats.notebook import framed, link
from framepipe.formats.recipe import MovieSpec, Recipe
from framepipe.options import EncodeOptions
from framepipe.timeline import Timeline
from framepipe.verification import Check, Expected, Grain, Tolerance


class Page(Format):
    """HTML with its pictures in WebP, embedded or in a folder; lossless except for drafts."""

    suffix, mime = "html", "text/html"
    halves_chroma = True
    names_itself = True  # its folder of pictures is named after it

    def check_times(self, timeline: Timeline) -> None:
        """See `Format`: all times are supported."""

    def resolve_labels(
        self,
        encode: EncodeOptions,
        planned: Sequence[int],
        numbers: Sequence[int],
        title: str,
        *,
        values_are_numbers: bool,
    ) -> EncodeOptions:
        """See `Format`: labels and a title."""
        return html.resolve_labels(encode, planned, numbers, title, values_are_numbers=values_are_numbers)

    def recipe(self, spec: MovieSpec) -> Recipe:
        """See `Format`."""
        refuse_optimize(spec.encode, self.suffix)
        return html.by_framepipe(spec)

    def lossless(self, encode: EncodeOptions, shape: Shape) -> bool:
        """See `Format`."""
        return encode.quality != "draft"

    def tolerance(self, encode: EncodeOptions, shape: Shape) -> Tolerance:
        """See `Format`. Measured in drafts: 27 dB (coloured noise), patches off by at most 4."""
        return Tolerance(floor_db=22.0, patch_limit=10.0, closer_off=10.0 / 8, grain=Grain(10_000.0))

    def checks(
        self, movie: Path, expected: Expected, tool: Tool | None, control: Control, work: Path | None
    ) -> Iterator[Check]:
        """See `Format`."""
        return player.checks(movie, expected, control)

    def publish(self, movie: Path, output: Path) -> None:
        """See `Format`: the folder of pictures is published first; the old one is removed last."""
        assets.publish(movie, output)

    def set_aside(self, movie: Path, rejected: Path) -> None:
        """See `Format`: its folder is moved too, unless that name is taken."""
        assets.set_aside(movie, rejected)

    def forget(self, work: Path) -> None:
        """See `Format`: folders of pictures."""
        assets.forget(work)

    def size_bytes(self, movie: Path) -> int:
        """See `Format`: its pictures too."""
        return assets.size_bytes(movie)

    def is_whole(self, movie: Path) -> bool:
        """See `Format`: all pictures are present, byte for byte."""
        return assets.is_whole(movie)

    def in_cell(self, movie: Inline) -> str:
        """See `Format`; a page with a folder is linked, since a cell cannot hold it."""
        if folder := assets.folder_of(movie.path):
            return link(movie.path, f"opens in a browser, with its pictures in {markup.escape(folder.name)}")
        return framed(base64.b64decode(movie.data), movie.path.name, movie.width, movie.height)
