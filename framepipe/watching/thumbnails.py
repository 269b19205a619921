"""Small pictures of frames: each is made once, and few are kept."""

from __future__ import annotations

import io
import threading
import time
from collections import OrderedDict
from pathlib import Path

from framepipe.core import files, png

#: The longest side of a small picture.
SIDE_PX = 208
MAX_FRAME_BYTES = 256_000_000
_MAX_PIXELS = 64_000_000
_KEPT_BYTES = 16_000_000
_QUALITY = 82


class Thumbnails:
    """Small pictures, in memory, the least recently used forgotten first; one is made at a time.

    Attributes
    ----------
    spent_s : float
        Processor time that they have cost.
    count : int
        How many were made.
    """

    def __init__(self) -> None:
        self.spent_s, self.count = 0.0, 0
        self._kept: OrderedDict[tuple[int, int], bytes] = OrderedDict()
        self._kept_bytes = 0
        self._lock = threading.Lock()

    def of(
        self, path: Path, number: int, inode: int, background: tuple[int, int, int] | None
    ) -> bytes | None:
        """Return a frame's small picture as a JPEG; None if there is none of it, as its file is no picture.

        Parameters
        ----------
        path : Path
        number, inode : int
            Which frame, and which version of it.
        background : tuple of int or None
            What is seen behind what is transparent.
        """
        with self._lock:
            key = number, inode
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            began_s = time.thread_time()
            try:
                picture = small_picture(read_frame(path), background or (255, 255, 255))
            except (OSError, ValueError, SyntaxError):  # SyntaxError: Pillow's, of a broken PNG
                picture = None
            self.spent_s += time.thread_time() - began_s
            self.count += 1
            if picture is not None:
                self._keep(key, picture)
            return picture

    def _keep(self, key: tuple[int, int], picture: bytes) -> None:
        self._kept[key] = picture
        self._kept_bytes += len(picture)
        while self._kept_bytes > _KEPT_BYTES:
            self._kept_bytes -= len(self._kept.popitem(last=False)[1])


def read_frame(path: Path) -> bytes:
    """Read a frame's file whole: a PNG, and no link to one.

    Raises
    ------
    OSError, ValueError
    """
    with files.open_file(path, follow=False) as file:
        data = file.read(MAX_FRAME_BYTES + 1)
    if not data.startswith(png.SIGNATURE) or len(data) > MAX_FRAME_BYTES:
        raise ValueError(f"{path.name} is no frame")
    return data


def small_picture(data: bytes, background: tuple[int, int, int]) -> bytes:
    """Return a PNG as a small JPEG.

    Raises
    ------
    OSError, ValueError, SyntaxError
        It is no PNG, or too large.
    """
    from PIL import Image

    with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
        if image.width * image.height > _MAX_PIXELS:
            raise ValueError(f"{image.width}x{image.height} px are too many for a small picture")
        factor = min(image.width, image.height) // SIDE_PX
        small: Image.Image = image.convert("RGBA") if image.has_transparency_data else image.convert("RGB")
        small = small.reduce(factor) if factor > 1 else small  # exact means, and most of the work
        small.thumbnail((SIDE_PX, SIDE_PX))
        if small.mode == "RGBA":
            ground = Image.new("RGBA", small.size, (*background, 255))
            small = Image.alpha_composite(ground, small).convert("RGB")
        out = io.BytesIO()
        small.save(out, "JPEG", quality=_QUALITY, subsampling=0)
        return out.getvalue()
