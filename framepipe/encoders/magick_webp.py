"""Animated WebP by ImageMagick, in the child process: parts of some frames, joined by `framepipe.webp`.

What it does by itself cannot be used, as measured with 6.9.11: "3 plays" plays for ever, the last frame is
shown for the mean of the others, a whole second WebP stands behind the first (`magick_library`), and all
frames are in memory three times. So only its pictures are taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from framepipe import containers, webp
from framepipe.encoders.magick_frames import Failed, Spec, encoded, parts, read, reason
from framepipe.encoders.magick_library import without_tail

#: All frames of a part have this time, so the time of a picture tells how many equal frames it stands for.
#: ImageMagick makes 100 ms of less than 10.
_MARK_MS = 20
#: The frames, ImageMagick's copy of them, 4 bytes a pixel for libwebp; 1.9 was measured at 1000x700.
_COPIES = 2.4


@dataclass(frozen=True, kw_only=True)
class WebpSpec(Spec):
    """What to build; alpha is kept in all its levels.

    Attributes
    ----------
    durations_ms : tuple of int
        One for each frame.
    lossless : bool
    quality : int
        0 to 100; of a lossless one, the effort.
    method : int
        0 to 6: speed against size.
    """

    durations_ms: tuple[int, ...]
    lossless: bool = True
    quality: int = 75
    method: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_times(self.durations_ms)
        # 100 would be lossless to ImageMagick
        if not 0 <= self.quality < 100 or not 0 <= self.method <= 6:
            raise Failed(f"quality {self.quality} is not 0 to 99, or method {self.method} not 0 to 6")


def build(spec: WebpSpec, on_frame: Callable[[int], None]) -> None:
    """Write the movie, a part at a time."""
    webp.join(
        _parts(spec, on_frame),
        spec.output,
        width=spec.width,
        height=spec.height,
        plays=spec.plays,
        alpha=spec.transparent,
    )


def _parts(spec: WebpSpec, on_frame: Callable[[int], None]) -> Iterator[list[webp.Picture]]:
    together = parts(spec, spec.bytes_of_frame() * _COPIES)
    if not spec.lossless:  # libwebp leaves what changes little as it was, and again, and again: it drifts
        together = (range(at, at + 1) for at in range(len(spec.frames)))
    for indices in together:
        on_frame(indices.start)
        try:
            yield _timed(_covering(spec, indices), spec.durations_ms[indices.start : indices.stop])
        except Exception as error:
            where = f"frames {indices[0]} to {indices[-1]}"
            raise Failed(f"{where}: {reason(error)}") from None
        on_frame(indices.stop)


def _covering(spec: WebpSpec, indices: range) -> list[webp.Picture]:
    """Pictures of some frames, the first one hiding all that is below.

    libwebp cuts transparent margins off the first one; then it is encoded again, on its own, whole.
    """
    found = _encoded(spec, indices)
    first = found[0]
    if first.box == (0, 0, spec.width, spec.height) and first.flags & containers.WEBP_NO_BLEND:
        return found
    whole = _encoded(spec, indices[:1])[0]
    flags = first.flags | containers.WEBP_NO_BLEND
    return [replace(whole, duration_ms=first.duration_ms, flags=flags), *found[1:]]


def _encoded(spec: WebpSpec, indices: range) -> list[webp.Picture]:
    from wand.image import Image

    with Image() as stack:
        for index in indices:
            with read(spec, index, lambda image: _prepare(image, spec)) as image:
                stack.image_add(image)
        stack.options["webp:lossless"] = "true" if spec.lossless else "false"
        stack.options["webp:method"] = str(spec.method)
        return webp.pictures(without_tail(encoded(stack, "webp")))


def _prepare(image: Any, spec: WebpSpec) -> None:
    image.compression_quality = spec.quality
    image.ticks_per_second, image.delay = 1000, _MARK_MS
    image.dispose = "background"  # or the frame before would shine through


def _timed(pictures: Sequence[webp.Picture], durations_ms: Sequence[int]) -> list[webp.Picture]:
    """Each picture for the time of the frames that it stands for: libwebp makes one of equal ones."""
    counts = [picture.duration_ms // _MARK_MS for picture in pictures[:-1]]
    counts.append(len(durations_ms) - sum(counts))
    marked = [picture.duration_ms for picture in pictures[:-1]]
    if min(counts) < 1 or marked != [count * _MARK_MS for count in counts[:-1]]:
        raise Failed(
            f"ImageMagick wrote {len(pictures)} pictures for {len(durations_ms)} frames, at odd times"
        )
    ends = [sum(counts[:place]) for place in range(len(counts) + 1)]
    shown = [sum(durations_ms[start:stop]) for start, stop in pairwise(ends)]
    return [replace(picture, duration_ms=lasts) for picture, lasts in zip(pictures, shown)]
