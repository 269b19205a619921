"""What each task gets: processors, memory, time; as users write it, and as schedulers read it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from framepipe.errors import UsageError
from framepipe.options import SubmitOptions

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_UNITS_MB = {"": 1, "K": 1 / 1024, "M": 1, "G": 1024, "T": 1024 * 1024}
#: Defaults of the options that a profile can set too, for which None stands for "not given".
TASKS, CPUS, WARNING_S, REQUEUES, ROUNDS = 8, 1, 60.0, 100, 3


@dataclass(frozen=True)
class Resources:
    """What each task gets.

    Attributes
    ----------
    cpus : int
    mem_mb : int or None
        In units of 1024 * 1024 bytes; None: the scheduler's default.
    time_s : int or None
        Walltime; None: the scheduler's default.
    warning_s : int
        Seconds before the walltime at which drawing stops.
    partition, account : str or None
    directives : tuple of str
        Further lines for the scheduler.
    """

    cpus: int
    mem_mb: int | None
    time_s: int | None
    warning_s: int
    partition: str | None
    account: str | None
    directives: tuple[str, ...]

    @classmethod
    def of(cls, options: SubmitOptions) -> Resources:
        """Read the options of a user.

        Raises
        ------
        UsageError
            A size or a time does not parse, or a text has several lines.
        """
        for name in ("partition", "account"):
            text = getattr(options, name)
            if text is not None and not re.fullmatch(r"[\w.@+:/-]+", text):
                raise UsageError(f"{name} {text!r}: give a name of letters, digits and . _ - @ + : /")
        directives = options.directives
        directives = (directives,) if isinstance(directives, str) else tuple(directives)
        for text in directives:
            if not text.strip() or not text.isprintable():
                raise UsageError(f"option {text!r}: give one line for the scheduler, as --constraint=rome")
        time_s = None if options.time is None else parse_time(options.time)
        warning_s = round(options.warning_s or WARNING_S)
        if time_s is not None and warning_s >= time_s:
            raise UsageError(
                f"warning_s (--warning) is {warning_s} s, and the whole walltime {time_s} s: give less"
            )
        mem_mb = None if options.mem is None else parse_memory(options.mem)
        return cls(
            options.cpus or CPUS, mem_mb, time_s, warning_s, options.partition, options.account, directives
        )


def parse_time(text: str) -> int:
    """Parse a walltime into seconds.

    Parameters
    ----------
    text : str
        ``1:30:00``, ``2-12:00:00`` (days), ``90m``, ``2h``, ``1d``. A bare number would be minutes for one
        scheduler and seconds for another, and is refused.

    Raises
    ------
    UsageError

    >>> parse_time("1:30:00"), parse_time("2-12:00:00"), parse_time("90m")
    (5400, 216000, 5400)
    """
    if match := re.fullmatch(r"(?:(\d+)-)?(\d+):(\d\d):(\d\d)", text, re.ASCII):
        days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
        time_s = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    elif match := re.fullmatch(r"(\d+)([smhd])", text, re.ASCII):
        time_s = int(match[1]) * _UNITS_S[match[2]]
    else:
        time_s = 0
    if not time_s:
        raise UsageError(f"time {text!r} is no walltime. Examples: 1:30:00  2-12:00:00  90m  2h")
    return time_s


def parse_memory(text: str) -> int:
    """Parse a size of memory into units of 1024 * 1024 bytes, rounded up.

    Parameters
    ----------
    text : str
        ``8G``, ``8GB``, ``8GiB``, ``800M``; a bare number is M.

    Raises
    ------
    UsageError

    >>> parse_memory("8G"), parse_memory("800MB"), parse_memory("1.5GiB")
    (8192, 800, 1536)
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", text, re.ASCII | re.IGNORECASE)
    size_mb = math.ceil(float(match[1]) * _UNITS_MB[match[2].upper()]) if match else 0
    if size_mb < 1:
        raise UsageError(f"mem {text!r} is no size of memory. Examples: 8G  800M")
    return size_mb


def clock(seconds: int) -> str:
    """Format a walltime as all schedulers read it: hours, minutes, seconds.

    >>> clock(90061)
    '25:01:01'
    """
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
