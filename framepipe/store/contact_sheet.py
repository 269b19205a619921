"""The contact sheet: a whole render in one picture."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framepipe.core import files, png
from framepipe.core.shape import Shape
from framepipe.core.summary import Summary, short_path
from framepipe.errors import IncompleteStore, UsageError
from framepipe.job.frames import format_range
from framepipe.store.store import Store

if TYPE_CHECKING:
    from PIL import Image

_GAP_PX, _BACKGROUND, _INK, _ABSENT = 4, (255, 255, 255), (0, 0, 0), (208, 208, 208)
_MIN_TILE_PX = 16
_MAX_FRAME_BYTES = 4 * png.MAX_PIXELS


@dataclass(frozen=True, repr=False)
class Sheet(Summary):
    """A written contact sheet.

    Attributes
    ----------
    path : Path
    numbers : tuple of int
        The frames on it, row by row.
    lacking : tuple of int
        Frames that are missing, broken or stale: grey on the sheet.
    columns, rows : int
    width_px, height_px : int
    """

    path: Path
    numbers: tuple[int, ...]
    lacking: tuple[int, ...]
    columns: int
    rows: int
    width_px: int
    height_px: int

    def summary(self) -> str:
        """See `Summary`."""
        text = (
            f"{short_path(self.path)}: {len(self.numbers)} frames, {self.columns} x {self.rows}, "
            f"{self.width_px}x{self.height_px} px"
        )
        return f"{text}; grey: {format_range(self.lacking)}" if self.lacking else text

    def to_dict(self) -> dict[str, Any]:
        """Convert for JSON."""
        return {**self.__dict__, "path": str(self.path)}


@dataclass(frozen=True)
class _Grid:
    """The layout of tiles: sizes in pixels, ``label_px`` is the height of the line of text below each."""

    columns: int
    rows: int
    tile: tuple[int, int]
    label_px: int

    @property
    def size(self) -> tuple[int, int]:
        width, height = self.tile
        return (
            self.columns * (width + _GAP_PX) + _GAP_PX,
            self.rows * (height + self.label_px + _GAP_PX) + _GAP_PX,
        )

    def corner(self, place: int) -> tuple[int, int]:
        row, column = divmod(place, self.columns)
        width, height = self.tile
        return _GAP_PX + column * (width + _GAP_PX), _GAP_PX + row * (height + self.label_px + _GAP_PX)


def sheet(
    store: Store | str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    every: int = 1,
    columns: int | None = None,
    labels: bool = True,
    max_px: int = 4000,
) -> Sheet:
    """Lay frames out in a grid, in the order of the movie.

    Parameters
    ----------
    store : Store or path-like
        It may be incomplete: an absent frame is a grey tile.
    output : path-like
        Any format that Pillow writes: ``.png``, ``.jpg``, ``.webp``, ``.tiff``, ``.pdf`` …
    every : int
        Show every N-th frame, from the first.
    columns : int, optional
        Default: so many that the sheet is about square.
    labels : bool
        Write each frame's number below it.
    max_px : int
        The longest side of the sheet, 64 to 30000; frames are reduced to fit it, never enlarged.

    Returns
    -------
    Sheet

    Raises
    ------
    UsageError
        Wrong arguments, a format that Pillow cannot write, or so many frames that a tile would be
        less than 16 px wide.
    IncompleteStore
        No frame can be shown at all.
    """
    path = Path(os.path.abspath(output))
    kind = _format_of(path)
    if every < 1 or (columns is not None and columns < 1) or not 64 <= max_px <= 30_000:
        raise UsageError(f"every {every}, columns {columns}: give 1 or more; max_px {max_px}: 64 to 30000")
    where = store if isinstance(store, Store) else Store(store)
    before = where.read_job()[0]
    status = where.scan(before.refreshed(where.file_digests()), before=before, keeps_states=False)
    if status.shape is None:
        raise IncompleteStore(f"{where.path} has no frame that can be shown", status=status)
    numbers = status.numbers[::every]
    grid = _grid(len(numbers), status.shape, columns, labels, max_px)
    done_numbers = set(status.done)
    picture = _compose(where, numbers, done_numbers, grid, status.background)
    _write(picture, path, kind)
    lacking = tuple(number for number in numbers if number not in done_numbers)
    return Sheet(path, numbers, lacking, grid.columns, grid.rows, *grid.size)


def _format_of(path: Path) -> str:
    from PIL import Image

    Image.init()
    formats: Mapping[str, str] = Image.registered_extensions()
    kind = formats.get(path.suffix.lower(), "")
    if kind not in Image.SAVE:
        raise UsageError(f"output {path.name!r}: Pillow writes no such format; give .png, .jpg, .webp …")
    if noun := files.kind_of(path):
        raise UsageError(f"output {path} is {noun}, not a file")
    if not path.parent.is_dir():
        raise UsageError(f"the folder of {path} does not exist")
    return kind


def _grid(count: int, shape: Shape, columns: int | None, labels: bool, max_px: int) -> _Grid:
    """Compute the grid whose tiles are as large as the longest side of the sheet allows."""
    if columns is None:
        columns = max(1, round(math.sqrt(count * shape.height / shape.width)))
    columns = min(columns, count)
    rows = -(-count // columns)
    width = min(shape.width, (max_px - _GAP_PX) // columns - _GAP_PX)
    while width >= _MIN_TILE_PX:
        tile = (width, max(1, round(width * shape.height / shape.width)))
        grid = _Grid(columns, rows, tile, _label_px(width) if labels else 0)
        if max(grid.size) <= max_px:
            return grid
        width -= 1 + width // 100
    raise UsageError(
        f"{count} frames in {columns} columns within {max_px} px would be under {_MIN_TILE_PX} px wide "
        "each: fewer with every, or a larger max_px"
    )


def _label_px(tile_width: int) -> int:
    return min(24, max(12, tile_width // 10))


def _compose(
    store: Store,
    numbers: Sequence[int],
    done_numbers: set[int],
    grid: _Grid,
    transparency_colour: tuple[int, int, int] | None,
) -> Image.Image:
    from PIL import Image, ImageDraw, ImageFont

    sheet = Image.new("RGB", grid.size, _BACKGROUND)
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=grid.label_px * 0.8) if grid.label_px else None
    background = transparency_colour or _BACKGROUND
    for place, number in enumerate(numbers):
        x, y = grid.corner(place)
        if number in done_numbers:
            sheet.paste(_tile(store, number, grid.tile, background), (x, y))
        else:
            pen.rectangle((x, y, x + grid.tile[0] - 1, y + grid.tile[1] - 1), fill=_ABSENT)
        if font is not None:
            middle = (x + grid.tile[0] / 2, y + grid.tile[1] + grid.label_px / 2)
            pen.text(middle, str(number), fill=_INK, font=font, anchor="mm")
    return sheet


def _tile(store: Store, number: int, size: tuple[int, int], background: tuple[int, ...]) -> Image.Image:
    from PIL import Image

    path = store.frame_path(number)
    try:
        with Image.open(io.BytesIO(files.read_file(path, _MAX_FRAME_BYTES)), formats=("PNG",)) as frame:
            frame.load()
            picture: Image.Image = frame.convert("RGBA") if frame.mode == "RGBA" else frame.convert("RGB")
    except (OSError, SyntaxError, ValueError) as error:
        damage = getattr(png.inspect(path, deep=True), "damage", "") or str(error)
        raise IncompleteStore(f"frame {number} of {store.path} {damage}: draw it again") from None
    if picture.mode == "RGBA":
        backdrop = Image.new("RGBA", picture.size, (*background[:3], 255))
        picture = Image.alpha_composite(backdrop, picture).convert("RGB")
    return picture.resize(size, Image.Resampling.LANCZOS)  # returns itself at that size


def _write(picture: Image.Image, path: Path, kind: str) -> None:
    data = io.BytesIO()
    options: dict[str, Any] = {"quality": 90} if kind in ("JPEG", "WEBP") else {}
    try:
        picture.save(data, kind, **options)
        files.write_atomic(path, data.getvalue())
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(
            f"{path.name} cannot be written: {getattr(error, 'strerror', None) or error}"
        ) from None
