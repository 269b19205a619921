"""Differences between versions of ImageMagick.

Source: "Porting to ImageMagick version 7" (legacy.imagemagick.org/script/porting.php). Tried with 6.9.11
(16 bits a channel, no HDRI); what is said of 7 is not tried.
"""

from __future__ import annotations


def bytes_per_pixel() -> int:
    """Return the memory of one pixel.

    Version 6 holds four channels and an index, each of its quantum depth. Version 7 holds as many
    channels as an image has, as floats by default ("High Dynamic Range Imaging"); five are assumed.
    """
    from wand.version import MAGICK_HDRI, QUANTUM_DEPTH

    return 5 * (4 if MAGICK_HDRI else int(QUANTUM_DEPTH) // 8)


def copy_alpha() -> str:
    """Return the composite operator that copies alpha: version 7 has a new name for it ("Alpha")."""
    from wand.version import MAGICK_VERSION_NUMBER

    return "copy_opacity" if MAGICK_VERSION_NUMBER < 0x700 else "copy_alpha"
