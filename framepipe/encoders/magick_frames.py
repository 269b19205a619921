"""What ImageMagick's GIF and WebP share: what is asked for, reading frames, working in parts.

File names are a language to ImageMagick (``%d``, ``[0]``, ``fmt:``): it is given bytes and never a name.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from framepipe import containers, gif, png
from framepipe.encoders.magick_library import bytes_per_pixel

#: Pixels in memory at once; Debian's policy for ImageMagick allows 256 MiB.
PART_BYTES = 150e6
S = TypeVar("S", bound="Spec")


class Failed(Exception):
    """The message is what stderr gets."""


def reason(error: BaseException) -> str:
    """What to say of an error, on one line."""
    if isinstance(error, (Failed, gif.GifDamage, containers.Damage)):
        return str(error)
    if "did not raise" in str(error):  # Wand's words when ImageMagick gave none
        return "ImageMagick failed and gave no reason; often it is a limit in its policy.xml"
    return f"{type(error).__name__}: {error}"


@dataclass(frozen=True, kw_only=True)
class Spec:
    """What to build: fields of SPEC.json for every format.

    Attributes
    ----------
    frames : tuple of Path
        PNG files in order; may repeat.
    output : Path
        The movie to write.
    work : Path
        An existing private folder for the parts.
    width, height : int
        Of every frame, in pixels.
    plays : int
        0 is for ever.
    transparent : bool
        Keep alpha. Else frames are laid over their ``bKGD`` colour, white without one.
    chunk_frames : int, optional
        Frames in one part; by default as many as fit into 150 MB.
    """

    frames: tuple[Path, ...]
    output: Path
    work: Path
    width: int
    height: int
    plays: int = 0
    transparent: bool = False
    chunk_frames: int | None = None

    @classmethod
    def of(cls: type[S], fields: Mapping[str, Any]) -> S:
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

    def check_times(self, times: tuple[int, ...]) -> None:
        """That there is one time for each frame."""
        if len(times) != len(self.frames):
            raise Failed(f"{len(self.frames)} frames and {len(times)} times")

    def bytes_of_frame(self) -> int:
        """What one frame takes in ImageMagick."""
        return self.width * self.height * bytes_per_pixel()


def parts(spec: Spec, bytes_of_frame: float) -> Iterator[range]:
    """Positions of the frames that are encoded together: two or more, within `PART_BYTES`."""
    size = spec.chunk_frames or max(2, int(PART_BYTES / bytes_of_frame))
    for start in range(0, len(spec.frames), size):
        yield range(start, min(start + size, len(spec.frames)))


def read(spec: Spec, index: int, prepare: Callable[[Any], None]) -> Any:
    """Frame ``index`` in sRGB at its place, alpha kept or gone, then as ``prepare`` makes it."""
    from wand.image import Image

    path = spec.frames[index]
    label = f"frame {index} of {len(spec.frames)}, {str(path)!r}"
    found = png.inspect(path.resolve(), deep=True)
    if found is None or found.damage:
        raise Failed(f"{label}: {found.damage if found else 'there is no such file'}")
    if (found.width, found.height) != (spec.width, spec.height):
        raise Failed(f"{label}: is {found.width}x{found.height}, expected {spec.width}x{spec.height}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd colour profiles; damage was looked for above
            image = Image(blob=path.read_bytes(), format="png")
        image.reset_coords()  # an oFFs chunk would move the frame
        image.transform_colorspace("srgb")
        if spec.transparent:
            image.alpha_channel = "set"
        else:
            image.alpha_channel = "remove"
            image.alpha_channel = "off"
        prepare(image)
    except Exception as error:
        raise Failed(f"{label}: ImageMagick cannot read it: {reason(error)}") from None
    return image


def encoded(stack: Any, format_: str) -> bytes:
    """All images of ``stack`` as a file of ``format_``."""
    blob: bytes = stack.make_blob(format_)
    stack.raise_exception()  # make_blob keeps quiet about what went wrong if there are any bytes
    return blob
