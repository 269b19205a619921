"""Options that several verbs share. An option is a library keyword, with the same default."""

from __future__ import annotations

import inspect
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from framepipe.assemble import assemble
from framepipe.engines import NAMES as ENGINES
from framepipe.plan import MISSING
from framepipe.plan import STALE as STALE_AT_ASSEMBLY
from framepipe.recipes import CHROMAS, CODECS, DITHERS, ENCODERS, LAYERS, PRESETS, QUALITIES, TARGETS
from framepipe.render import ASKED_ORDERS, STALE, render
from framepipe.timeline import DEFAULT_FPS

F = TypeVar("F", bound=Callable[..., Any])
ANY_DITHER = list(dict.fromkeys([*DITHERS["ffmpeg"], *DITHERS["imagemagick"]]))


def _default(function: Callable[..., Any], name: str) -> Any:
    return inspect.signature(function).parameters[name].default


def _stack(*decorators: Callable[[F], F]) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


def _parameters(_: click.Context, __: click.Parameter, pairs: tuple[str, ...]) -> dict[str, Any]:
    """``key=value``: JSON if it parses, else text."""
    found: dict[str, Any] = {}
    for key, text in _texts(_, __, pairs).items():
        try:
            found[key] = json.loads(text)
        except ValueError:
            found[key] = text
    return found


def _number(_: click.Context, __: click.Parameter, text: str) -> int:
    return int(text)


def _texts(_: click.Context, __: click.Parameter, pairs: tuple[str, ...]) -> dict[str, str]:
    """``key=value``, as text."""
    found = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key.isidentifier():
            raise click.BadParameter(f"{pair!r} is not key=value")
        found[key] = text
    return found


def _dimension(_: click.Context, __: click.Parameter, text: str | None) -> str | int | None:
    return int(text) if text and text.lstrip("-").isdigit() else text


AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
QUIET = click.option("-q", "--quiet", is_flag=True, help="No progress.")

SCENE = _stack(
    click.argument("scene", metavar="SCRIPT.py:NAME", required=False),
    click.option(
        "--frames",
        metavar="WHICH",
        help="A count (300), a frame range (0-299x5), the name of a sequence in the script, or a file of "
        "data (sim.npy, run.npz:w, sim.h5:/u, sim.zarr:u, sim.nc:t). An animation knows its own.",
    ),
    click.option(
        "--dim", callback=_dimension, metavar="NAME|N", help="Dimension of the data. Default: the first."
    ),
    click.option("--allow-pickle", is_flag=True, help="Read frames out of a pickle, which can run any code."),
    click.option(
        "--command",
        metavar="TEXT",
        help="A program that draws a frame, instead of SCRIPT.py:NAME: "
        "'prog --frame {number} --out {output}'; {index} and {value} are filled too.",
    ),
    click.option(
        "--retries",
        type=int,
        default=0,
        metavar="N",
        help="Try a command that failed N times more for a frame.",
    ),
    click.option("--store", metavar="DIR", help="Folder of the frames. Default: frames/<script>-<name>."),
    click.option(
        "--param",
        "params",
        multiple=True,
        callback=_parameters,
        metavar="KEY=VALUE",
        help="Keyword for the scene: JSON if it parses, else text. Repeatable.",
    ),
    click.option(
        "--input",
        "inputs",
        multiple=True,
        metavar="FILE",
        help="File that the scene reads: when it changes, the frames are stale. Repeatable.",
    ),
    click.option("--dpi", type=float, help="As in savefig."),
    click.option("--tight", is_flag=True, help="Cut all frames to the tight box of the first."),
    click.option("--transparent/--opaque", default=None, help="As in savefig. Default: rcParams."),
)

DRAWING = _stack(
    click.option("-j", "--workers", type=int, help="Processes. Default: as many as may be used."),
    click.option("--engine", type=click.Choice(ENGINES), default="local", show_default=True),
    click.option(
        "--order",
        type=click.Choice(ASKED_ORDERS),
        default="auto",
        show_default=True,
        help="Jump to frames, replay all updates, or draw in one process; auto tries it and compares.",
    ),
    click.option(
        "--stale",
        type=click.Choice(STALE),
        default="draw",
        show_default=True,
        help="What to do with frames that another version of the job drew.",
    ),
    click.option(
        "--frame-timeout",
        "frame_timeout_s",
        type=float,
        metavar="S",
        help="Seconds after which a frame is given up.",
    ),
    click.option(
        "--recycle",
        type=int,
        default=_default(render, "recycle"),
        show_default=True,
        metavar="N",
        help="Replace a worker process after so many frames.",
    ),
    click.option("--max-failures", type=int, metavar="N", help="Stop after more failed frames than this."),
)

PARTIAL = _stack(
    click.option("--shard", metavar="K/N", help="Draw only frames K-1, K-1+N, K-1+2N … of the plan."),
    click.option("--only", metavar="RANGE", help="Draw only these numbers of the plan, even if done."),
)


def timing(*, as_assembled: bool = False) -> Callable[[F], F]:
    """Options of `Timing`; those of ``verify`` are as the movie was assembled unless they are given."""

    def default(value: Any) -> Any:
        return None if as_assembled else value

    return _stack(
        click.option(
            "--fps",
            metavar="RATE",
            help=f"Frames per second: 24, 12.5, 30000/1001. Default: the animation's, else {DEFAULT_FPS}.",
        ),
        click.option(
            "--hold-first", "hold_first_s", type=float, default=default(0.0), metavar="S", help="Seconds."
        ),
        click.option(
            "--hold-last", "hold_last_s", type=float, default=default(0.0), metavar="S", help="Seconds."
        ),
        click.option(
            "--pause-between-loops",
            "pause_s",
            type=float,
            default=default(0.0),
            metavar="S",
            help="Seconds that the last frame is shown longer.",
        ),
        click.option(
            "--durations",
            "durations_s",
            metavar="FILE.csv",
            help="Seconds of each frame: a line each, or lines of number,seconds.",
        ),
        click.option(
            "--speed", type=float, default=default(1.0), metavar="X", help="Play so many times as fast."
        ),
        click.option("--every", type=int, default=default(1), metavar="N", help="Every N-th frame only."),
        click.option("--part", metavar="RANGE", help="Only these frames."),
        click.option("--reverse", is_flag=True, default=default(False), help="Backwards."),
        click.option("--bounce", is_flag=True, default=default(False), help="Forwards, then backwards."),
        click.option(
            "--loop",
            default=default("forever"),
            show_default=not as_assembled,
            metavar="N|forever",
            help="How often a GIF plays; 0 is for ever.",
        ),
    )


ENCODING = _stack(
    click.option(
        "--for",
        "target",
        type=click.Choice(TARGETS),
        help="Refuse what that place does not take: formats, codecs, sizes, rates, too large files.",
    ),
    click.option("--encoder", type=click.Choice(ENCODERS), default="auto", show_default=True),
    click.option(
        "--palette",
        default="global",
        show_default=True,
        metavar="global|all|per-frame|FILE|COLORMAP",
        help="GIF: one colour table, from 50 frames or from all; or one a frame; or a picture's colours; or "
        "a colormap's.",
    ),
    click.option("--colors", type=int, default=256, show_default=True, help="GIF: 2 to 256."),
    click.option(
        "--dither",
        type=click.Choice(ANY_DITHER),
        default="none",
        show_default=True,
        help="GIF: none is smaller and closer to the source for plots.",
    ),
    click.option(
        "--layers",
        type=click.Choice(LAYERS),
        default="auto",
        show_default=True,
        help="GIF by ImageMagick: whole frames, or what changes; auto is the smaller way.",
    ),
    click.option(
        "--codec",
        type=click.Choice(CODECS),
        help="Video. Default: h264, vp9, ffv1 or prores. h264_nvenc and alike: in hardware.",
    ),
    click.option("--quality", type=click.Choice(QUALITIES), default="good", show_default=True),
    click.option("--crf", type=int, help="Video: rate factor, 0 is best. Default: as --quality says."),
    click.option(
        "--chroma",
        type=click.Choice(CHROMAS),
        default="420",
        show_default=True,
        help="Video: 444 is sharper.",
    ),
    click.option(
        "--depth",
        type=click.Choice(["8", "10"]),
        default="8",
        show_default=True,
        callback=_number,
        help="Video: bits.",
    ),
    click.option(
        "--codec-option",
        "codec_options",
        multiple=True,
        callback=_texts,
        metavar="KEY=VALUE",
        help="Video: any option of ffmpeg's encoder, as tune=animation. Repeatable.",
    ),
    click.option(
        "--labels",
        default="number",
        show_default=True,
        metavar="number|value|FILE",
        help="HTML: what stands under each frame; of a file, its line.",
    ),
    click.option(
        "--player-limit-mb",
        type=float,
        default=_default(assemble, "player_limit_mb"),
        show_default=True,
        metavar="MB",
        help="HTML: refuse a page that would be larger.",
    ),
    click.option(
        "--html-assets", is_flag=True, help="HTML: the pictures in a folder beside the page, for long movies."
    ),
    click.option(
        "--optimize", is_flag=True, help="GIF: made smaller by gifsicle, if every pixel stays as it is."
    ),
    click.option(
        "--preset",
        type=click.Choice(PRESETS),
        default="medium",
        show_default=True,
        help="H.264, H.265: speed against size.",
    ),
    click.option(
        "--metadata",
        multiple=True,
        callback=_texts,
        metavar="KEY=VALUE",
        help="MP4: what the file says of itself, as title=Waves. Repeatable.",
    ),
    click.option(
        "--encoder-timeout",
        "stall_s",
        type=float,
        default=_default(assemble, "stall_s"),
        show_default=True,
        metavar="S",
        help="Kill an encoder that shows no sign of life for so long.",
    ),
)

LENIENT = _stack(
    click.option(
        "--missing",
        type=click.Choice(MISSING),
        default="error",
        show_default=True,
        help="Frames that are missing or broken: refuse, show the one before, leave out.",
    ),
    click.option(
        "--stale",
        type=click.Choice(STALE_AT_ASSEMBLY),
        default="error",
        show_default=True,
        help="Frames of another version of the job: refuse or use.",
    ),
)


def import_from_here() -> None:
    """Let ``package.module:NAME`` be found in the working folder, as under ``python -m``."""
    if (here := os.getcwd()) not in sys.path:
        sys.path.insert(0, here)
    os.environ.setdefault("MPLBACKEND", "Agg")


def print_json(data: Any) -> None:
    """Print a report for machines."""
    print(json.dumps(data, indent=1))


def shown(path: Path) -> str:
    """A path as short as it can be from here."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
