"""Measure a movie against its timeline and its frames, from the file alone.

What an encoder says of its work is not asked here: blocks and times are read from the bytes,
every frame is decoded by another reader (Pillow for GIF, a fresh ffmpeg with ``-xerror`` for MP4),
and sampled frames are compared with their PNGs, each also with its neighbours, so that a shifted,
swapped or stale frame does not pass for a badly encoded one.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from framepipe.errors import EncoderFailed
from framepipe.recipes import Options
from framepipe.store import Shape
from framepipe.timeline import Timeline

Pixels = npt.NDArray[Any]
_SAMPLES = 8
#: A frame may look more like a neighbour than like its source by this much: noise of the measure.
_CLOSER_DB = 1.0
_PERFECT_DB = 99.0


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

    @property
    def floor_db(self) -> float:
        """Least PSNR of a sampled frame against its source.

        Low enough for the worst source, noise in all colours, at these settings: uniform noise
        cut to n colours has 27 dB at 256, 23 at 64, 17 at 8. A wrong picture of a plot, mostly
        ground, may have more: that is what the comparison with the neighbours is for.
        """
        if self.format == "gif":
            return 20.0 if self.options.colors >= 64 else 10.0
        return 20.0 if self.options.crf <= 30 else 12.0


def measure(
    movie: Path, expected: Expected, tool: Tool | None = None, stop: Stop | None = None
) -> VerifyReport:
    """Measure ``movie``.

    Parameters
    ----------
    movie : Path
    expected : Expected
    tool : Tool, optional
        The ffmpeg that decodes; needed for MP4.
    stop : Stop, optional

    Returns
    -------
    VerifyReport
        With a failed check where the file cannot be read at all; damage is never an exception.
    """
    if expected.format == "gif":
        checks = _gif_checks(movie, expected)
    else:
        assert tool is not None
        checks = _mp4_checks(movie, expected, tool, stop)
    return VerifyReport(movie, tuple(checks))


# GIF


def _gif_checks(movie: Path, expected: Expected) -> Iterator[Check]:
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
    if info.frames == len(delays):
        yield from _decoded(lambda wanted: _gif_pictures(movie, info.frames, wanted), expected, _over)


def _gif_pictures(movie: Path, frames: int, wanted: set[int]) -> dict[int, Pixels]:
    from PIL import Image

    pictures: dict[int, Pixels] = {}
    with Image.open(movie) as image:
        for index in range(frames):
            image.seek(index)
            image.load()
            if index in wanted:
                pictures[index] = np.asarray(image.convert("RGBA"))
    return pictures


def _over(rgba: Pixels, expected: Expected) -> Pixels:
    """As GIF shows it: a pixel is opaque or not at all."""
    ground = np.array(expected.background, np.uint8)
    return np.where(rgba[..., 3:] >= 128, rgba[..., :3], ground)


# MP4


def _mp4_checks(movie: Path, expected: Expected, tool: Tool, stop: Stop | None) -> Iterator[Check]:
    repeats = expected.timeline.video_repeats()
    count = sum(repeats)
    wanted = sorted(_samples(count))
    with tempfile.TemporaryDirectory(prefix="framepipe-") as name:
        folder = Path(name)
        (folder / "movie.mp4").symlink_to(movie.absolute())
        try:
            run_ffmpeg(tool, _decode_args(wanted), cwd=folder, stop=stop)
        except EncoderFailed as error:
            yield Check("decodes", False, "without an error", " ".join(str(error).split())[:200])
            return
        times, seen = _read_times(folder / "times.txt")
        raw = (folder / "samples.yuv").read_bytes()
    width, height = (side + side % 2 for side in (expected.shape.width, expected.shape.height))
    due = [index / expected.timeline.fps for index in range(count)]
    yield Check("decodes", True, "without an error", "without an error")
    yield _same("frames", count, len(times))
    yield _same("size", f"{width}x{height}", seen)
    lasts_s = times[-1] + 1 / expected.timeline.fps if times else Fraction(0)
    due_s = count / expected.timeline.fps
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
        planes = np.frombuffer(raw, np.uint8).reshape(len(wanted), size)
        yield from _decoded(lambda _: dict(zip(wanted, planes)), expected, _yuv, repeats)


def _decode_args(wanted: Sequence[int]) -> list[str]:
    source = ffmpeg.input("movie.mp4", err_detect="explode").video
    same = {"fps_mode": "passthrough"}
    times = source.output("times.txt", format="framecrc", **same)
    chosen = source.filter("select", "+".join(f"eq(n,{index})" for index in wanted))
    samples = chosen.output("samples.yuv", format="rawvideo", pix_fmt="yuv420p", **same)
    return [*GLOBAL_ARGS, *PROGRESS_ARGS, *ffmpeg.merge_outputs(times, samples).get_args()]


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


def _yuv(rgba: Pixels, expected: Expected) -> Pixels:
    """The picture as the movie keeps it: BT.709 limited range (ITU-R BT.709-6, 3), 4:2:0, planes.

    Compared there, what 4:2:0 loses by its nature does not count as an error.
    """
    ground = np.array(expected.background, np.float32)
    alpha = rgba[..., 3:].astype(np.float32) / 255
    rgb = rgba[..., :3] * alpha + ground * (1 - alpha)
    odd = [(0, side % 2) for side in rgb.shape[:2]]
    red, green, blue = (np.pad(rgb[..., k], odd, constant_values=ground[k]) / 255 for k in range(3))
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    chroma = ((blue - luma) / 1.8556, (red - luma) / 1.5748)
    half = [(c[::2, ::2] + c[1::2, ::2] + c[::2, 1::2] + c[1::2, 1::2]) / 4 for c in chroma]
    planes = [16 + 219 * luma, *(128 + 224 * c for c in half)]
    return np.concatenate([plane.ravel() for plane in planes])


# Pictures


def _samples(count: int) -> set[int]:
    """First, last and some between."""
    most = min(count, _SAMPLES)
    return {round(index * (count - 1) / max(1, most - 1)) for index in range(most)}


def _decoded(
    read: Callable[[set[int]], Mapping[int, Pixels]],
    expected: Expected,
    shown: Callable[[Pixels, Expected], Pixels],
    repeats: Sequence[int] | None = None,
) -> Iterator[Check]:
    """Decode, and compare sampled frames with their sources and the sources beside them."""
    owner = np.repeat(np.arange(len(expected.sources)), repeats if repeats is not None else 1)
    try:
        pictures = read(_samples(len(owner)))
    except (OSError, EOFError, ValueError, SyntaxError, IndexError) as error:
        yield Check("decodes", False, "every frame", f"{type(error).__name__}: {error}")
        return
    if repeats is None:
        yield Check("decodes", True, "every frame", "every frame")
    worst, worst_at, foreign = _PERFECT_DB, 0, ""
    for index, picture in pictures.items():
        own = int(owner[index])
        seen = picture if picture.ndim == 1 else shown(picture, expected)
        closeness = _psnr(seen, shown(_source(expected.sources[own]), expected))
        if closeness < worst:
            worst, worst_at = closeness, index
        for beside in (own - 1, own + 1):
            if 0 <= beside < len(expected.sources) and expected.sources[beside] != expected.sources[own]:
                other = _psnr(seen, shown(_source(expected.sources[beside]), expected))
                if other > closeness + _CLOSER_DB:
                    foreign = foreign or f"frame {index} shows {expected.sources[beside].name}"
    yield Check(
        "pictures",
        worst >= expected.floor_db,
        f"at least {expected.floor_db:g} dB",
        f"{worst:.1f} dB at least, in {len(pictures)} frames (frame {worst_at})",
    )
    yield Check("order", not foreign, "each frame shows its own", foreign or "each frame shows its own")


def _source(path: Path) -> Pixels:
    from PIL import Image

    with Image.open(path) as image:
        return np.asarray(image.convert("RGBA"))


def _psnr(one: Pixels, other: Pixels) -> float:
    """Peak signal-to-noise ratio in dB of 8-bit samples; 99 for equal ones."""
    if one.shape != other.shape:
        return 0.0
    error = float(np.mean((one.astype(np.float32) - other.astype(np.float32)) ** 2))
    return _PERFECT_DB if error == 0 else min(_PERFECT_DB, float(10 * np.log10(255**2 / error)))


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
