"""Find ffmpeg, check that it works, and run it so that its success is certain.

Exit code 0 is not enough (ENOSPC on WebM, a torn frame, a gap: all exit 0). A step has succeeded
only if ffmpeg also printed no error, wrote the requested number of frames, and neither duplicated
nor dropped one (``-progress``, ffmpeg manual "Generic options").
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from framepipe.core.control import IDLE_TIMEOUT_S, NO_CONTROL, Control
from framepipe.core.process import Tool, query, run
from framepipe.errors import EncoderFailed, ToolMissing

VARIABLE = "FRAMEPIPE_FFMPEG"
#: Arguments of every command: errors only, no terminal, progress for machines.
GLOBAL_ARGS = ("-hide_banner", "-v", "error", "-nostdin", "-y", "-xerror")
PROGRESS_ARGS = ("-progress", "pipe:1", "-stats_period", "0.5")
#: Fields that change while work is done; ffmpeg prints progress also while it waits for ever.
_ADVANCING = ("frame", "out_time_us", "total_size", "progress")
_VERSION = re.compile(r"ffmpeg version (\S+)")
GET_FFMPEG = "pip install imageio-ffmpeg   (or: apt install ffmpeg, conda install ffmpeg)"


def candidates() -> Iterator[tuple[str, str]]:
    """Yield the paths where an ffmpeg may be, best first, each with its origin.

    ``FRAMEPIPE_FFMPEG``, every ``ffmpeg`` on ``PATH``, the one that imageio-ffmpeg ships.
    """
    if configured := os.environ.get(VARIABLE):
        yield shutil.which(configured) or configured, VARIABLE
    real_paths = set()
    for folder in os.get_exec_path():
        path = shutil.which("ffmpeg", path=folder)
        if path and (real_path := os.path.realpath(path)) not in real_paths:
            real_paths.add(real_path)
            yield path, "PATH"
    if shipped := _shipped():
        yield shipped, "imageio-ffmpeg"


def _shipped() -> str | None:
    """Return the program in imageio-ffmpeg's wheel."""
    try:
        import imageio_ffmpeg

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError, OSError):
        return None


@cache
def version_of(path: str) -> str | None:
    """Return the version that ``path -version`` prints, None if it is not an ffmpeg."""
    code, text = query([path, "-version"])
    match = _VERSION.match(text)
    return match[1] if match and code == 0 else None


_tools: dict[tuple[str, str, str], Tool] = {}


def find_ffmpeg(what: str, probe: Callable[[Tool], None], hint: str = f"To get one: {GET_FFMPEG}") -> Tool:
    """Find the first ffmpeg that can do what is required.

    Parameters
    ----------
    what : str
        What is probed, for the message: ``"mp4"``.
    probe : callable
        Does it with tiny input; raises `EncoderFailed` if it fails.
    hint : str
        What to do if no ffmpeg can.

    Raises
    ------
    ToolMissing
        No ffmpeg can; the message lists the candidates and how to get one.
    """
    key = (what, os.environ.get(VARIABLE, ""), os.environ.get("PATH", ""))
    if key not in _tools:
        _tools[key] = _search(what, probe, hint)
    return _tools[key]


def _search(what: str, probe: Callable[[Tool], None], hint: str) -> Tool:
    rejected: dict[str, str] = {}
    for path, origin in candidates():
        if path in rejected:
            continue
        version = version_of(path)
        if version is None:
            rejected[path] = f"{path} ({origin}) is no working ffmpeg"
            continue
        notes = tuple(f"{reason}; used {path}" for reason in rejected.values())
        tool = Tool("ffmpeg", path, version, notes)
        try:
            probe(tool)
            return tool
        except EncoderFailed as error:
            reason = _first_words(str(error))
            rejected[path] = f"{path} ({origin}, {version}) cannot build {what}: {reason}"
    reasons = "".join(f"\n  {reason}" for reason in rejected.values()) or "\n  there is none"
    raise ToolMissing(f"no ffmpeg that can build {what}:{reasons}\n{hint}")


def _first_words(text: str) -> str:
    """Return the first line, with the next one if it ends in a colon; without memory addresses."""
    first, *rest = re.sub(r" @ 0x[0-9a-f]+(?=\])", "", text).splitlines()
    return f"{first} {rest[0].strip()[:160]}" if first.endswith(":") and rest else first


def run_ffmpeg(
    tool: Tool,
    args: Sequence[str],
    *,
    cwd: Path,
    frames: int | None = None,
    on_frame: Callable[[int], None] | None = None,
    idle_timeout_s: float = IDLE_TIMEOUT_S,
    control: Control = NO_CONTROL,
    gives_way: bool = False,
    waits: Callable[[], bool] | None = None,
) -> None:
    """Run one ffmpeg command, and check that it succeeded.

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
    idle_timeout_s, control, gives_way, waits
        See `framepipe.core.process.run`.

    Raises
    ------
    EncoderFailed
        The command failed; the message has the end of its ``stderr``.
    """
    progress = {"frame": "0", "dup_frames": "0", "drop_frames": "0"}

    def read(lines: str) -> bool:
        before = {name: progress.get(name) for name in _ADVANCING}
        progress.update(re.findall(r"^(\w+)= *(\S*)", lines, re.MULTILINE))
        if on_frame and progress["frame"].isdigit():
            on_frame(int(progress["frame"]))
        return before != {name: progress.get(name) for name in _ADVANCING}

    # by default SVT-AV1 and libva print information on stderr
    env = {"SVT_LOG": "1", "LIBVA_MESSAGING_LEVEL": "1"}
    options: dict[str, Any] = {"idle_timeout_s": idle_timeout_s, "control": control}
    options |= {"gives_way": gives_way, "waits": waits}
    result = run([tool.path, *args], cwd=cwd, on_lines=read, env=env, **options)
    problem = result.verdict()
    if not problem and frames is not None:
        if (progress["frame"], progress.get("progress")) != (str(frames), "end"):
            problem = f"wrote {progress['frame']} of {frames} frames although it exited with status 0"
        elif progress["dup_frames"] != "0" or progress["drop_frames"] != "0":
            problem = f"duplicated {progress['dup_frames']} and dropped {progress['drop_frames']} frames"
    if "No space left" in result.stderr:
        problem = f"found no space left on the disk ({problem})"
    if problem:
        raise EncoderFailed(f"ffmpeg {problem}{_last_words(result.stderr)}", stderr=result.stderr, tool=tool)


def _last_words(stderr: str) -> str:
    """Return the first line, often the cause of the others (ffmpeg 9 has eight more), and the last ones."""
    lines = [line for line in stderr.splitlines() if line.strip()]
    ends = [*lines[:1], *lines[1:][-7:]]
    return ":\n  " + "\n  ".join(line[:300] for line in ends) if ends else ""
