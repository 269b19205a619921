"""The specification of a GIF for ImageMagick, reading its frames, working in parts.

ImageMagick interprets file names (``%d``, ``[0]``, ``fmt:``), so it receives bytes and never a name.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from framepipe.core import png
from framepipe.formats.gif import container
from framepipe.formats.gif.magick_library import bytes_per_pixel

#: Pixels in memory at once; Debian's policy for ImageMagick allows 256 MiB.
PART_BYTES = 150e6
MAX_COLOURS = 256
#: ImageMagick's names of dithers.
DITHERS = {"none": "no", "floyd_steinberg": "floyd_steinberg", "riemersma": "riemersma"}
_LAYERS = ("auto", "none", "optimize", "optimize-transparency")


class Failed(Exception):
    """Building failed; the message is printed on stderr."""


def reason(error: BaseException) -> str:
    """Describe an error in one line."""
    if isinstance(error, (Failed, container.InvalidGif)):
        return str(error)
    if "did not raise" in str(error):  # Wand's message when ImageMagick gives none
        return "ImageMagick failed and gave no reason; often it is a limit in its policy.xml"
    return f"{type(error).__name__}: {error}"


@dataclass(frozen=True, kw_only=True)
class Spec:
    """The GIF to build: the fields of SPEC.json.

    Attributes
    ----------
    frames : tuple of Path
        PNG files in order; may repeat.
    output : Path
        The GIF to write.
    work : Path
        An existing private folder for the parts.
    width, height : int
        Of every frame, in pixels.
    delays_cs : tuple of int
        One per frame.
    plays : int
        0 is for ever.
    transparent : bool
        Keep alpha as one bit, from 128 opaque. Else frames are laid over their ``bKGD`` colour, white
        without one.
    colors : int
        The number of opaque colours, 2-256.
    dither : {"none", "floyd_steinberg", "riemersma"}
    palette : {"global", "per-frame", "given"}
    given : sequence of sequence of int
        The colours of a given palette, as red, green, blue.
    layers : {"auto", "none", "optimize", "optimize-transparency"}
        See `framepipe.options.EncodeOptions`.
    chunk_frames : int, optional
        Frames in one part; by default as many as fit into 150 MB.
    """

    frames: tuple[Path, ...]
    output: Path
    work: Path
    width: int
    height: int
    delays_cs: tuple[int, ...]
    plays: int = 0
    transparent: bool = False
    colors: int = MAX_COLOURS
    dither: str = "none"
    palette: str = "global"
    given: Sequence[Sequence[int]] = ()
    layers: str = "auto"
    chunk_frames: int | None = None

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Spec:
        """Read and check the fields of SPEC.json."""
        plain: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()
        }
        plain |= {name: Path(plain[name]) for name in ("output", "work")}
        plain["frames"] = tuple(Path(frame) for frame in plain["frames"])
        return cls(**plain)

    def __post_init__(self) -> None:
        if not self.frames:
            raise Failed("there are no frames")
        if (self.chunk_frames or 1) < 1:
            raise Failed(f"chunk_frames {self.chunk_frames} is below 1")
        if len(self.delays_cs) != len(self.frames):
            raise Failed(f"{len(self.frames)} frames and {len(self.delays_cs)} times")
        if self.palette not in ("global", "per-frame", "given") or self.dither not in DITHERS:
            raise Failed(f"palette {self.palette!r} or dither {self.dither!r} is unknown")
        if not 2 <= self.colors <= MAX_COLOURS or self.layers not in _LAYERS:
            raise Failed(f"colors {self.colors} is not 2 to 256, or layers {self.layers!r} is unknown")

    def bytes_of_frame(self) -> int:
        """Return the memory of one frame in ImageMagick."""
        return self.width * self.height * bytes_per_pixel()


def parts(spec: Spec) -> Iterator[range]:
    """Yield the positions of frames that are encoded together: two or more, within `PART_BYTES`."""
    size = spec.chunk_frames or max(2, int(PART_BYTES / spec.bytes_of_frame()))
    for start in range(0, len(spec.frames), size):
        yield range(start, min(start + size, len(spec.frames)))


def read(spec: Spec, index: int) -> Any:
    """Read frame ``index`` in sRGB, opaque or with alpha of one bit."""
    from wand.image import Image

    path = spec.frames[index]
    label = f"frame {index} of {len(spec.frames)}, {str(path)!r}"
    info = png.inspect(path.resolve(), deep=True)
    if info is None or info.damage:
        raise Failed(f"{label}: {info.damage if info else 'there is no such file'}")
    if (info.width, info.height) != (spec.width, spec.height):
        raise Failed(f"{label}: is {info.width}x{info.height}, expected {spec.width}x{spec.height}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd colour profiles; damage is checked above
            image = Image(blob=path.read_bytes(), format="png")
        image.reset_coords()  # an oFFs chunk would move the frame
        image.transform_colorspace("srgb")
        if spec.transparent:
            image.alpha_channel = "set"
            image.threshold(0.5, "alpha")
        else:
            image.alpha_channel = "remove"
            image.alpha_channel = "off"
    except Exception as error:
        raise Failed(f"{label}: ImageMagick cannot read it: {reason(error)}") from None
    return image


def encoded(stack: Any) -> bytes:
    """Encode all images of ``stack`` as a GIF."""
    blob: bytes = stack.make_blob("gif")
    stack.raise_exception()  # make_blob ignores errors if there are any bytes
    return blob
