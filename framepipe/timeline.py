"""When each frame is shown: rate, holds, order, exact; and what each container can make of it.

GIF knows only centiseconds (GIF89a §23, Delay Time), so its delays are the differences of the
rounded running time: the error never adds up, and 30 fps is 3, 3, 4 cs. Browsers show delays of
1 cs and less as 10 cs, so more than 50 fps is refused for GIF. Video has one constant rate, a
multiple of the nominal one; a held frame is repeated. It is at least 10 fps, since players do not show
videos of 1 to 5 (VLC; matplotlib issue 8794).
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import lcm
from pathlib import Path
from typing import Any

from framepipe.errors import UsageError
from framepipe.frames import format_range, parse_range

FOREVER = 0
DEFAULT_FPS = 25  # which GIF can keep exactly
_NUMBER = re.compile(r"[+-]?[0-9.]{1,40}(e[+-]?[0-9]{1,2})?(/[0-9]{1,40})?", re.ASCII | re.IGNORECASE)
_GIF_FASTEST_FPS = 50
_GIF_LONGEST_CS = 65535
_MOST_FPS = 1000
_PICTURE_SHORTEST_MS, _PICTURE_LONGEST_S, _PICTURE_MOST_TICKS = 11, 16777, 60000
_VIDEO_LEAST_FPS, _VIDEO_MOST_FPS = 10, 60


def parse_fps(value: object) -> Fraction:
    """A rate in frames per second, exact.

    Parameters
    ----------
    value : int, float, str or Fraction
        ``24``, ``29.97``, ``"30000/1001"``. A float is taken as the decimal that it prints as.

    Raises
    ------
    UsageError
        Not a number, or not above 0 and up to 1000.
    """
    fps = _fraction(value) or Fraction(0)
    if not 0 < fps <= _MOST_FPS:
        raise UsageError(
            f"fps {value!s} is not a rate above 0 and up to {_MOST_FPS}. Examples: 24  12.5  30000/1001"
        )
    return fps


def parse_loop(value: object) -> int:
    """How often a GIF plays: 0 for ever (also ``"forever"``), else that many times (at most 65536)."""
    text = str(value).strip().lower()
    if text == "forever":
        return FOREVER
    digits = text.isascii() and text.isdigit() and len(text) < 9
    if isinstance(value, bool) or not digits or int(text) > 65536:
        raise UsageError(f"loop {value!s} is neither 'forever' (0) nor a count of 1 to 65536 plays")
    return int(text)


@dataclass(frozen=True)
class Timing:
    """What a user asks for: which frames, in which order, how fast.

    Attributes
    ----------
    fps : int, float, str, Fraction or None
        Frames per second; None is the scene's own, else 25.
    hold_first_s, hold_last_s : float
        Seconds that the first and the last frame are shown in all; never less than their time.
    pause_s : float
        Seconds that the movie stands at its end before it loops: the last frame is shown so much longer.
    durations_s : sequence, mapping, path or None
        Seconds of each frame: as many as the plan has, or by frame number; or a CSV file of one or of two
        columns. Default: 1/fps each.
    speed : float
        Plays so many times as fast. Holds and pause stay as they are.
    every : int
        Show every so many frames only.
    part : str or None
        A frame range: show these frames only.
    reverse : bool
        Backwards.
    bounce : bool
        Forwards, then backwards, without showing the first and the last frame twice.
    loop : int or str
        Plays of a looping format; 0 or ``"forever"`` is for ever.
    """

    fps: object | None = None
    hold_first_s: float = 0
    hold_last_s: float = 0
    pause_s: float = 0
    durations_s: Any = None
    speed: float = 1
    every: int = 1
    part: str | None = None
    reverse: bool = False
    bounce: bool = False
    loop: object = FOREVER

    @classmethod
    def of(cls, keywords: Mapping[str, Any]) -> Timing:
        """Those among a function's keywords."""
        return cls(**{name: keywords[name] for name in cls.__dataclass_fields__})

    def for_json(self) -> dict[str, Any]:
        """The same, as JSON keeps it."""
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
        told = {
            "durations_s": durations,
            "fps": None if self.fps is None else str(self.fps),
            "loop": str(self.loop),
        }
        return {**vars(self), **numbers, **told, "every": int(self.every)}

    def timeline(self, numbers: Sequence[int], own_fps: object | None = None, shown: Any = None) -> Timeline:
        """The timeline of a plan.

        Parameters
        ----------
        numbers : sequence of int
            The plan's frame numbers, in its order.
        own_fps : optional
            The scene's own rate.
        shown : mapping of int to int, optional
            For a frame that lacks, the one to show in its place; None to leave it out.

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
    wanted = set(parse_range(part))
    if unknown := wanted - set(numbers):
        raise UsageError(f"part {part}: frames {format_range(unknown)} are not in the plan")
    return [number for number in numbers if number in wanted]


def _durations(given: Any, numbers: Sequence[int], usual: Fraction) -> Mapping[int, Fraction]:
    """Seconds of each frame by its number."""
    if given is None:
        return dict.fromkeys(numbers, usual)
    if isinstance(given, (str, os.PathLike)):
        given = _read_durations(Path(given))
    if not isinstance(given, Mapping):
        given = list(given)
        if len(given) != len(numbers):
            raise UsageError(f"durations_s has {len(given)} values for {len(numbers)} frames")
        given = dict(zip(numbers, given))
    found = {int(number): _seconds(each, "durations_s") for number, each in given.items()}
    if unknown := set(found) - set(numbers):
        raise UsageError(f"durations_s names frames {format_range(unknown)}, which are not in the plan")
    if short := [number for number, each in found.items() if not each]:
        raise UsageError(f"durations_s: frames {format_range(short)} have no time; leave them out with part")
    return {**dict.fromkeys(numbers, usual), **found}


def _read_durations(path: Path) -> list[str] | dict[int, str]:
    """Seconds out of a CSV file: a value a line, or number and value; a first line of words is its head."""
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


@dataclass(frozen=True)
class Timeline:
    """The ordered frames of a movie and how long each is shown.

    Attributes
    ----------
    numbers : sequence of int
        Frame numbers in the order of showing.
    durations_s : tuple of Fraction
        Seconds of each, all above 0.
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
        """The timeline of a plan; keywords as `Timing` has them."""
        return Timing(**timing).timeline(numbers)

    @property
    def duration_s(self) -> Fraction:
        """Seconds of one play."""
        return sum(self.durations_s, Fraction(0))

    def gif_delays_cs(self) -> tuple[int, ...]:
        """Delay of each frame in centiseconds, the running time right to half of one.

        Raises
        ------
        UsageError
            A frame is shorter than 2 cs (50 fps) or longer than 655.35 s.
        """
        if any(duration * _GIF_FASTEST_FPS < 1 for duration in self.durations_s):
            raise UsageError(
                f"asked {_rate(self.fps)} fps; GIF plays at {_GIF_FASTEST_FPS} at most "
                f"(browsers slow shorter delays to 10 fps): use --fps {_GIF_FASTEST_FPS} or mp4"
            )
        marks = _rounded_marks(self.durations_s, 100)
        delays = tuple(later - earlier for earlier, later in pairwise(marks))
        if max(delays) > _GIF_LONGEST_CS:
            raise UsageError(f"a frame is held {max(delays) / 100:g} s; GIF holds at most 655.35 s: use mp4")
        return delays

    def picture_ticks(self, rate: int | None = None) -> tuple[int, tuple[int, ...]]:
        """Ticks a second, and the ticks of each frame, in formats that keep each frame's own time.

        Parameters
        ----------
        rate : int, optional
            Ticks a second. Default: as many as keep all times exactly, if that is no more than 60 000, else
            1000; the running time is then right to half a tick.

        Raises
        ------
        UsageError
            A frame is shorter than 11 ms, or longer than 16777 s (24 bits of milliseconds, WebP).
        """
        if min(self.durations_s) * 1000 < _PICTURE_SHORTEST_MS:
            raise UsageError(
                f"asked {_rate(self.fps)} fps; browsers show pictures of 10 ms and less for 100 ms: use "
                "--fps 90 or less, or mp4"
            )
        if max(self.durations_s) > _PICTURE_LONGEST_S:
            raise UsageError(f"a frame is held {float(max(self.durations_s)):g} s; give at most 16777 s")
        if rate is None:
            rate = lcm(*(duration.denominator for duration in self.durations_s))
            rate = rate if rate <= _PICTURE_MOST_TICKS else 1000
        marks = _rounded_marks(self.durations_s, rate)
        return rate, tuple(later - earlier for earlier, later in pairwise(marks))

    @property
    def video_fps(self) -> Fraction:
        """The rate of a video: the least multiple of the nominal one that keeps all times but the holds."""
        least = int(-(-_VIDEO_LEAST_FPS // self.fps))
        most = max(least, int(_VIDEO_MOST_FPS // self.fps))
        inner = set(self.durations_s[1:-1])
        for times_as_many in range(least, most + 1):
            rate = self.fps * times_as_many
            if all((each * rate).denominator == 1 for each in inner):
                return rate
        return self.fps * most

    def video_repeats(self) -> tuple[int, ...]:
        """How many ticks of ``1 / video_fps`` each frame fills, the running time right to half of one.

        Raises
        ------
        UsageError
            A frame is too short to fill one.
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
        """What GIF makes of the rate, if that is worth a word; else empty."""
        steps = sorted(set(self.gif_delays_cs()[1:-1] or self.gif_delays_cs()))
        if len(steps) < 2:
            return ""
        text = " and ".join(str(step) for step in steps)
        return f"{_rate(self.fps)} fps in GIF: delays of {text} cs, exact on average"


def _rate(fps: Fraction) -> str:
    return f"{float(fps):.6g}"


def _rounded_marks(durations_s: Sequence[Fraction], ticks_per_s: int | Fraction) -> list[int]:
    now, marks = Fraction(0), [0]
    for duration in durations_s:
        now += duration * ticks_per_s
        marks.append(int(now + Fraction(1, 2)))
    return marks


def _fraction(value: object) -> Fraction | None:
    """A number as people write it, exact; None for anything else."""
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
