"""The child process that builds a GIF with ImageMagick: the only code that uses Wand.

``python -m framepipe.encoders.magick_child SPEC.json`` writes progress (``frame=12``) to stdout.
Exit code 0: the GIF is there and stderr is empty; 4: no MagickWand library; 1: anything else, with
one line on stderr. A crash of ImageMagick ends this process and not the caller.

Memory is bounded by working in parts of some frames, well within Debian's default policy (256 MiB;
200 frames of 1000x700 at once write 53 frames of garbage), joined by `framepipe.gif.splice`. Three
things that ImageMagick does are worked around, as measured with 6.9.11:

- It quantises once more when a frame with new transparent pixels is written (errors up to 31 of
  255, a table for every frame). Frames are mapped to a palette *with* a transparent colour instead.
- Asked for n colours it returns far fewer (177 of 255): so it is asked again for more.
- File names are a language (``%d``, ``[0]``, ``fmt:``): it is given bytes and never a name.
"""

from __future__ import annotations

import json
import math
import os
import sys
import warnings
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from framepipe import gif, png

_PART_BYTES = 150e6
_MOST_SAMPLES = 32
_DITHERS = {"none": "no", "floyd_steinberg": "floyd_steinberg", "riemersma": "riemersma"}
_MOST_COLOURS = 256
_NO_LIBRARY = 4
_OPAQUE, _CLEAR = b"\xff", b"\0\0\0\0"


class _Failed(Exception):
    """The message is what stderr gets."""


@dataclass(frozen=True)
class Spec:
    """What to build: the fields of SPEC.json.

    Attributes
    ----------
    frames : tuple of Path
        PNG files in order; may repeat.
    output : Path
        The GIF to write.
    work : Path
        An existing private folder for the parts.
    delays_cs : tuple of int
        One for each frame.
    width, height : int
        Of every frame, in pixels.
    plays : int
        0 is for ever.
    colors : int
        2-256 opaque colours.
    dither : {"none", "floyd_steinberg", "riemersma"}
    palette : {"global", "per-frame"}
    transparent : bool
        Keep alpha as one bit, from 128 opaque. Else frames are laid over their ``bKGD`` colour,
        white without one.
    chunk_frames : int, optional
        Frames in one part; by default as many as fit into 150 MB.
    """

    frames: tuple[Path, ...]
    output: Path
    work: Path
    delays_cs: tuple[int, ...]
    width: int
    height: int
    plays: int = 0
    colors: int = _MOST_COLOURS
    dither: str = "none"
    palette: str = "global"
    transparent: bool = False
    chunk_frames: int | None = None

    @classmethod
    def load(cls, path: Path) -> Spec:
        """Read and check SPEC.json."""
        fields = json.loads(path.read_text(encoding="utf-8"))
        fields["frames"] = tuple(Path(frame) for frame in fields["frames"])
        fields["delays_cs"] = tuple(fields["delays_cs"])
        spec = cls(**fields | {name: Path(fields[name]) for name in ("output", "work")})
        if not spec.frames or len(spec.frames) != len(spec.delays_cs):
            raise _Failed(f"{len(spec.frames)} frames and {len(spec.delays_cs)} delays")
        if spec.palette not in ("global", "per-frame") or spec.dither not in _DITHERS:
            raise _Failed(f"palette {spec.palette!r} or dither {spec.dither!r} is unknown")
        if not 2 <= spec.colors <= _MOST_COLOURS or (spec.chunk_frames or 1) < 1:
            raise _Failed(f"colors {spec.colors} is not 2 to 256, or chunk_frames is below 1")
        return spec


def main(arguments: list[str]) -> int:
    """Build the GIF that ``SPEC.json`` describes; return the exit code."""
    try:
        spec = Spec.load(Path(arguments[0]))
        # ImageMagick spills pixels to files; in the private folder they cannot outlive a crash.
        os.environ["MAGICK_TEMPORARY_PATH"] = str(spec.work)
        try:
            import wand.image  # noqa: F401
        except ImportError as error:
            return _complain(f"Wand cannot load MagickWand: {error}", _NO_LIBRARY)
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Wand warns where ImageMagick did half of the work
            build(spec)
    except (Exception, KeyboardInterrupt) as error:
        return _complain(_reason(error), 1)
    return 0


def _reason(error: BaseException) -> str:
    if isinstance(error, (_Failed, gif.GifDamage)):
        return str(error)
    if "did not raise" in str(error):  # Wand's words when ImageMagick gave none
        return "ImageMagick failed and gave no reason; often it is a limit in its policy.xml"
    return f"{type(error).__name__}: {error}"


def _complain(message: str, code: int) -> int:
    print(" ".join(message.split())[:1000], file=sys.stderr)
    return code


def build(spec: Spec) -> None:
    """Write the parts, join them, and count what came out."""
    shared = _global_palette(spec) if spec.palette == "global" else None
    size = spec.chunk_frames or max(2, int(_PART_BYTES / _bytes_of_frame(spec)))
    parts: list[Path] = []
    for start in range(0, len(spec.frames), size):
        stop = min(start + size, len(spec.frames))
        part = spec.work / f"part-{len(parts):06d}.gif"
        try:
            part.write_bytes(_part(spec, range(start, stop), shared))
        except Exception as error:
            raise _Failed(f"{part.name}, frames {start} to {stop - 1}: {_reason(error)}") from None
        found = gif.inspect(part).frames
        if found != stop - start:
            raise _Failed(f"part {part.name}: ImageMagick wrote {found} of {stop - start} frames")
        parts.append(part)
        print(f"frame={stop}", flush=True)
    gif.splice(parts, spec.output, delays_cs=spec.delays_cs, plays=spec.plays)
    found = gif.inspect(spec.output).frames
    if found != len(spec.frames):
        spec.output.unlink()
        raise _Failed(f"the joined GIF has {found} of {len(spec.frames)} frames")


def _bytes_of_frame(spec: Spec) -> int:
    """What one frame takes in ImageMagick: five channels, of floats in HDRI builds."""
    from wand.version import MAGICK_HDRI, QUANTUM_DEPTH

    return spec.width * spec.height * 5 * (4 if MAGICK_HDRI else QUANTUM_DEPTH // 8)


def _read(spec: Spec, index: int) -> Any:
    """Frame ``index``, opaque or with alpha of one bit."""
    from wand.image import Image

    path = spec.frames[index]
    label = f"frame {index} of {len(spec.frames)}, {str(path)!r}"
    found = png.inspect(path.resolve(), deep=True)
    if found is None or found.damage:
        raise _Failed(f"{label}: {found.damage if found else 'there is no such file'}")
    if (found.width, found.height) != (spec.width, spec.height):
        raise _Failed(f"{label}: is {found.width}x{found.height}, expected {spec.width}x{spec.height}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd colour profiles; damage was looked for above
            image = Image(blob=path.read_bytes(), format="png")
        _prepare(image, spec.transparent)
    except Exception as error:
        raise _Failed(f"{label}: ImageMagick cannot read it: {_reason(error)}") from None
    return image


def _prepare(image: Any, transparent: bool) -> None:
    image.reset_coords()  # an oFFs chunk would move the frame
    image.transform_colorspace("srgb")
    if transparent:
        image.alpha_channel = "set"
        image.threshold(0.5, "alpha")
    else:
        image.alpha_channel = "remove"
        image.alpha_channel = "off"


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


def _global_palette(spec: Spec) -> _Palette:
    """The palette of evenly sampled frames: exact if they have few colours."""
    colours: set[bytes] = set()
    for index in _evenly(len(spec.frames), _MOST_SAMPLES):
        print("frame=0", flush=True)
        with _read(spec, index) as image:
            colours |= _colours(image)
        if len(colours) > _limit(spec):
            break
    else:
        return _exact(colours)
    # ImageMagick holds the samples twice while it quantises.
    room = max(2, min(int(_PART_BYTES / 2 / _bytes_of_frame(spec)), _MOST_SAMPLES))
    return _quantised(spec, (_read(spec, index) for index in _evenly(len(spec.frames), room)))


def _evenly(count: int, most: int) -> list[int]:
    """Up to ``most`` (2 or more) positions of ``count``, the first and the last among them."""
    most = min(count, most)
    return [round(step * (count - 1) / max(1, most - 1)) for step in range(most)]


def _limit(spec: Spec) -> int:
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


def _quantised(spec: Spec, images: Iterable[Any]) -> _Palette:
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


def _part(spec: Spec, indices: range, shared: _Palette | None) -> bytes:
    """A GIF of some frames: the smaller of two encodings of the same pictures."""
    from wand.image import Image

    with Image() as stack:
        palettes = []
        for index in indices:
            with _read(spec, index) as image:
                palettes.append(shared or _own_palette(spec, image))
                _map(image, palettes[-1], spec)
                stack.image_add(image)
        if spec.transparent:
            return _encoded(stack)
        stack.optimize_layers()  # crops frames to what changes
        if not all(palette.clear for palette in palettes):
            return _encoded(stack)
        _map_exactly(stack, palettes)
        cropped = _encoded(stack)
        stack.optimize_transparency()  # drops what does not change; often compresses worse
        _map_exactly(stack, palettes)
        return min(cropped, _encoded(stack), key=len)


def _own_palette(spec: Spec, image: Any) -> _Palette:
    colours = _colours(image)
    return _exact(colours) if len(colours) <= _limit(spec) else _quantised(spec, [image.clone()])


def _map(image: Any, palette: _Palette, spec: Spec) -> None:
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
            image.composite(mask, operator=_copy_alpha())
            with palette.strip(clear=True) as with_clear:
                image.remap(with_clear, "no")
            image.dispose = "background"  # or the frame before would shine through


def _copy_alpha() -> str:
    from wand.version import MAGICK_VERSION_NUMBER

    return "copy_opacity" if MAGICK_VERSION_NUMBER < 0x700 else "copy_alpha"


def _map_exactly(stack: Any, palettes: list[_Palette]) -> None:
    """Bring all frames, also with new transparent pixels, back to their palette."""
    previous, strip = None, None
    for position, palette in enumerate(palettes):
        if palette is not previous:
            previous, strip = palette, palette.strip(clear=True)
        stack.iterator_set(position)
        stack.remap(strip, "no")


def _encoded(stack: Any) -> bytes:
    blob: bytes = stack.make_blob("gif")
    stack.raise_exception()  # make_blob keeps quiet about what went wrong if there are any bytes
    return blob


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
