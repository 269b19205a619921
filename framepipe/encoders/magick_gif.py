"""GIF by ImageMagick, in the child process: a palette, parts of some frames, and joining them.

Memory is bounded by working in parts of some frames, well within Debian's default policy (256 MiB;
200 frames of 1000x700 at once write 53 frames of garbage), joined by `framepipe.gif.splice`. Two
things that ImageMagick does are worked around, as measured with 6.9.11:

- It quantises once more when a frame with new transparent pixels is written (errors up to 31 of
  255, a table for every frame). Frames are mapped to a palette *with* a transparent colour instead.
- Asked for n colours it returns far fewer (177 of 255): so it is asked again for more.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from framepipe import gif
from framepipe.encoders import magick_frames
from framepipe.encoders.magick_frames import PART_BYTES, Failed, Spec, encoded, parts, reason
from framepipe.encoders.magick_library import copy_alpha, optimize_plus

_MOST_SAMPLES = 32
_DITHERS = {"none": "no", "floyd_steinberg": "floyd_steinberg", "riemersma": "riemersma"}
_LAYERS = ("auto", "none", "optimize", "optimize-plus", "optimize-transparency")
_MOST_COLOURS = 256
_OPAQUE, _CLEAR = b"\xff", b"\0\0\0\0"


@dataclass(frozen=True, kw_only=True)
class GifSpec(Spec):
    """What to build; alpha is kept as one bit, from 128 opaque.

    Attributes
    ----------
    delays_cs : tuple of int
        One for each frame.
    colors : int
        2-256 opaque colours.
    dither : {"none", "floyd_steinberg", "riemersma"}
    palette : {"global", "per-frame", "given"}
    given : sequence of sequence of int
        The colours of a palette that is given, as red, green, blue.
    layers : {"auto", "none", "optimize", "optimize-plus", "optimize-transparency"}
        See `framepipe.recipes.Options`.
    """

    delays_cs: tuple[int, ...]
    colors: int = _MOST_COLOURS
    dither: str = "none"
    palette: str = "global"
    given: Sequence[Sequence[int]] = ()
    layers: str = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_times(self.delays_cs)
        if self.palette not in ("global", "per-frame", "given") or self.dither not in _DITHERS:
            raise Failed(f"palette {self.palette!r} or dither {self.dither!r} is unknown")
        if not 2 <= self.colors <= _MOST_COLOURS or self.layers not in _LAYERS:
            raise Failed(f"colors {self.colors} is not 2 to 256, or layers {self.layers!r} is unknown")


def build(spec: GifSpec, on_frame: Callable[[int], None]) -> None:
    """Write the parts, join them, and count what came out."""
    shared = _exact({bytes(colour) for colour in spec.given}) if spec.palette == "given" else None
    if spec.palette == "global":
        shared = _global_palette(spec, on_frame)
    written: list[Path] = []
    for indices in parts(spec, spec.bytes_of_frame()):
        part = spec.work / f"part-{len(written):06d}.gif"
        try:
            part.write_bytes(_part(spec, indices, shared))
        except Exception as error:
            where = f"{part.name}, frames {indices[0]} to {indices[-1]}"
            raise Failed(f"{where}: {reason(error)}") from None
        found = gif.inspect(part).frames
        if found != len(indices):
            raise Failed(f"part {part.name}: ImageMagick wrote {found} of {len(indices)} frames")
        written.append(part)
        on_frame(indices.stop)
    gif.splice(written, spec.output, delays_cs=spec.delays_cs, plays=spec.plays)
    found = gif.inspect(spec.output).frames
    if found != len(spec.frames):
        spec.output.unlink()
        raise Failed(f"the joined GIF has {found} of {len(spec.frames)} frames")


def _read(spec: GifSpec, index: int) -> Any:
    """Frame ``index``, opaque or with alpha of one bit."""
    one_bit = (lambda image: image.threshold(0.5, "alpha")) if spec.transparent else (lambda image: None)
    return magick_frames.read(spec, index, one_bit)


@dataclass(frozen=True)
class _Palette:
    colours: tuple[bytes, ...]
    clear: bool  # whether there is a place for a transparent colour

    def strip(self, *, clear: bool) -> Any:
        """An image of one row that `remap` takes as the palette."""
        from wand.image import Image

        pixels = [colour + _OPAQUE for colour in self.colours] + [_CLEAR] * clear
        form = {"format": "rgba", "width": len(pixels), "height": 1, "depth": 8}
        strip = Image(blob=b"".join(pixels), **form)
        if not clear:
            strip.alpha_channel = "off"
        return strip


def _global_palette(spec: GifSpec, on_frame: Callable[[int], None]) -> _Palette:
    """The palette of evenly sampled frames: exact if they have few colours."""
    colours: set[bytes] = set()
    for index in _evenly(len(spec.frames), _MOST_SAMPLES):
        on_frame(0)
        with _read(spec, index) as image:
            colours |= _colours(image)
        if len(colours) > _limit(spec):
            break
    else:
        return _exact(colours)
    # ImageMagick holds the samples twice while it quantises.
    room = max(2, min(int(PART_BYTES / 2 / spec.bytes_of_frame()), _MOST_SAMPLES))
    return _quantised(spec, (_read(spec, index) for index in _evenly(len(spec.frames), room)))


def _evenly(count: int, most: int) -> list[int]:
    """Up to ``most`` (2 or more) positions of ``count``, the first and the last among them."""
    most = min(count, most)
    return [round(step * (count - 1) / max(1, most - 1)) for step in range(most)]


def _limit(spec: GifSpec) -> int:
    return min(spec.colors, _MOST_COLOURS - 1) if spec.transparent else spec.colors


def _exact(colours: set[bytes]) -> _Palette:
    return _Palette(tuple(sorted(colours)) or (b"\0\0\0",), clear=len(colours) < _MOST_COLOURS)


def _colours(image: Any) -> set[bytes]:
    """The distinct opaque colours of an image, as RGB.

    Not by ``unique_colors``: its row of one pixel a colour breaks the policy's limit of 16,000
    pixels for a side.
    """
    distinct = np.unique(np.frombuffer(image.make_blob("rgba"), np.uint32))
    pixels = distinct.view(np.uint8).reshape(-1, 4)
    return {colour.tobytes() for colour in pixels[pixels[:, 3] >= 128, :3]}


def _quantised(spec: GifSpec, images: Iterable[Any]) -> _Palette:
    """At most ``spec.colors`` colours for all ``images``, which are closed.

    ImageMagick returns fewer colours than it is asked for, on smooth colour maps 177 of 255; asked
    for more until it returns nearly all gains 2 dB there.
    """
    from wand.image import Image

    raw = []
    for image in images:
        with image:
            pixels = np.frombuffer(image.make_blob("rgba"), np.uint8).reshape(-1, 4)
        raw.append(pixels[pixels[:, 3] >= 128, :3])
    flat = np.concatenate(raw)
    side = math.isqrt(len(flat) - 1) + 1
    square = np.resize(flat, (side * side, 3)).tobytes()  # the palette does not depend on places
    del raw, flat, pixels
    most = min(spec.colors, _MOST_COLOURS - 1)
    best: set[bytes] = set()
    asked = most
    with Image(blob=square, format="rgb", width=side, height=side, depth=8) as samples:
        for _ in range(5):
            with samples.clone() as trial:
                trial.quantize(asked, "undefined", 8, False, False)
                trial.unique_colors()
                found = _colours(trial)
            if len(found) > most:
                break
            best = max(best, found, key=len)
            if len(found) > 0.95 * most:
                break
            asked = asked * most // len(found) + 1
    return _Palette(tuple(sorted(best or found)[:most]), clear=True)


def _part(spec: GifSpec, indices: range, shared: _Palette | None) -> bytes:
    """A GIF of some frames."""
    from wand.image import Image

    with Image() as stack:
        palettes = []
        for index in indices:
            with _read(spec, index) as image:
                palettes.append(shared or _own_palette(spec, image))
                _map(image, palettes[-1], spec)
                stack.image_add(image)
        # 6.9.11 crops frames with transparent pixels wrongly: of 8 frames what had gone away was still
        # seen in 1 by Pillow, in 4 by ImageMagick itself. So these stay whole.
        if spec.transparent or spec.layers == "none":
            return encoded(stack, "gif")
        return _layered(spec.layers, stack, palettes)


def _layered(layers: str, stack: Any, palettes: list[_Palette]) -> bytes:
    """The same pictures by less: cropped to what changes, or without the pixels that do not change."""
    if layers != "optimize-transparency" and not (layers == "optimize-plus" and optimize_plus(stack)):
        stack.optimize_layers()
    if not all(palette.clear for palette in palettes):
        return encoded(stack, "gif")
    _map_exactly(stack, palettes)
    cropped = encoded(stack, "gif")
    if layers in ("optimize", "optimize-plus"):
        return cropped
    stack.optimize_transparency()  # often compresses worse
    _map_exactly(stack, palettes)
    cleared = encoded(stack, "gif")
    return min(cropped, cleared, key=len) if layers == "auto" else cleared


def _own_palette(spec: GifSpec, image: Any) -> _Palette:
    colours = _colours(image)
    return _exact(colours) if len(colours) <= _limit(spec) else _quantised(spec, [image.clone()])


def _map(image: Any, palette: _Palette, spec: GifSpec) -> None:
    """Give ``image`` the nearest colours of ``palette``.

    Alpha is set aside meanwhile: as a fourth coordinate it would let opaque pixels far from every
    colour become transparent.
    """
    mask = image.clone() if spec.transparent else nullcontext()
    with mask, palette.strip(clear=False) as colours:
        if spec.transparent:
            image.alpha_channel = "remove"
            image.alpha_channel = "off"
        image.remap(colours, _DITHERS[spec.dither])
        if spec.transparent:
            image.composite(mask, operator=copy_alpha())
            with palette.strip(clear=True) as with_clear:
                image.remap(with_clear, "no")
            image.dispose = "background"  # or the frame before would shine through


def _map_exactly(stack: Any, palettes: list[_Palette]) -> None:
    """Bring all frames, also with new transparent pixels, back to their palette."""
    previous, strip = None, None
    for position, palette in enumerate(palettes):
        if palette is not previous:
            previous, strip = palette, palette.strip(clear=True)
        stack.iterator_set(position)
        stack.remap(strip, "no")
