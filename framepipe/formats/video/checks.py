"""Check videos: every frame is decoded by a new ffmpeg with ``-xerror``, together with its source.

Lossy movies are compared in their own colours (Y'CbCr, and alpha); lossless ones must be equal to their
sources, frame by frame. Colour tags are read from the container's bytes: ``colr`` of ISO/IEC 14496-12
(QuickTime: ``nclc``), ``Colour`` of Matroska (RFC 9559). ffmpeg's conversion of the sources is checked too:
some frames are also converted by `framepipe.core.images.yuv`.
"""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import ffmpeg
import numpy as np

from framepipe.core.control import Control
from framepipe.core.images import Picture, Pixels, read_png, split_yuv, worst_patch, yuv
from framepipe.core.process import Tool
from framepipe.encoders.ffmpeg import GLOBAL_ARGS, PROGRESS_ARGS, run_ffmpeg
from framepipe.errors import EncoderFailed
from framepipe.formats.frame_input import FRAMES, FULL_CHROMA, LIST, SAME, ffconcat, frames_input
from framepipe.formats.video.colours import conversion
from framepipe.formats.video.encoding import Encoding, as_encoded, encoding
from framepipe.formats.video.film import films_in, read_hashes
from framepipe.formats.video.tap import Planes, piped, small, tapped
from framepipe.verification import cells
from framepipe.verification.blocks import BlockComparison, SuspectFrame
from framepipe.verification.cells import (
    Blocks,
    Cells,
    block_errors,
    cut,
    differences,
    patch_sums,
    psnr,
    squares,
)
from framepipe.verification.expected import Expected
from framepipe.verification.judge import could_be_another, picture_checks, spread
from framepipe.verification.likeness import FrameScore
from framepipe.verification.report import Check, same

_HEAD = 1 << 20
_COLOURS = "BT.709, limited range"
_ALONE, _FILMS = "alone.ffconcat", "films.ffconcat"
_LATER_S = 100_000_000  # after any movie
_SAMPLES = 8  # frames that are converted here too
_BT709 = (b"colrnclx\0\1\0\1\0\1\0", b"colrnclc\0\1\0\1\0\1")
#: Elements of Matroska's Colour: matrix, primaries, transfer are BT.709, range is limited.
_BT709_MATROSKA = (b"\x55\xb1\x81\x01", b"\x55\xbb\x81\x01", b"\x55\xba\x81\x01", b"\x55\xb9\x81\x01")


@dataclass(frozen=True)
class _Decoded:
    """The results of decoding a movie with ffmpeg.

    Attributes
    ----------
    samples : dict of int to Picture
        Some pictures, by position in the timeline.
    due : dict of int to Picture
        Their sources, converted here.
    frames : list of FrameScore
        The scores of each tick.
    hashes : list of str
        MD5 of each tick's RGB or RGBA, if the movie must be lossless.
    foreign : str
        Describes a frame that shows another's source; see `framepipe.verification.blocks`.
    alike_mse : float
        The mean squared difference below which two sources are too alike to be distinguished.
    tags_agree : bool
        The tags of the stream agree with those of the container.
    """

    samples: dict[int, Picture]
    due: dict[int, Picture]
    frames: list[FrameScore]
    hashes: list[str]
    foreign: str = ""
    alike_mse: float = 0.0
    tags_agree: bool = True


def checks(
    movie: Path, expected: Expected, tool: Tool, control: Control, work: Path | None
) -> Iterator[Check]:
    """Yield the checks of a video; see `framepipe.formats.measure`."""
    repeats = expected.timeline.video_repeats()
    size = "{}x{}".format(*expected.size)
    with _folder(movie, expected, work) as folder:
        try:
            times, actual_size = look(tool, folder, control)
            is_decodable = len(times) == sum(repeats) and actual_size == size
            decoded = _decode(expected, tool, folder, control) if is_decodable else None
        except EncoderFailed as error:
            yield decoding_failed(error)
            return
    frame_count = len(times) if decoded is None else len(decoded.frames)
    colours = "" if _encoding(expected).lossless else _colours(movie, decoded, expected)
    yield from container_checks(movie, expected, times, actual_size, min(frame_count, len(times)), colours)
    if decoded is None or frame_count != len(times):
        return
    if decoded.hashes:
        yield _lossless(decoded.hashes, repeats, expected)
    yield from picture_checks(
        _by_position(decoded, repeats, expected), expected, decoded.foreign, decoded.alike_mse
    )


def decoding_failed(error: EncoderFailed) -> Check:
    """Return the check of a movie that cannot be decoded.

    Raises
    ------
    EncoderFailed
        The reason says nothing of the movie.
    """
    if "No space left" in error.stderr:
        raise error
    return Check("decodes", False, "without an error", " ".join(str(error).split())[:200])


def container_checks(
    movie: Path,
    expected: Expected,
    times: Sequence[Fraction],
    size: str,
    frames: int,
    colours: str | None = None,
) -> Iterator[Check]:
    """Yield the checks of what a container says, of a movie that was decoded without an error.

    Parameters
    ----------
    movie : Path
    expected : Expected
    times, size
        What `look` returns.
    frames : int
        How many were decoded.
    colours : str, optional
        Its colours. Default: those of its tags.
    """
    count = sum(expected.timeline.video_repeats())
    yield Check("decodes", True, "without an error", "without an error")
    yield same("frames", count, frames)
    yield same("size", "{}x{}".format(*expected.size), size)
    yield from _time_checks(times, count, expected)
    if not _encoding(expected).lossless:
        yield same("colours", _COLOURS, _colour_tags(movie) if colours is None else colours)


def _time_checks(times: Sequence[Fraction], count: int, expected: Expected) -> Iterator[Check]:
    tick_s = 1 / expected.timeline.video_fps
    lasts_s, due_s = (times[-1] + tick_s if times else Fraction(0)), expected.duration_s
    is_near = abs(lasts_s - due_s) <= Fraction(1, 1000)
    yield Check("duration", is_near, f"{float(due_s):.3f} s", f"{float(lasts_s):.3f} s")
    worst = max((abs(time - index * tick_s) for index, time in enumerate(times[:count])), default=Fraction(0))
    are_near = worst <= Fraction(1, 1000)
    yield Check("times", are_near, "within 1 ms", f"off by {float(worst) * 1000:.3g} ms at most")


def _colours(movie: Path, decoded: _Decoded | None, expected: Expected) -> str:
    """Describe the colours by the tags of container and stream, and by the samples of some frames."""
    if (tagged := _colour_tags(movie)) != _COLOURS or decoded is None:
        return tagged
    if not decoded.tags_agree:
        return "tagged so, but in the stream otherwise"
    pairs = [(picture, decoded.due[position]) for position, picture in decoded.samples.items()]
    converted = conversion(pairs, expected.tolerance.grain.limit)
    return converted if converted == _COLOURS else f"tagged so, but samples are {converted}"


def _colour_tags(movie: Path) -> str:
    with movie.open("rb") as file:
        head = file.read(_HEAD)
    is_tagged = any(tag in head for tag in _BT709) or all(element in head for element in _BT709_MATROSKA)
    return _COLOURS if is_tagged else "not tagged so"


def _lossless(hashes: Sequence[str], repeats: Sequence[int], expected: Expected) -> Check:
    """Check that every frame equals its source, sample by sample."""
    channels = 4 if _encoding(expected).alpha else 3
    start, difference = 0, ""
    for position, times in enumerate(repeats):
        pixels = np.ascontiguousarray(read_png(expected.sources[position])[..., :channels])
        expected_hash = hashlib.md5(pixels.data, usedforsecurity=False).hexdigest()
        if not difference and set(hashes[start : start + times]) != {expected_hash}:
            difference = f"frame {position} is not {expected.sources[position].name}"
        start += times
    return Check("lossless", not difference, "equal to the sources", difference or "equal to the sources")


def _by_position(decoded: _Decoded, repeats: Sequence[int], expected: Expected) -> list[FrameScore]:
    """Return the worst score among the ticks of each frame, and include the samples converted here."""
    frames, start = [], 0
    for times in repeats:
        ticks = decoded.frames[start : start + times]
        worst = min(ticks, key=lambda tick: tick.own_db - max(tick.neighbour_db))
        frames.append(
            replace(worst, off=max(tick.off for tick in ticks), next_source_db=ticks[-1].next_source_db)
        )
        start += times
    for position, picture in decoded.samples.items():
        off = max(frames[position].off, worst_patch(picture, decoded.due[position]))
        frames[position] = replace(frames[position], off=off)
    return frames


@contextlib.contextmanager
def _folder(movie: Path, expected: Expected, work: Path | None) -> Iterator[Path]:
    """Make a folder with the movie, its frames and their list, so that no user's file name is in commands."""
    with tempfile.TemporaryDirectory(prefix="framepipe-", dir=work) as name:
        folder = Path(name)
        (folder / "movie").symlink_to(movie.absolute())
        (folder / FRAMES).symlink_to(expected.sources[0].parent.absolute(), target_is_directory=True)
        names = [path.name for path in _shown(expected)]
        rate = expected.timeline.video_fps
        if work is not None and (films := films_in(work, _shown(expected), expected.digests)):
            lines = ["ffconcat version 1.0"]
            for at, film in enumerate(films):
                (folder / f"film-{at:06d}").symlink_to(film.absolute())
                lines.append(f"file film-{at:06d}")
            (folder / _FILMS).write_text("\n".join(lines) + "\n", encoding="ascii")
        (folder / LIST).write_text(
            ffconcat(names, [1 / rate] * len(names), rate, expected.shape), encoding="ascii"
        )
        yield folder


def _shown(expected: Expected) -> list[Path]:
    """Return the source of each tick."""
    repeats = expected.timeline.video_repeats()
    return [path for path, times in zip(expected.sources, repeats) for _ in range(times)]


def look(tool: Tool, folder: Path, control: Control) -> tuple[list[Fraction], str]:
    """Read presentation times and the size, as ``WxH``, from the container, without decoding."""
    source = ffmpeg.input("movie", err_detect="explode").video
    packets = source.output("times.txt", format="framecrc", vcodec="copy")
    run_ffmpeg(tool, [*GLOBAL_ARGS, *PROGRESS_ARGS, *packets.get_args()], cwd=folder, control=control)
    return _read_times(folder / "times.txt")


def _decode(expected: Expected, tool: Tool, folder: Path, control: Control) -> _Decoded:
    """Decode every frame once, together with its source, into scores, samples and hashes.

    Raises
    ------
    EncoderFailed
        Decoding reports an error.
    """
    video, (width, height) = _encoding(expected), expected.size
    half, repeats = video.chroma == "420", expected.timeline.video_repeats()
    starts = [int(start) for start in np.cumsum([0, *repeats[:-1]])]
    samples = spread(len(starts), _SAMPLES)
    comparison = _Comparison(expected)
    args = _decode_args(expected, [starts[k] for k in samples], (folder / _FILMS).exists())
    with tapped(folder, _planes(expected), 2, comparison.add):
        run_ffmpeg(tool, args, cwd=folder, control=control)
    raw = (folder / "samples.yuv").read_bytes()
    size = width * height * (3 if half else 6) // 2 + (width * height if video.alpha else 0)
    planes = [raw[k * size : (k + 1) * size] for k in range(len(raw) // size)]
    return _Decoded(
        {
            position: split_yuv(plane, width, height, half=half, alpha=video.alpha)
            for position, plane in zip(samples, planes)
        },
        {position: _sample(expected, position) for position in samples},
        comparison.scores,
        read_hashes(folder / "frames.md5") if _equal(expected) else [],
        _foreign(comparison, expected, tool, folder, control),
        comparison.blocks.alike_mse if comparison.blocks else 0.0,
        _encoding(expected).lossless
        or read_hashes(folder / "as-tagged.md5") == read_hashes(folder / "as-due.md5"),
    )


@dataclass(frozen=True)
class _Tick:
    """A tick's cells as decoded and as drawn, and the sums of their patches."""

    decoded: Cells
    source: Cells
    decoded_sums: list[Pixels]
    source_sums: list[Pixels]


class _Comparison:
    """Compares each tick, as it is decoded, with its source and those beside it.

    Attributes
    ----------
    blocks : BlockComparison or None
        None if each sample is compared with its source anyway.
    scores : list of FrameScore
        Of each tick; those against the neighbours only where a neighbour could be nearer.
    """

    def __init__(self, expected: Expected) -> None:
        self.positions = [
            at for at, times in enumerate(expected.timeline.video_repeats()) for _ in range(times)
        ]
        self.blocks = None if _equal(expected) else BlockComparison(expected.tolerance.grain)
        self.scores: list[FrameScore] = []
        self._tolerance = expected.tolerance
        self._samples = _planes(expected).samples_of(*expected.size)
        self._last: _Tick | None = None

    def add(self, tick: int, decoded: Cells, source: Cells) -> None:
        """Add the next tick."""
        errors = block_errors(differences(decoded, source))
        this = _Tick(decoded, source, patch_sums(decoded), patch_sums(source))
        own_db = psnr(float(errors.sum()) / cells.SAMPLES, self._samples)
        score = FrameScore(own_db, cells.worst_patch(this.decoded_sums, this.source_sums))
        if last := self._last:
            before = replace(self.scores[-1], next_source_db=self._psnr(last.source, source))
            self.scores[-1] = _with_neighbour(before, 1, self._against(before, last, this))
            score = _with_neighbour(score, 0, self._against(score, this, last))
        self.scores.append(score)
        self._last = this
        if self.blocks and tick < len(self.positions):
            self.blocks.add(self.positions[tick], decoded, source, errors)

    def _against(self, score: FrameScore, shown: _Tick, neighbour: _Tick) -> tuple[float, float]:
        """Compare a tick with a neighbour's source: PSNR, and the worst patch."""
        if not could_be_another(score, self._tolerance):
            return 0.0, 255.0
        off = cells.worst_patch(shown.decoded_sums, neighbour.source_sums)
        return self._psnr(shown.decoded, neighbour.source), off

    def _psnr(self, one: Cells, other: Cells) -> float:
        return psnr(squares(one, other), self._samples)


def _with_neighbour(score: FrameScore, which: int, near: tuple[float, float]) -> FrameScore:
    """Set the scores against one of the neighbours: 0 is before, 1 after."""
    levels, offs = list(score.neighbour_db), list(score.neighbour_off)
    levels[which], offs[which] = near
    return replace(score, neighbour_db=(levels[0], levels[1]), neighbour_off=(offs[0], offs[1]))


def _foreign(comparison: _Comparison, expected: Expected, tool: Tool, folder: Path, control: Control) -> str:
    """Describe a frame that shows another's source; if any is suspect, all sources are read once more."""
    if not comparison.blocks:
        return ""
    search, positions = comparison.blocks.search(), comparison.positions

    def show(tick: int, source: Sequence[Pixels]) -> None:
        if search and tick < len(positions) and (not tick or positions[tick] != positions[tick - 1]):
            search.show(positions[tick], cut(source))

    if search:
        planes = _planes(expected)
        single_output = piped([_small_sources(expected, (folder / _FILMS).exists())], planes)
        with tapped(folder, planes, 1, show):
            run_ffmpeg(
                tool, [*GLOBAL_ARGS, *PROGRESS_ARGS, *single_output.get_args()], cwd=folder, control=control
            )
    return comparison.blocks.verdict(
        search, [path.name for path in expected.sources], _AtVideo(expected, tool, folder, control)
    )


@dataclass(frozen=True)
class _AtVideo:
    """Reads frames of a video once more, see `framepipe.verification.blocks.SecondLook`."""

    expected: Expected
    tool: Tool
    folder: Path
    control: Control

    def decoded_blocks(self, positions: Sequence[int]) -> Iterator[Blocks]:
        repeats = self.expected.timeline.video_repeats()
        starts = [0, *(int(end) for end in np.cumsum(repeats))]
        blocks: list[Blocks] = []
        movie = decoding_of(self.expected).filter("format", _encoding(self.expected).pixels)
        movie = _select(movie, [starts[position] for position in positions])
        self._run(movie, blocks)
        return iter(blocks)

    def source_blocks(self, position: int) -> Blocks:
        blocks: list[Blocks] = []
        rate = self.expected.timeline.video_fps
        source_list = ffconcat([self.expected.sources[position].name], [1 / rate], rate, self.expected.shape)
        (self.folder / _ALONE).write_text(source_list, encoding="ascii")
        self._run(_sources(self.expected, _ALONE), blocks)
        return blocks[0]

    def excuses(self, suspect: SuspectFrame, *, alien: bool) -> bool:
        return False

    def _run(self, pictures: Any, blocks: list[Blocks]) -> None:
        planes = _planes(self.expected)
        single_output = piped([_small(pictures, self.expected)], planes)
        with tapped(self.folder, planes, 1, lambda tick, picture: blocks.append(cut(picture))):
            run_ffmpeg(
                self.tool,
                [*GLOBAL_ARGS, *PROGRESS_ARGS, *single_output.get_args()],
                cwd=self.folder,
                control=self.control,
            )


def _sources(expected: Expected, names: str = LIST) -> Any:
    """Return the sources, tick by tick, as they were encoded."""
    return as_encoded(frames_input(names), _encoding(expected), expected.shape, expected.background)


def _small_sources(expected: Expected, has_film: bool) -> Any:
    """Return the sources as small pictures, tick by tick: from films if there are any."""
    return frames_input(_FILMS) if has_film else _small(_sources(expected), expected)


def _equal(expected: Expected) -> bool:
    """True if each decoded frame must equal its source: not if it is laid over a background."""
    video = _encoding(expected)
    return video.lossless and (expected.shape.mode == "RGB" or video.alpha)


def _planes(expected: Expected) -> Planes:
    """Return the planes compared patch by patch: only luma if every sample is compared as well."""
    luma = _equal(expected) and not _encoding(expected).alpha
    return Planes.of("gray" if luma else _encoding(expected).pixels_8, *expected.size)


def _decode_args(expected: Expected, samples_at: Sequence[int], has_film: bool) -> list[str]:
    """Return a command that decodes the movie and its sources and compares them, tick by tick.

    They are paired by position, not by time, which containers round.
    """
    video = _encoding(expected)
    movie = decoding_of(expected)
    outputs = []
    if not video.lossless:
        movie, again = _each(movie, 2)
        outputs += _tag_hashes(_select(again, samples_at))
    if _equal(expected):
        movie, again = _each(movie, 2)
        hashed = "rgba" if video.alpha else "rgb24"
        outputs.append(again.output("frames.md5", format="framemd5", pix_fmt=hashed, **SAME))
    decoded = _each(_numbered(movie.filter("format", video.pixels)), 2)
    sources = _numbered(_small_sources(expected, has_film))
    outputs.append(piped([_small(next(decoded), expected), sources], _planes(expected)))
    samples = _select(_as_yuv(next(decoded), video), samples_at)
    outputs.append(samples.output("samples.yuv", format="rawvideo", pix_fmt=video.pixels_8, **SAME))
    return [*GLOBAL_ARGS, *PROGRESS_ARGS, *ffmpeg.merge_outputs(*outputs).get_args()]


def decoding_of(expected: Expected) -> Any:
    """Return the decoded movie; ffmpeg's own VP9 decoder would drop alpha silently."""
    video = _encoding(expected)
    decoder = {"vcodec": "libvpx-vp9"} if video.codec == "vp9" and video.alpha else {}
    return ffmpeg.input("movie", err_detect="explode", **decoder).video


def _select(stream: Any, positions: Sequence[int]) -> Any:
    """Return some frames of a stream, with times after all others.

    ffmpeg reads on for the output whose time is the least: for one that takes a frame now and then it would
    read the whole movie, and queue it for the others.
    """
    chosen = stream.filter("select", "+".join(f"eq(n,{index})" for index in positions))
    return chosen.filter("settb", "1").filter("setpts", f"N+{_LATER_S:d}")


def _tag_hashes(pictures: Any) -> list[Any]:
    """Return hashes of the colours by the stream's own tags, and by the expected ones, of small pictures."""
    tagged, expected = _each(pictures, 2)
    expected = expected.filter("setparams", colorspace="bt709", range="tv")
    return [
        pictures_out.filter("scale", 64, 64).filter("format", "rgb24").output(name, format="framemd5", **SAME)
        for pictures_out, name in ((tagged, "as-tagged.md5"), (expected, "as-due.md5"))
    ]


def _each(stream: Any, count: int) -> Iterator[Any]:
    """Split a stream into ``count`` equal ones, which must all be used."""
    split = stream.filter_multi_output("split", count)
    return (split[at] for at in range(count))


def _numbered(stream: Any) -> Any:
    """Set the time of the n-th frame to n seconds."""
    return stream.filter("settb", "1").filter("setpts", "N")


def _as_yuv(source: Any, video: Encoding) -> Any:
    """Convert to 8 bits, and from RGB as `framepipe.core.images.yuv` does."""
    if video.lossless:
        source = source.filter("scale", out_color_matrix="bt709", out_range="tv", flags=FULL_CHROMA)
    return source.filter("format", video.pixels_8)


def _small(source: Any, expected: Expected) -> Any:
    """Convert a stream to small pictures with the pixels of `_planes`."""
    converted, planes = _as_yuv(source, _encoding(expected)), _planes(expected)
    if planes.pixels == "gray":
        # tagged as full range, or scaling would stretch the samples to it
        converted = converted.filter("extractplanes", "y").filter("setparams", range="full")
    return small(converted, planes)


def _read_times(path: Path) -> tuple[list[Fraction], str]:
    """Read presentation times in seconds, and the size as ``WxH``, from framecrc's text."""
    base, size, times = Fraction(1), "", []
    for line in path.read_text().splitlines():
        if line.startswith("#tb 0:"):
            base = Fraction(line.split(":")[1].strip())
        elif line.startswith("#dimensions 0:"):
            size = line.split(":")[1].strip()
        elif not line.startswith("#"):
            times.append(int(line.split(",")[2]) * base)
    return sorted(times), size


def _encoding(expected: Expected) -> Encoding:
    """Return the resolved encoding of a video."""
    return encoding(expected.format, expected.shape, expected.options)


def _sample(expected: Expected, position: int) -> Picture:
    """Return the source of a frame of the timeline, in the planes of the video."""
    video = _encoding(expected)
    rgba = read_png(expected.sources[position])
    return yuv(
        rgba, expected.background, half=video.chroma == "420", alpha=video.alpha, even=not video.lossless
    )
