"""Movies of several stores side by side, by time: `grid`."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from framepipe.core import files, png
from framepipe.core.control import ProgressCallback, Stop
from framepipe.core.files import PathLike
from framepipe.errors import IncompleteStore, UsageError
from framepipe.job.record import JobRecord
from framepipe.movie.plan import open_store, scan_store
from framepipe.options import DEFAULT_FPS, EncodeKeywords, EncodeOptions, takes
from framepipe.pipeline.make import make
from framepipe.pipeline.report import MakeReport
from framepipe.store.store import Store
from framepipe.timeline import Timing, TimingKeywords, parse_fps

if TYPE_CHECKING:
    from PIL import Image
    from typing_extensions import Unpack

_MAX_FRAME_BYTES = 4 * png.MAX_PIXELS
_INK = (0, 0, 0)


@dataclass(frozen=True)
class _Film:
    """The frames of one store in time.

    Attributes
    ----------
    paths, fingerprints : tuple of str
        Of each frame, in the order of the movie.
    fps : Fraction
    width, height : int
    background : tuple of int
        What transparent frames are shown over.
    title : str
    """

    paths: tuple[str, ...]
    fingerprints: tuple[str, ...]
    fps: Fraction
    width: int
    height: int
    background: tuple[int, int, int]
    title: str

    @property
    def duration_s(self) -> Fraction:
        return len(self.paths) / self.fps

    def at(self, time_s: Fraction) -> int:
        """Return the position of the frame that shows at a time; the last one is held."""
        return min(math.floor(time_s * self.fps), len(self.paths) - 1)


@dataclass(frozen=True)
class _Cell:
    """Where a film is shown: the middle of its title and the corner of its frames, in pixels."""

    corner: tuple[int, int]
    title_at: tuple[float, float]
    title: str
    background: tuple[int, int, int]


@dataclass(frozen=True)
class Composition:
    """Draws one frame of a grid from one frame of each film; called with their paths and fingerprints."""

    size: tuple[int, int]
    cells: tuple[_Cell, ...]
    title_px: int
    ground: tuple[int, int, int]

    def __call__(self, sources: Sequence[tuple[str, str]]) -> Any:
        """Return the pixels, uint8, shape (height, width, 3)."""
        from PIL import Image, ImageDraw, ImageFont

        picture = Image.new("RGB", self.size, self.ground)
        pen = ImageDraw.Draw(picture)
        font = ImageFont.load_default(size=self.title_px * 0.7) if self.title_px else None
        for cell, (path, _) in zip(self.cells, sources):
            picture.paste(_opaque(Path(path), cell.background), cell.corner)
            if font is not None:
                pen.text(cell.title_at, cell.title, fill=_INK, font=font, anchor="mm")
        return np.asarray(picture)


@takes(Timing, EncodeOptions)
def grid(
    stores: Sequence[Store | PathLike],
    output: PathLike | Sequence[PathLike],
    *,
    columns: int | None = None,
    titles: str | Sequence[str] | None = None,
    gap_px: int = 8,
    store: PathLike | None = None,
    workers: int | None = None,
    keep_frames: bool = False,
    progress: bool | ProgressCallback | None = None,
    stop: Stop | None = None,
    **options: Unpack[GridKeywords],
) -> MakeReport:
    """Make a movie of several stores side by side, by time, straight from their frames.

    Each store plays at the rate of its own movie; one that ends before the others holds its last frame.
    Frames are shown as they are, in cells as large as the largest.

    Parameters
    ----------
    stores : sequence of Store or path-like
        Row by row. All their frames must be there.
    output : path-like or sequence of path-like
    columns : int, optional
        Default: so many that the grid is about square.
    titles : str or sequence of str, optional
        A title for each, above it; or a template of one, in which ``{amplitude}`` is a parameter of the
        store's job and ``{store}`` the name of its folder.
    gap_px : int
        Pixels between cells and around them.
    store : path-like, optional
        Folder of the grid's frames. Default: ``frames/<output>-grid``.
    workers, keep_frames, progress, stop
        See `make`.
    **options
        ``fps`` is the rate of the grid. Default: the highest of the stores.

    Returns
    -------
    MakeReport

    Raises
    ------
    IncompleteStore
        Frames of a store are missing, broken or stale.
    UsageError
    """
    if not stores:
        raise UsageError("a grid needs a store, or several")
    if gap_px < 0 or (columns is not None and columns < 1):
        raise UsageError(f"columns {columns}, gap_px {gap_px}: give columns of 1 or more, a gap of 0 or more")
    if titles is not None and not isinstance(titles, str) and len(titles) != len(stores):
        raise UsageError(f"{len(titles)} titles for {len(stores)} stores: give one for each, or a template")
    films = [_film(open_store(each), at, titles) for at, each in enumerate(stores)]
    outputs = [output] if isinstance(output, (str, os.PathLike)) else list(output)
    requested = options.get("fps")
    fps = max(film.fps for film in films) if requested is None else parse_fps(requested)
    count = math.ceil(max(film.duration_s for film in films) * fps)
    values = [
        tuple(
            (film.paths[at], film.fingerprints[at]) for film in films for at in [film.at(Fraction(k) / fps)]
        )
        for k in range(count)
    ]
    options["fps"] = fps
    name = Path(outputs[0]).stem if outputs else "grid"
    return make(
        _composition(films, columns, gap_px),
        values,
        outputs,
        store=Path("frames", f"{name}-grid") if store is None else store,
        keep_frames=keep_frames,
        progress=progress,
        stop=stop,
        order="free",
        workers=workers,
        **options,
    )


class GridKeywords(TimingKeywords, EncodeKeywords, total=False):
    """The options of `grid`."""


def _film(store: Store, position: int, titles: str | Sequence[str] | None) -> _Film:
    """Return a store's frames in time.

    Raises
    ------
    IncompleteStore, UsageError
    """
    record, status = scan_store(store)
    undone = len(status.numbers) - len(status.done)
    if undone or status.shape is None:
        problems = "\n  ".join(status.problems()) or "it has no frame"
        raise IncompleteStore(
            f"{store.path}: {undone} of {len(status.numbers)} frames cannot be shown\n  {problems}\n"
            f"Draw them: framepipe resume {store.path}",
            status=status,
        )
    title = titles if titles is None or isinstance(titles, str) else titles[position]
    if isinstance(titles, str):
        title = _filled(titles, record, store)
    return _Film(
        tuple(str(store.frame_path(number)) for number in status.numbers),
        tuple(status.frame_states[number].fingerprint for number in status.numbers),
        _fps_of(store, record),
        status.shape.width,
        status.shape.height,
        status.background or (255, 255, 255),
        title or "",
    )


def _filled(template: str, record: JobRecord, store: Store) -> str:
    words = {"store": store.path.name, **(record.params or {})}
    for name, value in words.items():
        template = template.replace(f"{{{name}}}", str(value))
    return template


def _fps_of(store: Store, record: JobRecord) -> Fraction:
    """Return the rate of a store's last movie, of the one that it is to be, or of its scene."""
    movies = [each.get("fps") for each in store.read_movies().values() if isinstance(each, dict)]
    goal = record.goal.get("timing", {}).get("fps") if isinstance(record.goal, dict) else None
    for fps in (*reversed(movies), goal, record.fps):
        try:
            return parse_fps(fps)
        except UsageError:
            continue
    return Fraction(DEFAULT_FPS)


def _composition(films: Sequence[_Film], columns: int | None, gap_px: int) -> Composition:
    """Lay the films out."""
    width, height = max(film.width for film in films), max(film.height for film in films)
    columns = min(columns or max(1, round(math.sqrt(len(films) * height / width))), len(films))
    title_px = max(16, height // 14) if any(film.title for film in films) else 0
    cells = []
    for at, film in enumerate(films):
        row, column = divmod(at, columns)
        left = gap_px + column * (width + gap_px)
        top = gap_px + row * (height + title_px + gap_px)
        corner = (left + (width - film.width) // 2, top + title_px + (height - film.height) // 2)
        cells.append(_Cell(corner, (left + width / 2, top + title_px / 2), film.title, film.background))
    rows = -(-len(films) // columns)
    size = (gap_px + columns * (width + gap_px), gap_px + rows * (height + title_px + gap_px))
    return Composition(size, tuple(cells), title_px, (255, 255, 255))


def _opaque(path: Path, background: tuple[int, int, int]) -> Image.Image:
    """Read a frame, over a background if it is transparent."""
    from PIL import Image

    with Image.open(io.BytesIO(files.read_file(path, _MAX_FRAME_BYTES)), formats=("PNG",)) as frame:
        frame.load()
        if frame.mode != "RGBA":
            opaque: Image.Image = frame.convert("RGB")
            return opaque
        ground = Image.new("RGBA", frame.size, (*background, 255))
        picture: Image.Image = Image.alpha_composite(ground, frame).convert("RGB")
        return picture
