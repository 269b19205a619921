"""ffmpeg: where it may be, what it is, and running it so that its success can be believed.

Exit code 0 is not enough (ENOSPC on WebM, a torn frame, a gap: all exit 0). A step has done its
work only if ffmpeg also printed no error, wrote as many frames as were asked for, and neither
duplicated nor dropped one (``-progress``, ffmpeg manual "Generic options").
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path

from framepipe.control import Stop
from framepipe.encoders.tools import STALL_S, Tool, answer, run
from framepipe.errors import EncoderFailed, ToolMissing

VARIABLE = "FRAMEPIPE_FFMPEG"
#: On every command: silent but for errors, no terminal, progress for machines.
GLOBAL_ARGS = ("-hide_banner", "-v", "error", "-nostdin", "-y", "-xerror")
PROGRESS_ARGS = ("-progress", "pipe:1", "-stats_period", "0.5")
#: What changes while work is done; ffmpeg prints progress also while it waits for ever.
_MOVES = ("frame", "out_time_us", "total_size", "progress")
_VERSION = re.compile(r"ffmpeg version (\S+)")
GET_FFMPEG = "pip install imageio-ffmpeg   (or: apt install ffmpeg, conda install ffmpeg)"


def candidates() -> Iterator[tuple[str, str]]:
    """Where an ffmpeg may be, best first, with where that comes from.

    ``FRAMEPIPE_FFMPEG``, every ``ffmpeg`` on ``PATH``, the one that imageio-ffmpeg ships.
    """
    if named := os.environ.get(VARIABLE):
        yield shutil.which(named) or named, VARIABLE
    seen = set()
    for folder in os.get_exec_path():
        found = shutil.which("ffmpeg", path=folder)
        if found and (real := os.path.realpath(found)) not in seen:
            seen.add(real)
            yield found, "PATH"
    if shipped := _shipped():
        yield shipped, "imageio-ffmpeg"


def _shipped() -> str | None:
    """The program that imageio-ffmpeg's wheel carries."""
    try:
        import imageio_ffmpeg

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError, OSError):
        return None


@cache
def version_of(path: str) -> str | None:
    """What ``path -version`` says, None if that is no ffmpeg."""
    code, text = answer([path, "-version"])
    found = _VERSION.match(text)
    return found[1] if found and code == 0 else None


_found: dict[tuple[str, str, str], Tool] = {}


def find_ffmpeg(what: str, trial: Callable[[Tool], None], cure: str = f"To get one: {GET_FFMPEG}") -> Tool:
    """The first ffmpeg that really does what is wanted.

    Parameters
    ----------
    what : str
        What is tried, for the message: ``"mp4"``.
    trial : callable
        Does it on something tiny; raises `EncoderFailed` where it fails.
    cure : str
        What to do where none does.

    Raises
    ------
    ToolMissing
        None does; says what was tried and how to get one.
    """
    key = (what, os.environ.get(VARIABLE, ""), os.environ.get("PATH", ""))
    if key not in _found:
        _found[key] = _search(what, trial, cure)
    return _found[key]


def _search(what: str, trial: Callable[[Tool], None], cure: str) -> Tool:
    passed_over: dict[str, str] = {}
    for path, origin in candidates():
        if path in passed_over:
            continue
        version = version_of(path)
        if version is None:
            passed_over[path] = f"{path} ({origin}) is no working ffmpeg"
            continue
        notes = tuple(f"{reason}; used {path}" for reason in passed_over.values())
        tool = Tool("ffmpeg", path, version, notes)
        try:
            trial(tool)
            return tool
        except EncoderFailed as error:
            reason = _first_words(str(error))
            passed_over[path] = f"{path} ({origin}, {version}) cannot build {what}: {reason}"
    tried = "".join(f"\n  {reason}" for reason in passed_over.values()) or "\n  there is none"
    raise ToolMissing(f"no ffmpeg that can build {what}:{tried}\n{cure}")


def _first_words(text: str) -> str:
    """The first line, with the next one if it only announces that; without addresses in memory."""
    first, *rest = re.sub(r" @ 0x[0-9a-f]+(?=\])", "", text).splitlines()
    return f"{first} {rest[0].strip()[:160]}" if first.endswith(":") and rest else first


def run_ffmpeg(
    tool: Tool,
    args: Sequence[str],
    *,
    cwd: Path,
    frames: int | None = None,
    on_frame: Callable[[int], None] | None = None,
    stall_s: float = STALL_S,
    stop: Stop | None = None,
) -> None:
    """Run one ffmpeg command and believe it only on evidence.

    Parameters
    ----------
    tool : Tool
    args : sequence of str
        All arguments after the program.
    cwd : Path
    frames : int, optional
        Frames that it must write.
    on_frame : callable, optional
        Called with the number of frames written so far.
    stall_s, stop
        See `tools.run`.

    Raises
    ------
    EncoderFailed
        With the end of its ``stderr``.
    """
    seen = {"frame": "0", "dup_frames": "0", "drop_frames": "0"}

    def read(lines: str) -> bool:
        before = {name: seen.get(name) for name in _MOVES}
        seen.update(re.findall(r"^(\w+)= *(\S*)", lines, re.MULTILINE))
        if on_frame and seen["frame"].isdigit():
            on_frame(int(seen["frame"]))
        return before != {name: seen.get(name) for name in _MOVES}

    # SVT-AV1 and libva talk on stderr unless they are told not to
    env = {"SVT_LOG": "1", "LIBVA_MESSAGING_LEVEL": "1"}
    done = run([tool.path, *args], cwd=cwd, on_lines=read, stall_s=stall_s, stop=stop, env=env)
    problem = done.verdict()
    if not problem and frames is not None:
        if (seen["frame"], seen.get("progress")) != (str(frames), "end"):
            problem = f"wrote {seen['frame']} of {frames} frames and said that all was well"
        elif seen["dup_frames"] != "0" or seen["drop_frames"] != "0":
            problem = f"duplicated {seen['dup_frames']} and dropped {seen['drop_frames']} frames"
    if "No space left" in done.stderr:
        problem = f"found no space left on the disk ({problem})"
    if problem:
        raise EncoderFailed(f"ffmpeg {problem}{_last_words(done.stderr)}", stderr=done.stderr, tool=tool)


def _last_words(stderr: str) -> str:
    """The first line, often the cause that the others follow from (ffmpeg 9 has eight more), and the last."""
    lines = [line for line in stderr.splitlines() if line.strip()]
    told = [*lines[:1], *lines[1:][-7:]]
    return ":\n  " + "\n  ".join(line[:300] for line in told) if told else ""
