"""Small pictures, in which pictures are compared: their planes with each cell of 2x2 samples as its mean.

They have a quarter of the data, and still show a pale digit of 6 pt. Errors are summed in blocks of 16x16
samples and in patches of 8x8.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from framepipe.core.images import PATCH_PX, PERFECT_DB, Pixels

if TYPE_CHECKING:
    from PIL.Image import Image

CELL_PX, BLOCK_PX = 2, 16
SIDE = BLOCK_PX // CELL_PX
SAMPLES = CELL_PX**2  # of each cell
_PATCH = PATCH_PX // CELL_PX
#: Planes of uint8, of shape (height, width) or (height, width, colours).
Cells = Sequence[npt.NDArray[np.uint8]]
Blocks = npt.NDArray[np.float32]  # a row per block, of 8x8 means
Indices = npt.NDArray[np.intp]


def cells_of(picture: Sequence[Image]) -> list[npt.NDArray[np.uint8]]:
    """Return the means of 2x2 samples of each plane."""
    return [np.asarray(plane.reduce(CELL_PX)) for plane in picture]


def cut(cells: Cells) -> Blocks:
    """Cut a picture into the blocks of each plane and colour; padded with 0 at the right and lower edges."""
    planes = [_whole(plane) for plane in cells]
    blocks = np.empty((sum(plane.size for plane in planes) // SIDE**2, SIDE**2), np.float32)
    at = 0
    for plane in planes:
        rows, columns, bands = plane.shape[0] // SIDE, plane.shape[1] // SIDE, plane.shape[2]
        end = at + rows * columns * bands
        into = blocks[at:end].reshape(bands, rows, columns, SIDE, SIDE)
        into[...] = plane.reshape(rows, SIDE, columns, SIDE, bands).transpose(4, 0, 2, 1, 3)
        at = end
    return blocks


def cut_at(cells: Cells, at: Indices) -> Blocks:
    """Return some of the blocks that `cut` returns."""
    blocks = np.empty((len(at), SIDE**2), np.float32)
    start = 0
    for plane in map(_whole, cells):
        rows, columns, bands = plane.shape[0] // SIDE, plane.shape[1] // SIDE, plane.shape[2]
        here = np.flatnonzero((start <= at) & (at < start + rows * columns * bands))
        band, place = np.divmod(at[here] - start, rows * columns)
        row, column = np.divmod(place, columns)
        grid = plane.reshape(rows, SIDE, columns, SIDE, bands)
        blocks[here] = grid[row, :, column, :, band].reshape(-1, SIDE**2)
        start += rows * columns * bands
    return blocks


def places(cells: Cells) -> Indices:
    """Return the area of 32x32 px of each block; a plane may have half the resolution."""
    shapes = [
        (plane.shape[0] // SIDE, plane.shape[1] // SIDE, plane.shape[2]) for plane in map(_whole, cells)
    ]
    across, parts = shapes[0][1], []
    for rows, columns, bands in shapes:
        coarse = max(1, round(shapes[0][0] / rows))
        row, column = (np.arange(count) * coarse // 2 for count in (rows, columns))
        parts += [(row[:, None] * across + column).ravel()] * bands
    return np.concatenate(parts)


def differences(one: Cells, other: Cells) -> list[Pixels]:
    """Return the differences of each plane: int16, of shape (height, width, colours), whole blocks."""
    pairs = zip(map(_whole, one), map(_whole, other))
    return [np.subtract(a, b, dtype=np.int16) for a, b in pairs]


def block_errors(differences: Sequence[Pixels]) -> Pixels:
    """Return the error of each block, in the order of `cut`: a sum of squares, of samples."""
    errors = []
    for plane in differences:
        height, width, bands = plane.shape
        squares = plane.astype(np.float32)
        squares *= squares
        rows = squares.reshape(height // SIDE, SIDE, width * bands).sum(1)
        sums = rows.reshape(-1, SIDE * bands) @ _every(bands, SIDE)
        errors.append(sums.reshape(-1, bands).T.ravel())
    return SAMPLES * np.concatenate(errors)


def patch_sums(planes: Sequence[Pixels]) -> list[Pixels]:
    """Return the sum of the cells of each 8x8 patch, of whole planes or of `differences`: int16."""
    sums = []
    for plane in map(_whole, planes):
        height, width, bands = plane.shape
        rows = plane.reshape(height // _PATCH, _PATCH, width * bands).sum(1, dtype=np.int16)
        across = rows.reshape(height // _PATCH, width // _PATCH, _PATCH, bands)
        sums.append(across[:, :, 0] + across[:, :, 1] + across[:, :, 2] + across[:, :, 3])
    return sums


def worst_patch(one: Sequence[Pixels], other: Sequence[Pixels]) -> float:
    """Return the greatest difference of the means of a patch, 0 to 255, by their sums."""
    return max(float(np.abs(a - b).max()) for a, b in zip(one, other)) / _PATCH**2


def psnr(squares: float, samples: int) -> float:
    """Return the PSNR in dB of a sum of squared differences; 99 if it is 0."""
    if not squares:
        return PERFECT_DB
    return float(min(PERFECT_DB - 0.1, 10 * np.log10(255**2 * samples / squares)))


def squares(one: Cells, other: Cells) -> float:
    """Return the sum of the squared differences of two pictures' cells."""
    total = 0.0
    for a, b in zip(one, other):
        difference = np.subtract(a, b, dtype=np.int16).ravel()
        if difference.any():
            plane = difference.astype(np.float32)
            total += float(np.vdot(plane, plane))
    return total


def box_of(block: int, width: int, height: int) -> tuple[slice, slice]:
    """Return the rows and columns of a block of a picture in one plane of several colours."""
    rows, columns = -(-height // BLOCK_PX), -(-width // BLOCK_PX)
    row, column = divmod(block % (rows * columns), columns)
    return (
        slice(row * BLOCK_PX, (row + 1) * BLOCK_PX),
        slice(column * BLOCK_PX, (column + 1) * BLOCK_PX),
    )


def patches(blocks: Blocks) -> Pixels:
    """Return the means of 8x8 samples, four of each block."""
    means: Pixels = blocks @ _POOL
    return means


def _whole(plane: Pixels) -> Pixels:
    """Return a plane with a third axis, padded with 0 to whole blocks."""
    if plane.ndim == 2:
        plane = plane[..., None]
    height, width, colours = plane.shape
    if not (height % SIDE or width % SIDE):
        return plane
    padded: Pixels = np.zeros((height + -height % SIDE, width + -width % SIDE, colours), plane.dtype)
    padded[:height, :width] = plane
    return padded


def _every(bands: int, length: int) -> Pixels:
    """Return the matrix that sums ``length`` pixels of each of some interleaved colours."""
    return np.tile(np.eye(bands, dtype=np.float32), (length, 1))


def _pool() -> Pixels:
    """Return the matrix that turns a block into the means of its patches."""
    patch = np.arange(SIDE) // _PATCH
    which = (patch[:, None] * (SIDE // _PATCH) + patch).ravel()
    members = which[:, None] == np.arange((SIDE // _PATCH) ** 2)
    pool: Pixels = members.astype(np.float32) / _PATCH**2
    return pool


_POOL = _pool()
