"""Video: every frame decoded by a fresh ffmpeg with ``-xerror``.

Lossy films are compared in the colours that they keep (Y'CbCr, and alpha); lossless ones must be equal
to their sources, frame by frame. Colour tags are read from the container's bytes: ``colr`` of ISO/IEC
14496-12 (QuickTime: ``nclc``), ``Colour`` of Matroska (RFC 9559).
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import ffmpeg
import numpy as np
import numpy.typing as npt

from framepipe.control import Stop
from framepipe.encoders.ffmpeg import GLOBAL_ARGS, PROGRESS_ARGS, run_ffmpeg
from framepipe.encoders.tools import Tool
from framepipe.errors import EncoderFailed
from framepipe.pictures import PATCH_PX, Picture, patch_means, read_png, split_yuv, worst_patch
from framepipe.recipes.common import FULL_CHROMA, SAME
from framepipe.verify.expected import Expected
from framepipe.verify.judge import COMPARED, SAMPLES, picture_checks, spread
from framepipe.verify.report import Check, same

_HEAD = 1 << 20
_BT709 = (b"colrnclx\0\1\0\1\0\1\0", b"colrnclc\0\1\0\1\0\1")
#: Elements of Matroska's Colour: matrix, primaries, transfer are BT.709, range is limited.
_BT709_MATROSKA = (b"\x55\xb1\x81\x01", b"\x55\xbb\x81\x01", b"\x55\xba\x81\x01", b"\x55\xb9\x81\x01")


@dataclass(frozen=True)
class _Decoded:
    """What ffmpeg made of a movie.

    Attributes
    ----------
    times : list of Fraction
    size : str
        ``WxH``.
    pictures : dict of int to Picture
        Samples, by position in the timeline; empty if they do not have the size that is due.
    patches : list of ndarray of uint8, shape (ticks, rows, columns)
        Means of 8x8 patches of luma, and of alpha if it is kept.
    hashes : list of str
        MD5 of each tick's RGB or RGBA, of a film that must be lossless.
    """

    times: list[Fraction]
    size: str
    pictures: dict[int, Picture]
    patches: list[npt.NDArray[np.uint8]]
    hashes: list[str]


def checks(
    movie: Path, expected: Expected, tool: Tool, stop: Stop | None, work: Path | None
) -> Iterator[Check]:
    """Measure a video; see `framepipe.verify.measure`."""
    repeats = expected.timeline.video_repeats()
    starts = [int(start) for start in np.cumsum([0, *repeats[:-1]])]
    try:
        seen = _decode(movie, expected, starts, tool, stop, work)
    except EncoderFailed as error:
        if "No space left" in error.stderr:
            raise  # says nothing of the movie
        yield Check("decodes", False, "without an error", " ".join(str(error).split())[:200])
        return
    width, height = expected.size
    yield Check("decodes", True, "without an error", "without an error")
    yield same("frames", sum(repeats), len(seen.times))
    yield same("size", f"{width}x{height}", seen.size)
    yield from _time_checks(seen.times, sum(repeats), expected)
    if not expected.encoding.lossless:
        yield same("colours", "BT.709, limited range", _colour_tags(movie))
    if len(seen.times) != sum(repeats) or not seen.pictures:
        return
    if expected.encoding.lossless and (expected.shape.mode == "RGB" or expected.encoding.alpha):
        yield _lossless(seen.hashes, repeats, expected)
    yield from picture_checks(seen.pictures, _off(seen, starts, expected), expected)


def _time_checks(times: Sequence[Fraction], count: int, expected: Expected) -> Iterator[Check]:
    tick_s = 1 / expected.timeline.video_fps
    lasts_s, due_s = (times[-1] + tick_s if times else Fraction(0)), expected.duration_s
    near = abs(lasts_s - due_s) < Fraction(1, 1000)
    yield Check("duration", near, f"{float(due_s):.3f} s", f"{float(lasts_s):.3f} s")
    worst = max((abs(time - index * tick_s) for index, time in enumerate(times[:count])), default=Fraction(0))
    within = worst < Fraction(1, 1000)
    yield Check("times", within, "within 1 ms", f"off by {float(worst) * 1000:.3g} ms at most")


def _colour_tags(movie: Path) -> str:
    with movie.open("rb") as file:
        head = file.read(_HEAD)
    tagged = any(tag in head for tag in _BT709) or all(element in head for element in _BT709_MATROSKA)
    return "BT.709, limited range" if tagged else "not tagged so"


def _lossless(hashes: Sequence[str], repeats: Sequence[int], expected: Expected) -> Check:
    """Every frame is its source, sample by sample."""
    channels = 4 if expected.encoding.alpha else 3
    at, wrong = 0, ""
    for position, times in enumerate(repeats):
        pixels = np.ascontiguousarray(read_png(expected.sources[position])[..., :channels])
        due = hashlib.md5(pixels.data, usedforsecurity=False).hexdigest()
        if not wrong and set(hashes[at : at + times]) != {due}:
            wrong = f"frame {position} is not {expected.sources[position].name}"
        at += times
    return Check("lossless", not wrong, "equal to the sources", wrong or "equal to the sources")


def _off(seen: _Decoded, starts: Sequence[int], expected: Expected) -> dict[int, float]:
    """How far off the patches of each compared frame are, by position."""
    off: dict[int, float] = {}
    for position in spread(len(starts), COMPARED):
        source = expected.source(position)
        planes = [source[0], *source[3:]]
        off[position] = max(_patches_off(m[starts[position]], p) for m, p in zip(seen.patches, planes))
    for position, picture in seen.pictures.items():
        off[position] = max(off[position], worst_patch(picture, expected.source(position)))
    return off


def _patches_off(means: npt.NDArray[np.uint8], plane: npt.NDArray[Any]) -> float:
    whole = (slice(plane.shape[0] // PATCH_PX), slice(plane.shape[1] // PATCH_PX))  # others were padded
    difference = means[whole].astype(np.float32) - patch_means(plane)[whole]
    return float(np.max(np.abs(difference), initial=0))


def _decode(
    movie: Path, expected: Expected, starts: Sequence[int], tool: Tool, stop: Stop | None, work: Path | None
) -> _Decoded:
    """Decode it once, into times, samples, patches and hashes.

    Raises
    ------
    EncoderFailed
        It does not decode without an error.
    """
    video, (width, height) = expected.encoding, expected.size
    half, samples = video.chroma == "420", spread(len(starts), SAMPLES)
    with tempfile.TemporaryDirectory(prefix="framepipe-", dir=work) as name:
        folder = Path(name)
        (folder / "movie").symlink_to(movie.absolute())
        args = _decode_args(expected, [starts[position] for position in samples])
        run_ffmpeg(tool, args, cwd=folder, stop=stop)
        times, size = _read_times(folder / "times.txt")
        raw = (folder / "samples.yuv").read_bytes()
        shape = (-1, -(-height // PATCH_PX), -(-width // PATCH_PX))
        files = [folder / f"{plane}.gray" for plane in (("y", "a") if video.alpha else ("y",))]
        flat = [np.fromfile(file, np.uint8) for file in files]
        hashes = _read_hashes(folder / "frames.md5") if video.lossless else []
    each = len(raw) // max(1, len(samples))
    due = width * height * (3 if half else 6) // 2 + (width * height if video.alpha else 0)
    right = size == f"{width}x{height}" and len(raw) == due * len(samples)
    pictures = {
        position: split_yuv(raw[k * each : (k + 1) * each], width, height, half=half, alpha=video.alpha)
        for k, position in enumerate(samples)
        if right
    }
    return _Decoded(times, size, pictures, [plane.reshape(shape) for plane in flat] if right else [], hashes)


def _decode_args(expected: Expected, wanted: Sequence[int]) -> list[str]:
    video = expected.encoding
    # ffmpeg's own VP9 decoder drops alpha without a word
    decoder = {"vcodec": "libvpx-vp9"} if video.codec == "vp9" and video.alpha else {}
    source = ffmpeg.input("movie", err_detect="explode", **decoder).video
    outputs = [source.output("times.txt", format="framecrc", **SAME)]
    if video.lossless:
        hashed = "rgba" if video.alpha else "rgb24"
        outputs.append(source.output("frames.md5", format="framemd5", pix_fmt=hashed, **SAME))
    planes = "ya" if video.alpha else "y"
    pixels = f"yuv{'a' if video.alpha else ''}{video.chroma}p"
    split = _as_yuv(source, pixels, video.lossless).filter_multi_output("split", 1 + len(planes))
    chosen = split[0].filter("select", "+".join(f"eq(n,{index})" for index in wanted))
    outputs.append(chosen.output("samples.yuv", format="rawvideo", pix_fmt=pixels, **SAME))
    for at, plane in enumerate(planes, 1):
        means = _patches(split[at], plane)
        outputs.append(means.output(f"{plane}.gray", format="rawvideo", pix_fmt="gray", **SAME))
    return [*GLOBAL_ARGS, *PROGRESS_ARGS, *ffmpeg.merge_outputs(*outputs).get_args()]


def _as_yuv(source: Any, pixels: str, from_rgb: bool) -> Any:
    """As it is, but in 8 bits; from RGB as `framepipe.pictures.yuv` converts it."""
    if from_rgb:
        source = source.filter("scale", out_color_matrix="bt709", out_range="tv", flags=FULL_CHROMA)
    return source.filter("format", pixels)


def _patches(shown: Any, plane: str) -> Any:
    whole = (f"ceil(iw/{PATCH_PX})*{PATCH_PX}", f"ceil(ih/{PATCH_PX})*{PATCH_PX}")
    # called full range, or scaling would stretch the samples to it
    grey = shown.filter("extractplanes", plane).filter("setparams", range="full").filter("pad", *whole)
    return grey.filter("scale", f"iw/{PATCH_PX}", f"ih/{PATCH_PX}", flags="area")


def _read_times(path: Path) -> tuple[list[Fraction], str]:
    """Presentation times in seconds, and the size as ``WxH``, from framecrc's text."""
    base, size, times = Fraction(1), "", []
    for line in path.read_text().splitlines():
        if line.startswith("#tb 0:"):
            base = Fraction(line.split(":")[1].strip())
        elif line.startswith("#dimensions 0:"):
            size = line.split(":")[1].strip()
        elif not line.startswith("#"):
            times.append(int(line.split(",")[2]) * base)
    return times, size


def _read_hashes(path: Path) -> list[str]:
    lines = path.read_text().splitlines()
    return [line.rpartition(",")[2].strip() for line in lines if not line.startswith("#")]
