"""When each frame is shown: fps and holds, exact, and what each container can make of it.

GIF knows only centiseconds (GIF89a §23, Delay Time), so its delays are the differences of the
rounded running time: the error never adds up, and 30 fps is 3, 3, 4 cs. Browsers show delays of
1 cs and less as 10 cs, so more than 50 fps is refused for GIF. Video has one constant rate; a
held frame is repeated.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from framepipe.errors import UsageError

FOREVER = 0
DEFAULT_FPS = 25  # which GIF can keep exactly
_NUMBER = re.compile(r"[+-]?[0-9.]{1,40}(e[+-]?[0-9]{1,2})?(/[0-9]{1,40})?", re.ASCII | re.IGNORECASE)
_GIF_FASTEST_FPS = 50
_GIF_LONGEST_CS = 65535
_MOST_FPS = 1000


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
    def of(
        cls,
        numbers: Sequence[int],
        *,
        fps: object = DEFAULT_FPS,
        hold_first_s: float = 0,
        hold_last_s: float = 0,
        loop: object = FOREVER,
    ) -> Timeline:
        """Frames at a constant rate, the first and last held.

        Parameters
        ----------
        numbers : sequence of int
            At least one frame number.
        fps : int, float, str or Fraction
            Frames per second.
        hold_first_s, hold_last_s : float
            Seconds that the first and last frame are shown in all; never less than one frame's
            time. A single frame takes the longer of the two.
        loop : int or str
            See `parse_loop`.
        """
        if not len(numbers):
            raise UsageError("a movie needs at least one frame")
        rate = parse_fps(fps)
        durations = [1 / rate] * len(numbers)
        for position, hold, name in (
            (0, hold_first_s, "hold_first_s"),
            (-1, hold_last_s, "hold_last_s"),
        ):
            durations[position] = max(durations[position], _seconds(hold, name))
        return cls(numbers, tuple(durations), rate, parse_loop(loop))

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

    def video_repeats(self) -> tuple[int, ...]:
        """How many ticks of ``1/fps`` each frame fills in a video of constant rate, at least 1."""
        return tuple(max(1, round(duration * self.fps)) for duration in self.durations_s)

    def gif_note(self) -> str:
        """What GIF makes of the rate, if that is worth a word; else empty."""
        steps = sorted(set(self.gif_delays_cs()[1:-1] or self.gif_delays_cs()))
        if len(steps) < 2:
            return ""
        text = " and ".join(str(step) for step in steps)
        return f"{_rate(self.fps)} fps in GIF: delays of {text} cs, exact on average"


def _rate(fps: Fraction) -> str:
    return f"{float(fps):.6g}"


def _rounded_marks(durations_s: Sequence[Fraction], ticks_per_s: int) -> list[int]:
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
