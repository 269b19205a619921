"""Video: every frame decoded by a fresh ffmpeg with ``-xerror``, beside its source.

Lossy films are compared in the colours that they keep (Y'CbCr, and alpha); lossless ones must be equal
to their sources, frame by frame. Colour tags are read from the container's bytes: ``colr`` of ISO/IEC
14496-12 (QuickTime: ``nclc``), ``Colour`` of Matroska (RFC 9559). What ffmpeg makes of the sources is
not just believed: some frames are converted by `framepipe.pictures.yuv` too.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import ffmpeg
import numpy as np

from framepipe.control import Stop
from framepipe.encoders.ffmpeg import GLOBAL_ARGS, PROGRESS_ARGS, run_ffmpeg
from framepipe.encoders.tools import Tool
from framepipe.errors import EncoderFailed
from framepipe.pictures import PATCH_PX, PERFECT_DB, Picture, read_png, split_yuv, worst_patch
from framepipe.recipes.common import FRAMES, FULL_CHROMA, LIST, SAME, ffconcat, frames_input
from framepipe.recipes.video import as_encoded
from framepipe.verify.expected import Expected
from framepipe.verify.judge import picture_checks, spread
from framepipe.verify.likeness import Likeness
from framepipe.verify.report import Check, same

_HEAD = 1 << 20
_SAMPLES = 8  # frames that are looked at by another converter too
_BT709 = (b"colrnclx\0\1\0\1\0\1\0", b"colrnclc\0\1\0\1\0\1")
#: Elements of Matroska's Colour: matrix, primaries, transfer are BT.709, range is limited.
_BT709_MATROSKA = (b"\x55\xb1\x81\x01", b"\x55\xbb\x81\x01", b"\x55\xba\x81\x01", b"\x55\xb9\x81\x01")


@dataclass(frozen=True)
class _Decoded:
    """What ffmpeg made of a movie.

    Attributes
    ----------
    samples : dict of int to Picture
        Some pictures, by position in the timeline.
    frames : list of Likeness
        Of each tick.
    hashes : list of str
        MD5 of each tick's RGB or RGBA, of a film that must be lossless.
    """

    samples: dict[int, Picture]
    frames: list[Likeness]
    hashes: list[str]


def checks(
    movie: Path, expected: Expected, tool: Tool, stop: Stop | None, work: Path | None
) -> Iterator[Check]:
    """Measure a video; see `framepipe.verify.measure`."""
    repeats = expected.timeline.video_repeats()
    size = "{}x{}".format(*expected.size)
    with _folder(movie, expected, work) as folder:
        try:
            times, found = _look(tool, folder, stop)
            fits = len(times) == sum(repeats) and found == size
            seen = _decode(expected, tool, folder, stop) if fits else None
        except EncoderFailed as error:
            if "No space left" in error.stderr:
                raise  # says nothing of the movie
            yield Check("decodes", False, "without an error", " ".join(str(error).split())[:200])
            return
    decoded = len(times) if seen is None else len(seen.frames)
    yield Check("decodes", True, "without an error", "without an error")
    yield same("frames", sum(repeats), min(decoded, len(times)) if seen else len(times))
    yield same("size", size, found)
    yield from _time_checks(times, sum(repeats), expected)
    if not expected.encoding.lossless:
        yield same("colours", "BT.709, limited range", _colour_tags(movie))
    if seen is None or decoded != len(times):
        return
    if seen.hashes:
        yield _lossless(seen.hashes, repeats, expected)
    yield from picture_checks(_by_position(seen, repeats, expected), expected)


def _time_checks(times: Sequence[Fraction], count: int, expected: Expected) -> Iterator[Check]:
    tick_s = 1 / expected.timeline.video_fps
    lasts_s, due_s = (times[-1] + tick_s if times else Fraction(0)), expected.duration_s
    near = abs(lasts_s - due_s) <= Fraction(1, 1000)
    yield Check("duration", near, f"{float(due_s):.3f} s", f"{float(lasts_s):.3f} s")
    worst = max((abs(time - index * tick_s) for index, time in enumerate(times[:count])), default=Fraction(0))
    within = worst <= Fraction(1, 1000)
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


def _by_position(seen: _Decoded, repeats: Sequence[int], expected: Expected) -> list[Likeness]:
    """The least likeness among the ticks of each frame; samples are looked at by another converter too."""
    frames, at = [], 0
    for times in repeats:
        ticks = seen.frames[at : at + times]
        worst = min(ticks, key=lambda tick: tick.own_db - max(tick.beside_db))
        frames.append(replace(worst, off=max(tick.off for tick in ticks), alike_db=ticks[-1].alike_db))
        at += times
    for position, picture in seen.samples.items():
        source = expected.sample(position)
        off = max(frames[position].off, worst_patch(picture, source))
        frames[position] = replace(frames[position], off=off)
    return frames


@contextlib.contextmanager
def _folder(movie: Path, expected: Expected, work: Path | None) -> Iterator[Path]:
    """A folder with the movie, its frames and their list; file names are data and not in commands."""
    with tempfile.TemporaryDirectory(prefix="framepipe-", dir=work) as name:
        folder = Path(name)
        (folder / "movie").symlink_to(movie.absolute())
        (folder / FRAMES).symlink_to(expected.sources[0].parent.absolute(), target_is_directory=True)
        repeats = expected.timeline.video_repeats()
        names = [path.name for path, times in zip(expected.sources, repeats) for _ in range(times)]
        rate = expected.timeline.video_fps
        (folder / LIST).write_text(ffconcat(names, [1 / rate] * len(names), rate), encoding="ascii")
        yield folder


def _look(tool: Tool, folder: Path, stop: Stop | None) -> tuple[list[Fraction], str]:
    """Presentation times and the size, as ``WxH``, as the container has them: nothing is decoded."""
    source = ffmpeg.input("movie", err_detect="explode").video
    packets = source.output("times.txt", format="framecrc", vcodec="copy")
    run_ffmpeg(tool, [*GLOBAL_ARGS, *PROGRESS_ARGS, *packets.get_args()], cwd=folder, stop=stop)
    return _read_times(folder / "times.txt")


def _decode(expected: Expected, tool: Tool, folder: Path, stop: Stop | None) -> _Decoded:
    """Decode every frame once, beside its source, into likenesses, samples and hashes.

    Raises
    ------
    EncoderFailed
        It does not decode without an error.
    """
    video, (width, height) = expected.encoding, expected.size
    half, repeats = video.chroma == "420", expected.timeline.video_repeats()
    starts = [int(start) for start in np.cumsum([0, *repeats[:-1]])]
    samples = spread(len(starts), _SAMPLES)
    run_ffmpeg(tool, _decode_args(expected, [starts[k] for k in samples]), cwd=folder, stop=stop)
    raw = (folder / "samples.yuv").read_bytes()
    each = width * height * (3 if half else 6) // 2 + (width * height if video.alpha else 0)
    planes = [raw[k * each : (k + 1) * each] for k in range(len(raw) // each)]
    return _Decoded(
        {
            position: split_yuv(plane, width, height, half=half, alpha=video.alpha)
            for position, plane in zip(samples, planes)
        },
        _read_likenesses(folder, sum(repeats) > 1, _planes(expected)),
        _read_hashes(folder / "frames.md5") if _equal(expected) else [],
    )


def _equal(expected: Expected) -> bool:
    """Whether each decoded frame must be its source, sample by sample: not where it is laid over a ground."""
    video = expected.encoding
    return video.lossless and (expected.shape.mode == "RGB" or video.alpha)


def _planes(expected: Expected) -> list[str]:
    """Planes that are compared patch by patch; luma will do where every sample is compared as well."""
    chroma = [] if _equal(expected) else ["u", "v"]
    return ["y", *chroma, *(["a"] if expected.encoding.alpha else [])]


def _decode_args(expected: Expected, wanted: Sequence[int]) -> list[str]:
    """One command that decodes the movie and its sources and compares them, tick by tick.

    Both are paired by position and not by time, which containers round.
    """
    video, beside = expected.encoding, sum(expected.timeline.video_repeats()) > 1
    # ffmpeg's own VP9 decoder drops alpha without a word
    decoder = {"vcodec": "libvpx-vp9"} if video.codec == "vp9" and video.alpha else {}
    movie = ffmpeg.input("movie", err_detect="explode", **decoder).video
    outputs = []
    if _equal(expected):
        hashed = "rgba" if video.alpha else "rgb24"
        outputs.append(movie.output("frames.md5", format="framemd5", pix_fmt=hashed, **SAME))
    ready = as_encoded(frames_input(LIST), video, expected.shape, expected.background)
    seen = _each(_numbered(movie.filter("format", video.pixels)), 5 if beside else 3)
    own = _each(_numbered(ready), 5 if beside else 2)
    outputs.append(_psnr(next(seen), next(own), "own"))
    if beside:
        later = next(own).filter("setpts", "N+1")
        after = _each(next(own).filter("trim", start_frame=1).filter("setpts", "N"), 2)
        outputs.append(_psnr(next(seen), later, "before"))
        outputs.append(_psnr(next(seen), next(after), "after"))
        outputs.append(_psnr(next(own), next(after), "alike"))
    pixels = f"yuv{'a' if video.alpha else ''}{video.chroma}p"
    one, other = (_as_yuv(next(stream), pixels, video.lossless) for stream in (seen, own))
    outputs += _patches(one, other, _planes(expected), beside)
    samples = _as_yuv(next(seen), pixels, video.lossless)
    samples = samples.filter("select", "+".join(f"eq(n,{index})" for index in wanted))
    outputs.append(samples.output("samples.yuv", format="rawvideo", pix_fmt=pixels, **SAME))
    return [*GLOBAL_ARGS, *PROGRESS_ARGS, *ffmpeg.merge_outputs(*outputs).get_args()]


def _each(stream: Any, count: int) -> Iterator[Any]:
    """The same stream so many times; all are to be used."""
    split = stream.filter_multi_output("split", count)
    return (split[at] for at in range(count))


def _numbered(stream: Any) -> Any:
    """The n-th frame at n seconds."""
    return stream.filter("settb", "1").filter("setpts", "N")


def _psnr(one: Any, other: Any, name: str) -> Any:
    compared = ffmpeg.filter([one, other], "psnr", stats_file=f"{name}.txt")
    return compared.output("-", format="null", **SAME)


def _as_yuv(source: Any, pixels: str, from_rgb: bool) -> Any:
    """As it is, but in 8 bits; from RGB as `framepipe.pictures.yuv` converts it."""
    if from_rgb:
        source = source.filter("scale", out_color_matrix="bt709", out_range="tv", flags=FULL_CHROMA)
    return source.filter("format", pixels)


def _patches(seen: Any, own: Any, planes: Sequence[str], beside: bool) -> list[Any]:
    """How far off the worst patch of each frame is, from its source and those beside, as text."""
    outputs = []
    for plane, one, other in zip(planes, _each(seen, len(planes)), _each(own, len(planes))):
        means = _each(_means(one, plane), 3 if beside else 1)
        sources = _each(_means(other, plane), 3 if beside else 1)
        outputs.append(_worst(next(means), next(sources), f"{plane}-own"))
        if beside:
            later = next(sources).filter("setpts", "N+1")
            sooner = next(sources).filter("trim", start_frame=1).filter("setpts", "N")
            outputs.append(_worst(next(means), later, f"{plane}-before"))
            outputs.append(_worst(next(means), sooner, f"{plane}-after"))
    return outputs


def _worst(one: Any, other: Any, name: str) -> Any:
    off = ffmpeg.filter([one, other], "blend", all_mode="difference").filter("signalstats")
    told = off.filter("metadata", mode="print", key="lavfi.signalstats.YMAX", file=f"{name}.txt")
    return told.output("-", format="null", **SAME)


def _means(shown: Any, plane: str) -> Any:
    whole = (f"ceil(iw/{PATCH_PX})*{PATCH_PX}", f"ceil(ih/{PATCH_PX})*{PATCH_PX}")
    # called full range, or scaling would stretch the samples to it
    grey = shown.filter("extractplanes", plane).filter("setparams", range="full").filter("pad", *whole)
    return grey.filter("scale", f"iw/{PATCH_PX}", f"ih/{PATCH_PX}", flags="area")


def _read_likenesses(folder: Path, beside: bool, planes: Sequence[str]) -> list[Likeness]:
    """One for each tick, from what the filters wrote; nothing stands before the first or after the last."""
    own = _read_levels(folder / "own.txt")
    off = _read_worst(folder, planes, "own")
    if not beside:
        return [Likeness(*each) for each in zip(own, off)]
    before = [0.0, *_read_levels(folder / "before.txt")]
    after = [*_read_levels(folder / "after.txt")[: len(own) - 1], 0.0]
    alike = [*_read_levels(folder / "alike.txt")[: len(own) - 1], 0.0]
    pairs = zip(_read_worst(folder, planes, "before"), _read_worst(folder, planes, "after"))
    return [Likeness(*each) for each in zip(own, off, zip(before, after), pairs, alike)]


def _read_levels(path: Path) -> list[float]:
    """PSNR of each frame, as ffmpeg's filter ``psnr`` writes it."""
    return [min(PERFECT_DB, float(level)) for level in re.findall(r"psnr_avg:(\S+)", path.read_text())]


def _read_worst(folder: Path, planes: Sequence[str], name: str) -> list[float]:
    texts = [(folder / f"{plane}-{name}.txt").read_text() for plane in planes]
    return [max(map(float, each)) for each in zip(*(re.findall(r"YMAX=(\S+)", text) for text in texts))]


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
    return sorted(times), size


def _read_hashes(path: Path) -> list[str]:
    lines = path.read_text().splitlines()
    return [line.rpartition(",")[2].strip() for line in lines if not line.startswith("#")]
