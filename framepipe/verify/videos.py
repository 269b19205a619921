"""Video: every frame decoded by a fresh ffmpeg with ``-xerror``."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import ffmpeg
import numpy as np
import numpy.typing as npt

from framepipe.control import Stop
from framepipe.encoders.ffmpeg import GLOBAL_ARGS, PROGRESS_ARGS, run_ffmpeg
from framepipe.encoders.tools import Tool
from framepipe.errors import EncoderFailed
from framepipe.pictures import PATCH_PX, patch_means, split_yuv420, worst_patch
from framepipe.verify.expected import Expected
from framepipe.verify.judge import COMPARED, SAMPLES, picture_checks, spread
from framepipe.verify.report import Check, same


def checks(
    movie: Path, expected: Expected, tool: Tool, stop: Stop | None, work: Path | None
) -> Iterator[Check]:
    """Measure a video; see `framepipe.verify.measure`."""
    repeats = expected.timeline.video_repeats()
    count = sum(repeats)
    starts = np.cumsum([0, *repeats[:-1]])
    samples = spread(len(repeats), SAMPLES)
    wanted = [int(starts[position]) for position in samples]
    compared = {position: int(starts[position]) for position in spread(len(repeats), COMPARED)}
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
    yield same("frames", count, len(times))
    yield same("size", f"{width}x{height}", seen)
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
        yield from picture_checks(pictures, off, expected)


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
    as_is = {"fps_mode": "passthrough"}
    times = source.output("times.txt", format="framecrc", **as_is)
    chosen = source.filter("select", "+".join(f"eq(n,{index})" for index in wanted))
    samples = chosen.output("samples.yuv", format="rawvideo", pix_fmt="yuv420p", **as_is)
    whole = (f"ceil(iw/{PATCH_PX})*{PATCH_PX}", f"ceil(ih/{PATCH_PX})*{PATCH_PX}")
    # called full range, or scaling would stretch the samples to it
    luma = source.filter("extractplanes", "y").filter("setparams", range="full").filter("pad", *whole)
    small = luma.filter("scale", f"iw/{PATCH_PX}", f"ih/{PATCH_PX}", flags="area")
    patches = small.output("patches.gray", format="rawvideo", pix_fmt="gray", **as_is)
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
