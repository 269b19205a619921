"""Where versions of ImageMagick differ, and what Wand does not offer of it.

Sources: "Porting to ImageMagick version 7" (legacy.imagemagick.org/script/porting.php) and the pull
requests named below. Tried with 6.9.11 (16 bits a channel, no HDRI); what is said of 7 is not tried.
"""

from __future__ import annotations

import ctypes
from typing import Any


def bytes_per_pixel() -> int:
    """What one pixel takes in memory.

    Version 6 holds four channels and an index, each of its quantum depth. Version 7 holds as many
    channels as an image has, as floats by default ("High Dynamic Range Imaging"); five are assumed.
    """
    from wand.version import MAGICK_HDRI, QUANTUM_DEPTH

    return 5 * (4 if MAGICK_HDRI else int(QUANTUM_DEPTH) // 8)


def copy_alpha() -> str:
    """The composite operator that takes over alpha: version 7 has a new name for it ("Alpha")."""
    from wand.version import MAGICK_VERSION_NUMBER

    return "copy_opacity" if MAGICK_VERSION_NUMBER < 0x700 else "copy_alpha"


def without_tail(blob: bytes) -> bytes:
    """An animated WebP up to its own end.

    6.9.11 writes the last frame once more behind it, as a second WebP. Versions with
    ImageMagick#3027 encode otherwise; for a file without tail this changes nothing.
    """
    return blob[: 8 + int.from_bytes(blob[4:8], "little")]


def optimize_plus(stack: Any) -> bool:
    """``-layers optimize-plus`` on all images of ``stack``, which MagickWand offers in no version.

    The function is MagickCore's, its name and parameters are the same in 6 and 7.

    Returns
    -------
    bool
        False if it could not, or if there would be another number of frames: it takes out frames that
        are like the one before. ``stack`` is as it was then.
    """
    from wand.api import libmagick, library

    def of(where: Any, name: str, result: Any = ctypes.c_void_p, takes: int = 1) -> Any:
        # not Wand's own function objects, which have Wand's types
        return ctypes.CFUNCTYPE(result, *[ctypes.c_void_p] * takes)((name, where))

    stack.iterator_set(0)
    count = len(stack.sequence)
    problem = of(libmagick, "AcquireExceptionInfo", takes=0)()
    first = of(library, "GetImageFromMagickWand")(stack.wand)
    made = of(libmagick, "OptimizePlusImageLayers", takes=2)(first, problem)
    of(libmagick, "DestroyExceptionInfo")(problem)
    if not made:
        return False
    try:
        if of(libmagick, "GetImageListLength", ctypes.c_size_t)(made) != count:
            return False
        of(library, "ClearMagickWand", None)(stack.wand)
        at = made
        while at:
            one = of(library, "NewMagickWandFromImage")(at)
            of(library, "MagickAddImage", ctypes.c_int, 2)(stack.wand, one)
            of(library, "DestroyMagickWand")(one)
            at = of(libmagick, "GetNextImageInList")(at)
    finally:
        of(libmagick, "DestroyImageList")(made)
    return True
