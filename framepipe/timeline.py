"""When each frame is shown: exact rates, holds and order; and the times that each container can hold.

GIF has only centiseconds (GIF89a §23, Delay Time), so its delays are the differences of the
rounded running time: the error never accumulates, and 30 fps is 3, 3, 4 cs. Browsers show delays of
1 cs and less as 10 cs, so more than 50 fps is refused for GIF. Video has one constant rate, a
multiple of the nominal one; a held frame is repeated. It is at least 10 fps, since players do not show
videos of 1 to 5 fps (VLC; matplotlib issue 8794).
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import accumulate, pairwise
from math import lcm
from pathlib import Path
from typing import Any, ClassVar, TypedDict

from framepipe.errors import UsageError
from framepipe.job.frames import format_range, parse_range
from framepipe.options import DEFAULT_FPS, group, option

FOREVER = 0
_NUMBER = re.compile(r"[+-]?[0-9.]{1,40}(e[+-]?[0-9]{1,2})?(/[0-9]{1,40})?", re.ASCII | re.IGNORECASE)
_GIF_MAX_FPS = 50
_GIF_MAX_DELAY_CS = 65535
_MAX_FPS = 1000
_PICTURE_MIN_MS, _PICTURE_MAX_S, _PICTURE_MAX_TICKS = 11, 16777, 60000
_VIDEO_MIN_FPS, _VIDEO_MAX_FPS = 10, 60


def parse_fps(value: object) -> Fraction:
    """Parse a rate in frames per second, exactly.

    Parameters
    ----------
    value : int, float, str or Fraction
        ``24``, ``29.97``, ``"30000/1001"``. A float counts as the decimal that it prints as.

    Raises
    ------
    UsageError
        Not a number, or not above 0 and up to 1000.
    """
    fps = _fraction(value) or Fraction(0)
    if not 0 < fps <= _MAX_FPS:
        raise UsageError(
            f"fps {value!s} is not a rate above 0 and up to {_MAX_FPS}. Examples: 24  12.5  30000/1001"
        )
    return fps


def parse_loop(value: object) -> int:
    """Parse how often a GIF plays: 0 for ever (also ``"forever"``), else a count of at most 65536."""
    text = str(value).strip().lower()
    if text == "forever":
        return FOREVER
    digits = text.isascii() and text.isdigit() and len(text) < 9
    if isinstance(value, bool) or not digits or int(text) > 65536:
        raise UsageError(f"loop {value!s} is neither 'forever' (0) nor a count of 1 to 65536 plays")
    return int(text)


@group
@dataclass(frozen=True, kw_only=True)
class Timing:
    """The timing that a user requests: which frames, in which order, how fast."""

    heading: ClassVar[str] = "When each frame shows"
    keyword: ClassVar[str] = "timing"

    fps: object | None = option(
        None,
        f"Frames per second: 24, 12.5, 30000/1001. Default: the animation's, else {DEFAULT_FPS}.",
        metavar="RATE",
        judged=True,
    )
    hold_first_s: float = option(
        0.0,
        "Seconds that the first frame is shown in all.",
        more="Never less than its time.",
        flag="--hold-first",
        metavar="S",
        judged=True,
    )
    hold_last_s: float = option(
        0.0,
        "Seconds that the last frame is shown in all.",
        more="Never less than its time.",
        flag="--hold-last",
        metavar="S",
        judged=True,
    )
    pause_s: float = option(
        0.0,
        "Seconds that the last frame is shown longer.",
        more="The movie stands at its end before it loops.",
        flag="--pause-between-loops",
        metavar="S",
        judged=True,
    )
    durations_s: Any = option(
        None,
        "Seconds of each frame: a line each, or lines of number,seconds.",
        more="In Python a sequence, as many as the plan has; or a mapping by frame number; or such a file. "
        "Default: 1/fps each.",
        flag="--durations",
        metavar="FILE.csv",
        judged=True,
    )
    speed: float = option(
        1.0, "Play so many times as fast.", more="Holds and pause stay as they are.", metavar="X", judged=True
    )
    every: int = option(1, "Every N-th frame only.", metavar="N", judged=True)
    part: str | None = option(None, "Only these frames.", metavar="RANGE", judged=True)
    reverse: bool = option(False, "Backwards.", judged=True)
    bounce: bool = option(
        False,
        "Forwards, then backwards.",
        more="The first and the last frame are not shown twice.",
        judged=True,
    )
    loop: object = option(
        FOREVER,
        "How often a looping format plays; 0 or forever is for ever.",
        metavar="N|forever",
        judged=True,
    )

    def with_file_read(self) -> Timing:
        """Return a copy with the durations themselves, if they are in a file."""
        if not isinstance(self.durations_s, (str, os.PathLike)):
            return self
        return replace(self, durations_s=_read_durations(Path(self.durations_s)))

    def for_json(self) -> dict[str, Any]:
        """Convert for JSON."""
        durations = self.durations_s
        if isinstance(durations, Mapping):
            durations = {
                str(number): str(_seconds(each, "durations_s")) for number, each in durations.items()
            }
        elif isinstance(durations, (str, os.PathLike)):
            durations = os.path.abspath(durations)
        elif durations is not None:
            durations = [str(_seconds(each, "durations_s")) for each in durations]
        numbers = {
            name: str(getattr(self, name)) for name in ("hold_first_s", "hold_last_s", "pause_s", "speed")
        }
        others = {
            "durations_s": durations,
            "fps": None if self.fps is None else str(self.fps),
            "loop": str(self.loop),
        }
        return {**vars(self), **numbers, **others, "every": int(self.every)}

    def timeline(self, numbers: Sequence[int], own_fps: object | None = None, shown: Any = None) -> Timeline:
        """Compute the timeline of a plan.

        Parameters
        ----------
        numbers : sequence of int
            The plan's frame numbers, in its order.
        own_fps : optional
            The scene's own rate.
        shown : mapping of int to int, optional
            The frame to show for each frame of the plan; None to omit it.

        Raises
        ------
        UsageError
        """
        rate = parse_fps(
            self.fps if self.fps is not None else own_fps if own_fps is not None else DEFAULT_FPS
        )
        speed = _fraction(self.speed) or Fraction(0)
        if not Fraction(1, 1000) <= speed <= 1000 or int(self.every) < 1:
            raise UsageError(f"speed {self.speed!s}: give 0.001 to 1000; every {self.every}: give 1 or more")
        each = _durations(self.durations_s, numbers, 1 / rate)
        order = _part(numbers, self.part)[:: int(self.every)]
        if shown is not None:
            order = [number for number in order if shown.get(number) is not None]
        order = order[::-1] if self.reverse else order
        if not order:
            raise UsageError("a movie needs at least one frame")
        durations = [each[number] / speed for number in order]
        for position, hold, name in (
            (0, self.hold_first_s, "hold_first_s"),
            (-1, self.hold_last_s, "hold_last_s"),
        ):
            durations[position] = max(durations[position], _seconds(hold, name))
        if self.bounce:
            order, durations = [*order, *order[-2:0:-1]], [*durations, *durations[-2:0:-1]]
        durations[-1] += _seconds(self.pause_s, "pause_s")
        if shown is not None:
            order = [shown[number] for number in order]
        return Timeline(order, tuple(durations), rate * speed, parse_loop(self.loop))


def _part(numbers: Sequence[int], part: str | None) -> list[int]:
    if part is None:
        return list(numbers)
    selected = set(parse_range(part))
    if unknown := selected - set(numbers):
        raise UsageError(f"part {part}: frames {format_range(unknown)} are not in the plan")
    return [number for number in numbers if number in selected]


def _durations(durations_s: Any, numbers: Sequence[int], usual: Fraction) -> Mapping[int, Fraction]:
    """Return the seconds of each frame by its number."""
    if durations_s is None:
        return dict.fromkeys(numbers, usual)
    if isinstance(durations_s, (str, os.PathLike)):
        durations_s = _read_durations(Path(durations_s))
    if not isinstance(durations_s, Mapping):
        durations_s = list(durations_s)
        if len(durations_s) != len(numbers):
            raise UsageError(f"durations_s has {len(durations_s)} values for {len(numbers)} frames")
        durations_s = dict(zip(numbers, durations_s))
    by_number = {int(number): _seconds(each, "durations_s") for number, each in durations_s.items()}
    if unknown := set(by_number) - set(numbers):
        raise UsageError(f"durations_s names frames {format_range(unknown)}, which are not in the plan")
    if short := [number for number, each in by_number.items() if not each]:
        raise UsageError(f"durations_s: frames {format_range(short)} have no time; leave them out with part")
    return {**dict.fromkeys(numbers, usual), **by_number}


def _read_durations(path: Path) -> list[str] | dict[int, str]:
    """Read seconds from a CSV file: a value per line, or number and value; a header line is skipped."""
    try:
        rows = [row for row in csv.reader(path.read_text(encoding="utf-8-sig").splitlines()) if any(row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(
            f"durations {path} cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from None
    if rows and _fraction(rows[0][-1]) is None:
        rows = rows[1:]
    if rows and {len(row) for row in rows} == {1}:
        return [row[0].strip() for row in rows]
    try:
        return {int(number): seconds.strip() for number, seconds in rows}
    except ValueError:
        raise UsageError(
            f"durations {path}: give a line a frame, its seconds; or its number and its seconds, as 137,0.5"
        ) from None


class TimingKeywords(TypedDict, total=False):
    """`Timing` as keywords, or whole as ``timing``."""

    timing: Timing
    fps: object | None
    hold_first_s: float
    hold_last_s: float
    pause_s: float
    durations_s: Any
    speed: float
    every: int
    part: str | None
    reverse: bool
    bounce: bool
    loop: object


@dataclass(frozen=True)
class Timeline:
    """The ordered frames of a movie and how long each is shown.

    Attributes
    ----------
    numbers : sequence of int
        Frame numbers in the order in which they are shown.
    durations_s : tuple of Fraction
        Seconds of each frame, all above 0.
    fps : Fraction
        The nominal rate.
    loop : int
        Plays of a looping format; 0 is for ever.
    """

    numbers: Sequence[int]
    durations_s: tuple[Fraction, ...]
    fps: Fraction
    loop: int = FOREVER

    @classmethod
    def of(cls, numbers: Sequence[int], **timing: Any) -> Timeline:
        """Compute the timeline of a plan; keywords as in `Timing`."""
        return Timing(**timing).timeline(numbers)

    @property
    def ends_s(self) -> list[float]:
        """When each frame ends: exact sums of durations, each rounded once, so that no error adds up."""
        return [float(end) for end in accumulate(self.durations_s)]

    @property
    def duration_s(self) -> Fraction:
        """Seconds of one play."""
        return sum(self.durations_s, Fraction(0))

    def gif_delays_cs(self) -> tuple[int, ...]:
        """Return each frame's delay in centiseconds; the running time is right to half of one.

        Raises
        ------
        UsageError
            A frame is shorter than 2 cs (50 fps) or longer than 655.35 s.
        """
        if any(duration * _GIF_MAX_FPS < 1 for duration in self.durations_s):
            raise UsageError(
                f"{_rate(self.fps)} fps requested; GIF supports at most {_GIF_MAX_FPS} "
                f"(browsers slow shorter delays to 10 fps): use --fps {_GIF_MAX_FPS} or mp4"
            )
        marks = _rounded_marks(self.durations_s, 100)
        delays = tuple(later - earlier for earlier, later in pairwise(marks))
        if max(delays) > _GIF_MAX_DELAY_CS:
            raise UsageError(f"a frame is held {max(delays) / 100:g} s; GIF holds at most 655.35 s: use mp4")
        return delays

    def picture_ticks(self, rate: int | None = None) -> tuple[int, tuple[int, ...]]:
        """Return ticks a second, and each frame's ticks, for formats that hold a duration per frame.

        Parameters
        ----------
        rate : int, optional
            Ticks a second. Default: the least number that makes all times exact, if it is at most 60 000,
            else 1000; the running time is then right to half a tick.

        Raises
        ------
        UsageError
            A frame is shorter than 11 ms, or longer than 16777 s (24 bits of milliseconds, WebP).
        """
        if min(self.durations_s) * 1000 < _PICTURE_MIN_MS:
            raise UsageError(
                f"{_rate(self.fps)} fps requested; browsers show pictures of 10 ms and less for 100 ms: use "
                "--fps 90 or less, or mp4"
            )
        if max(self.durations_s) > _PICTURE_MAX_S:
            raise UsageError(f"a frame is held {float(max(self.durations_s)):g} s; give at most 16777 s")
        if rate is None:
            rate = lcm(*(duration.denominator for duration in self.durations_s))
            rate = rate if rate <= _PICTURE_MAX_TICKS else 1000
        marks = _rounded_marks(self.durations_s, rate)
        return rate, tuple(later - earlier for earlier, later in pairwise(marks))

    @property
    def video_fps(self) -> Fraction:
        """The rate of a video: the least multiple of the nominal one that makes all times but holds exact."""
        least = int(-(-_VIDEO_MIN_FPS // self.fps))
        most = max(least, int(_VIDEO_MAX_FPS // self.fps))
        inner = set(self.durations_s[1:-1])
        for factor in range(least, most + 1):
            rate = self.fps * factor
            if all((each * rate).denominator == 1 for each in inner):
                return rate
        return self.fps * most

    def video_repeats(self) -> tuple[int, ...]:
        """Return each frame's ticks of ``1 / video_fps``; the running time is right to half a tick.

        Raises
        ------
        UsageError
            A frame is shorter than a tick.
        """
        rate = self.video_fps
        repeats = [later - earlier for earlier, later in pairwise(_rounded_marks(self.durations_s, rate))]
        for number, times in zip(self.numbers, repeats):
            if times < 1:
                raise UsageError(
                    f"frame {number} is shown for less than a tick of the video's {_rate(rate)} fps: give a "
                    "higher fps, or fewer frames with every"
                )
        return tuple(repeats)

    def gif_note(self) -> str:
        """Describe GIF's delays if they are not all equal; else empty."""
        steps = sorted(set(self.gif_delays_cs()[1:-1] or self.gif_delays_cs()))
        if len(steps) < 2:
            return ""
        text = " and ".join(str(step) for step in steps)
        return f"{_rate(self.fps)} fps in GIF: delays of {text} cs, exact on average"


def _rate(fps: Fraction) -> str:
    return f"{float(fps):.6g}"


def _rounded_marks(durations_s: Sequence[Fraction], ticks_per_s: int | Fraction) -> list[int]:
    """Return the ticks nearest to the start of each frame and to the end; in integers, as sums are exact."""
    ticks = {duration: duration * ticks_per_s for duration in set(durations_s)}
    parts = lcm(*(each.denominator for each in ticks.values()))
    counts = {duration: int(each * parts) for duration, each in ticks.items()}
    ends = accumulate((counts[duration] for duration in durations_s), initial=0)
    return [(2 * end + parts) // (2 * parts) for end in ends]


def _fraction(value: object) -> Fraction | None:
    """Parse a number as people write it, exactly; None for anything else."""
    text = str(value).strip()
    try:
        return Fraction(text) if _NUMBER.fullmatch(text) else None
    except (ValueError, ZeroDivisionError):
        return None


def _seconds(value: object, name: str) -> Fraction:
    seconds = _fraction(value)
    if seconds is None or not 0 <= seconds <= 86400:
        raise UsageError(f"{name} is {value!s}; give seconds, 0 to 86400")
    return seconds
