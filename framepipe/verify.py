"""Measure a movie against its timeline and its frames, from the file alone.

What an encoder says of its work is not asked here: blocks and times are read from the bytes,
every frame is decoded by another reader (Pillow for GIF, a fresh ffmpeg with ``-xerror`` for MP4),
and sampled frames are compared with their PNGs, each also with its neighbours, so that a shifted,
swapped or stale frame does not pass for a badly encoded one.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import ffmpeg
import numpy as np
import numpy.typing as npt

from framepipe import gif
from framepipe.control import Stop
from framepipe.encoders.ffmpeg import GLOBAL_ARGS, PROGRESS_ARGS, run_ffmpeg
from framepipe.encoders.tools import Tool
from framepipe.errors import EncoderFailed, Interrupted
from framepipe.pictures import (
    PATCH_PX,
    Picture,
    patch_means,
    psnr_db,
    read_png,
    rgb_with_one_bit_alpha,
    split_yuv420,
    worst_patch,
    worst_patch_given_colours,
    yuv420,
)
from framepipe.recipes import Options
from framepipe.store import Shape
from framepipe.timeline import Timeline

_SAMPLES = 8  # compared pixel by pixel, with their neighbours too
_COMPARED = 2000  # compared patch by patch: all frames of most movies


@dataclass(frozen=True)
class Check:
    """One thing measured: what was expected, what was seen."""

    name: str
    ok: bool
    expected: str
    seen: str


@dataclass(frozen=True)
class VerifyReport:
    """All that was measured of one movie.

    Attributes
    ----------
    movie : Path
    checks : tuple of Check
    """

    movie: Path
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """True if every check is as expected."""
        return bool(self.checks) and all(check.ok for check in self.checks)

    def table(self) -> str:
        """The checks as aligned text, a line each."""
        rows = [("", "check", "expected", "seen")]
        rows += [("ok" if c.ok else "NO", c.name, c.expected, c.seen) for c in self.checks]
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        return "\n".join(
            "  ".join([*(text.ljust(width) for text, width in zip(row, widths)), row[3]]).rstrip()
            for row in rows
        )

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        checks = [vars(check) for check in self.checks]
        return {"movie": str(self.movie), "passed": self.passed, "checks": checks}

    def to_json(self) -> str:
        """As JSON text."""
        return json.dumps(self.to_dict(), indent=1)


@dataclass(frozen=True)
class Expected:
    """What a movie should be.

    Attributes
    ----------
    format : {"gif", "mp4"}
    timeline : Timeline
    sources : sequence of Path
        The PNG of each frame of the timeline.
    shape : Shape
        Of the PNGs.
    background : tuple of int
        What transparent pixels are shown over where they cannot be kept.
    options : Options
        Sets how close to its source a frame must be.
    """

    format: str
    timeline: Timeline
    sources: Sequence[Path]
    shape: Shape
    background: tuple[int, int, int]
    options: Options

    def source(self, position: int) -> Picture:
        """The source of a frame of the timeline, as this format would show it."""
        shown = rgb_with_one_bit_alpha if self.format == "gif" else yuv420
        return shown(read_png(self.sources[position]), self.background)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the movie in pixels: even for 4:2:0."""
        width, height = self.shape.width, self.shape.height
        return (width, height) if self.format == "gif" else (width + width % 2, height + height % 2)

    @property
    def duration_s(self) -> Fraction:
        """Seconds of one play, as the container keeps them."""
        if self.format == "gif":
            return Fraction(sum(self.timeline.gif_delays_cs()), 100)
        return sum(self.timeline.video_repeats()) / self.timeline.video_fps

    @property
    def floor_db(self) -> float:
        """Least PSNR of a sampled frame against its source.

        Low, for the worst source is noise in all colours: cut to n colours it has 27 dB at 256, 23
        at 64, 17 at 8; at crf 30 it has 22. Wrong pictures are found patch by patch.
        """
        good = self.options.colors >= 64 if self.format == "gif" else self.options.crf <= 30
        return 20.0 if good else 10.0

    @property
    def closer_db(self) -> float:
        """How much more like a neighbour than like its source a right frame may look.

        x264 leaves small motion as it was: 0.5 dB up to crf 28 and 1.4 dB above were measured.
        """
        return 2.0 if self.format == "mp4" and self.options.crf > 28 else 1.0

    @property
    def patch_limit(self) -> float:
        """Greatest difference that the mean of an 8x8 patch may have.

        See `worst_patch`. Measured: 13 at most at crf 18 (coloured noise), 34 at 40; in GIF 8 with 256
        colours, 23 with 8.
        """
        if self.format == "gif":
            return float(14.0 * (256 / self.options.colors) ** 0.25)
        return float(16.0 * 2 ** (max(0, self.options.crf - 18) / 10))


def measure(
    movie: Path,
    expected: Expected,
    tool: Tool | None = None,
    stop: Stop | None = None,
    work: Path | None = None,
) -> VerifyReport:
    """Measure ``movie``.

    Parameters
    ----------
    movie : Path
    expected : Expected
    tool : Tool, optional
        The ffmpeg that decodes; needed for MP4.
    stop : Stop, optional
    work : Path, optional
        Folder for what is decoded. Default: the system's for temporary files.

    Returns
    -------
    VerifyReport
        With a failed check where the file cannot be read at all; damage is never an exception.
    """
    if expected.format == "gif":
        checks = _gif_checks(movie, expected, stop)
    else:
        assert tool is not None
        checks = _mp4_checks(movie, expected, tool, stop, work)
    return VerifyReport(movie, tuple(checks))


# GIF


def _gif_checks(movie: Path, expected: Expected, stop: Stop | None) -> Iterator[Check]:
    timeline, shape = expected.timeline, expected.shape
    try:
        info = gif.inspect(movie)
    except (gif.GifDamage, OSError) as error:
        yield Check("structure", False, "a whole GIF file", str(error))
        return
    delays = timeline.gif_delays_cs()
    yield Check("structure", True, "a whole GIF file", f"{info.size_bytes:,} bytes")
    yield _same("frames", len(delays), info.frames)
    yield _same("size", f"{shape.width}x{shape.height}", f"{info.width}x{info.height}")
    yield Check("duration", sum(delays) == sum(info.delays_cs), _cs(delays), _cs(info.delays_cs))
    yield _same_list("delays", delays, info.delays_cs, "cs")
    yield _same("plays", _plays(timeline.loop), _plays(info.plays))
    if (info.frames, info.width, info.height) != (len(delays), shape.width, shape.height):
        return
    try:
        pictures, off = _gif_pictures(movie, info.frames, expected, stop)
    except (OSError, EOFError, ValueError, SyntaxError, IndexError) as error:
        yield Check("decodes", False, "every frame", f"{type(error).__name__}: {error}")
        return
    yield Check("decodes", True, "every frame", "every frame")
    yield from _picture_checks(pictures, off, expected)


def _gif_pictures(
    movie: Path, frames: int, expected: Expected, stop: Stop | None
) -> tuple[dict[int, Picture], dict[int, float]]:
    """Decode every frame; the sampled pictures, and how far off the patches of each frame are."""
    from PIL import Image

    samples, compared = set(_spread(frames, _SAMPLES)), set(_spread(frames, _COMPARED))
    pictures: dict[int, Picture] = {}
    off: dict[int, float] = {}
    with Image.open(movie) as image:
        for index in range(frames):
            if stop and stop.requested:
                raise Interrupted(
                    f"stopped{stop.by} while {movie.name} was verified: the frames are safe. "
                    "Run the same again to go on",
                    signal_name=stop.signal_name,
                )
            image.seek(index)
            image.load()
            if index not in compared:
                continue
            rgba = np.asarray(image.convert("RGBA"))
            seen, source = rgb_with_one_bit_alpha(rgba, expected.background), expected.source(index)
            off[index] = worst_patch(seen, source)
            if off[index] > expected.patch_limit or index in samples:
                off[index] = worst_patch_given_colours(seen, source)
            if index in samples:
                pictures[index] = seen
    return pictures, off


# MP4


def _mp4_checks(
    movie: Path, expected: Expected, tool: Tool, stop: Stop | None, work: Path | None
) -> Iterator[Check]:
    repeats = expected.timeline.video_repeats()
    count = sum(repeats)
    starts = np.cumsum([0, *repeats[:-1]])
    samples = _spread(len(repeats), _SAMPLES)
    wanted = [int(starts[position]) for position in samples]
    compared = {position: int(starts[position]) for position in _spread(len(repeats), _COMPARED)}
    with tempfile.TemporaryDirectory(prefix="framepipe-", dir=work) as name:
        folder = Path(name)
        (folder / "movie.mp4").symlink_to(movie.absolute())
        try:
            run_ffmpeg(tool, _decode_args(wanted), cwd=folder, stop=stop)
        except EncoderFailed as error:
            if "No space left" in error.stderr:
                raise  # says nothing of the movie
            yield Check("decodes", False, "without an error", " ".join(str(error).split())[:200])
            return
        times, seen = _read_times(folder / "times.txt")
        raw = (folder / "samples.yuv").read_bytes()
        patches = np.fromfile(folder / "patches.gray", np.uint8)
    width, height = expected.size
    tick_s = 1 / expected.timeline.video_fps
    due = [index * tick_s for index in range(count)]
    yield Check("decodes", True, "without an error", "without an error")
    yield _same("frames", count, len(times))
    yield _same("size", f"{width}x{height}", seen)
    lasts_s = times[-1] + tick_s if times else Fraction(0)
    due_s = expected.duration_s
    yield Check(
        "duration",
        abs(lasts_s - due_s) < Fraction(1, 1000),
        f"{float(due_s):.3f} s",
        f"{float(lasts_s):.3f} s",
    )
    worst = max((abs(a - b) for a, b in zip(times, due)), default=Fraction(0))
    yield Check(
        "times",
        worst < Fraction(1, 1000),
        "within 1 ms",
        f"off by {float(worst) * 1000:.3g} ms at most",
    )
    size = width * height * 3 // 2
    if len(times) == count and seen == f"{width}x{height}" and len(raw) == size * len(wanted):
        pictures = {
            position: split_yuv420(raw[k * size : (k + 1) * size], width, height)
            for k, position in enumerate(samples)
        }
        off = _luma_off(patches, compared, expected)
        for position, picture in pictures.items():
            off[position] = worst_patch(picture, expected.source(position))
        yield from _picture_checks(pictures, off, expected)


def _luma_off(
    patches: npt.NDArray[np.uint8], compared: Mapping[int, int], expected: Expected
) -> dict[int, float]:
    """How far off the patches of each frame's luma are, by position; from their means in the movie."""
    width, height = expected.size
    means = patches.reshape(-1, -(-height // PATCH_PX), -(-width // PATCH_PX))
    whole = (slice(height // PATCH_PX), slice(width // PATCH_PX))  # those at the edge were padded
    off: dict[int, float] = {}
    for position, tick in compared.items():
        difference = means[tick][whole].astype(np.float32) - patch_means(expected.source(position)[0])[whole]
        off[position] = float(np.max(np.abs(difference), initial=0))
    return off


def _decode_args(wanted: Sequence[int]) -> list[str]:
    source = ffmpeg.input("movie.mp4", err_detect="explode").video
    same = {"fps_mode": "passthrough"}
    times = source.output("times.txt", format="framecrc", **same)
    chosen = source.filter("select", "+".join(f"eq(n,{index})" for index in wanted))
    samples = chosen.output("samples.yuv", format="rawvideo", pix_fmt="yuv420p", **same)
    whole = (f"ceil(iw/{PATCH_PX})*{PATCH_PX}", f"ceil(ih/{PATCH_PX})*{PATCH_PX}")
    # called full range, or scaling would stretch the samples to it
    luma = source.filter("extractplanes", "y").filter("setparams", range="full").filter("pad", *whole)
    small = luma.filter("scale", f"iw/{PATCH_PX}", f"ih/{PATCH_PX}", flags="area")
    patches = small.output("patches.gray", format="rawvideo", pix_fmt="gray", **same)
    outputs = ffmpeg.merge_outputs(times, samples, patches)
    return [*GLOBAL_ARGS, *PROGRESS_ARGS, *outputs.get_args()]


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


# Pictures


def _spread(count: int, most: int) -> list[int]:
    """Positions: all, or ``most`` evenly spread ones with the first and the last."""
    most = min(count, most)
    return sorted({round(index * (count - 1) / max(1, most - 1)) for index in range(most)})


def _picture_checks(
    pictures: Mapping[int, Picture], off: Mapping[int, float], expected: Expected
) -> Iterator[Check]:
    """Judge how close pictures are to their sources, and to the sources beside these.

    Parameters
    ----------
    pictures : mapping of int to Picture
        Sampled ones, by position in the timeline.
    off : mapping of int to float
        How far off the worst patch of each compared frame is.
    """
    close: dict[int, float] = {}
    foreign = ""
    for own, seen in pictures.items():
        close[own] = psnr_db(seen, expected.source(own))
        for beside in (own - 1, own + 1):
            if foreign or not 0 <= beside < len(expected.sources):
                continue
            if psnr_db(seen, expected.source(beside)) > close[own] + expected.closer_db:
                foreign = f"frame {own} shows {expected.sources[beside].name}"
    worst, worst_off = min(close, key=close.__getitem__), max(off, key=off.__getitem__)
    yield Check(
        "pictures",
        close[worst] >= expected.floor_db,
        f"at least {expected.floor_db:g} dB",
        f"{close[worst]:.1f} dB at least, in {len(close)} frames (frame {worst})",
    )
    yield Check(
        "patches",
        off[worst_off] <= expected.patch_limit,
        f"8x8 px within {expected.patch_limit:.0f}/255",
        f"off by {off[worst_off]:.1f} at most, in {len(off)} frames (frame {worst_off})",
    )
    yield Check("order", not foreign, "each frame shows its own", foreign or "each frame shows its own")


# Words


def _same(name: str, expected: object, seen: object) -> Check:
    return Check(name, expected == seen, str(expected), str(seen))


def _same_list(name: str, expected: Sequence[int], seen: Sequence[int], unit: str) -> Check:
    if tuple(expected) == tuple(seen):
        text = f"{_steps(expected)} {unit}"
        return Check(name, True, text, text)
    wrong = next((k for k, (a, b) in enumerate(zip(expected, seen)) if a != b), min(len(expected), len(seen)))
    at = f"from frame {wrong}: {', '.join(map(str, seen[wrong : wrong + 4])) or 'none'}"
    return Check(name, False, f"{_steps(expected)} {unit}", at)


def _steps(values: Sequence[int]) -> str:
    distinct = sorted(set(values))
    return ", ".join(map(str, distinct[:5])) + (" …" if len(distinct) > 5 else "")


def _cs(delays: Sequence[int]) -> str:
    return f"{sum(delays) / 100:.2f} s"


def _plays(count: int) -> str:
    return "for ever" if count == 0 else f"{count} time{'s' if count > 1 else ''}"
