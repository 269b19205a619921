"""Build a GIF with ImageMagick, in the child process: a palette, parts of some frames, and joining them.

Memory is bounded by working in parts of some frames, well within Debian's default policy (256 MiB;
200 frames of 1000x700 at once write 53 frames of garbage), joined by `container.splice`. Two
things that ImageMagick does are worked around, as measured with 6.9.11:

- It quantises once more when a frame with new transparent pixels is written (errors up to 31 of
  255, a table for every frame). Frames are mapped to a palette *with* a transparent colour instead.
- It returns far fewer colours than requested (177 of 255), so more are requested.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from framepipe.formats.gif import container
from framepipe.formats.gif.magick_frames import (
    DITHERS,
    MAX_COLOURS,
    PART_BYTES,
    Failed,
    Spec,
    encoded,
    parts,
    read,
    reason,
)
from framepipe.formats.gif.magick_library import copy_alpha

_MAX_SAMPLES = 32
_OPAQUE, _CLEAR = b"\xff", b"\0\0\0\0"


def build(spec: Spec, on_frame: Callable[[int], None]) -> None:
    """Write the parts, join them, and count the frames."""
    shared = _exact({bytes(colour) for colour in spec.given}) if spec.palette == "given" else None
    if spec.palette == "global":
        shared = _global_palette(spec, on_frame)
    part_paths: list[Path] = []
    for indices in parts(spec):
        part = spec.work / f"part-{len(part_paths):06d}.gif"
        try:
            part.write_bytes(_part(spec, indices, shared))
        except Exception as error:
            where = f"{part.name}, frames {indices[0]} to {indices[-1]}"
            raise Failed(f"{where}: {reason(error)}") from None
        count = container.inspect(part).frames
        if count != len(indices):
            raise Failed(f"part {part.name}: ImageMagick wrote {count} of {len(indices)} frames")
        part_paths.append(part)
        on_frame(indices.stop)
    container.splice(part_paths, spec.output, delays_cs=spec.delays_cs, plays=spec.plays)
    count = container.inspect(spec.output).frames
    if count != len(spec.frames):
        spec.output.unlink()
        raise Failed(f"the joined GIF has {count} of {len(spec.frames)} frames")


@dataclass(frozen=True)
class _Palette:
    colours: tuple[bytes, ...]
    clear: bool  # there is room for a transparent colour

    def strip(self, *, clear: bool) -> Any:
        """Return an image of one row, the palette for `remap`."""
        from wand.image import Image

        pixels = [colour + _OPAQUE for colour in self.colours] + [_CLEAR] * clear
        form = {"format": "rgba", "width": len(pixels), "height": 1, "depth": 8}
        strip = Image(blob=b"".join(pixels), **form)
        if not clear:
            strip.alpha_channel = "off"
        return strip


def _global_palette(spec: Spec, on_frame: Callable[[int], None]) -> _Palette:
    """Compute the palette of evenly sampled frames: exact if they have few colours."""
    colours: set[bytes] = set()
    for index in _evenly(len(spec.frames), _MAX_SAMPLES):
        on_frame(0)
        with read(spec, index) as image:
            colours |= _colours(image)
        if len(colours) > _limit(spec):
            break
    else:
        return _exact(colours)
    # ImageMagick holds the samples twice while it quantises.
    room = max(2, min(int(PART_BYTES / 2 / spec.bytes_of_frame()), _MAX_SAMPLES))
    return _quantised(spec, (read(spec, index) for index in _evenly(len(spec.frames), room)))


def _evenly(count: int, max_count: int) -> list[int]:
    """Select up to ``max_count`` (2 or more) positions of ``count``, with the first and the last."""
    max_count = min(count, max_count)
    return [round(step * (count - 1) / max(1, max_count - 1)) for step in range(max_count)]


def _limit(spec: Spec) -> int:
    return min(spec.colors, MAX_COLOURS - 1) if spec.transparent else spec.colors


def _exact(colours: set[bytes]) -> _Palette:
    return _Palette(tuple(sorted(colours)) or (b"\0\0\0",), clear=len(colours) < MAX_COLOURS)


def _colours(image: Any) -> set[bytes]:
    """Return the distinct opaque colours of an image, as RGB.

    ``unique_colors`` is not used: its row of one pixel per colour exceeds the policy's limit of 16,000
    pixels a side.
    """
    distinct = np.unique(np.frombuffer(image.make_blob("rgba"), np.uint32))
    pixels = distinct.view(np.uint8).reshape(-1, 4)
    return {colour.tobytes() for colour in pixels[pixels[:, 3] >= 128, :3]}


def _quantised(spec: Spec, images: Iterable[Any]) -> _Palette:
    """Compute at most ``spec.colors`` colours for all ``images``, and close these.

    ImageMagick returns fewer colours than requested, on smooth colour maps 177 of 255; requesting
    more until it returns nearly all gains 2 dB there.
    """
    from wand.image import Image

    raw = []
    for image in images:
        with image:
            pixels = np.frombuffer(image.make_blob("rgba"), np.uint8).reshape(-1, 4)
        raw.append(pixels[pixels[:, 3] >= 128, :3])
    flat = np.concatenate(raw)
    side = math.isqrt(len(flat) - 1) + 1
    square = np.resize(flat, (side * side, 3)).tobytes()  # the palette does not depend on positions
    del raw, flat, pixels
    max_colours = min(spec.colors, MAX_COLOURS - 1)
    best: set[bytes] = set()
    requested = max_colours
    with Image(blob=square, format="rgb", width=side, height=side, depth=8) as samples:
        for _ in range(5):
            with samples.clone() as quantised:
                quantised.quantize(requested, "undefined", 8, False, False)
                quantised.unique_colors()
                colours = _colours(quantised)
            if len(colours) > max_colours:
                break
            best = max(best, colours, key=len)
            if len(colours) > 0.95 * max_colours:
                break
            requested = requested * max_colours // len(colours) + 1
    return _Palette(tuple(sorted(best or colours)[:max_colours]), clear=True)


def _part(spec: Spec, indices: range, shared: _Palette | None) -> bytes:
    """Encode some frames as a GIF."""
    from wand.image import Image

    with Image() as stack:
        palettes = []
        for index in indices:
            with read(spec, index) as image:
                palettes.append(shared or _own_palette(spec, image))
                _map(image, palettes[-1], spec)
                stack.image_add(image)
        # 6.9.11 crops frames with transparent pixels wrongly: of 8 frames, old pixels remained visible
        # in 1 with Pillow, in 4 with ImageMagick itself. So these stay whole.
        if spec.transparent or spec.layers == "none":
            return encoded(stack)
        return _layered(spec.layers, stack, palettes)


def _layered(layers: str, stack: Any, palettes: list[_Palette]) -> bytes:
    """Encode only differences: frames cropped to what changes, or without the pixels that do not."""
    if layers != "optimize-transparency":
        stack.optimize_layers()
    if not all(palette.clear for palette in palettes):
        return encoded(stack)
    _map_exactly(stack, palettes)
    cropped = encoded(stack)
    if layers == "optimize":
        return cropped
    stack.optimize_transparency()  # often compresses worse
    _map_exactly(stack, palettes)
    cleared = encoded(stack)
    return min(cropped, cleared, key=len) if layers == "auto" else cleared


def _own_palette(spec: Spec, image: Any) -> _Palette:
    colours = _colours(image)
    return _exact(colours) if len(colours) <= _limit(spec) else _quantised(spec, [image.clone()])


def _map(image: Any, palette: _Palette, spec: Spec) -> None:
    """Map ``image`` to the nearest colours of ``palette``.

    Alpha is removed meanwhile: as a fourth coordinate it would make opaque pixels far from every
    colour transparent.
    """
    mask = image.clone() if spec.transparent else nullcontext()
    with mask, palette.strip(clear=False) as colours:
        if spec.transparent:
            image.alpha_channel = "remove"
            image.alpha_channel = "off"
        image.remap(colours, DITHERS[spec.dither])
        if spec.transparent:
            image.composite(mask, operator=copy_alpha())
            with palette.strip(clear=True) as with_clear:
                image.remap(with_clear, "no")
            image.dispose = "background"  # or the frame before would shine through


def _map_exactly(stack: Any, palettes: list[_Palette]) -> None:
    """Map all frames, also those with new transparent pixels, back to their palette."""
    previous, strip = None, None
    for position, palette in enumerate(palettes):
        if palette is not previous:
            previous, strip = palette, palette.strip(clear=True)
        stack.iterator_set(position)
        stack.remap(strip, "no")
