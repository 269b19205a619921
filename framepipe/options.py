"""Every option, declared once: name, type, default, limits, help, flag.

An option is a field, made by `option`, of one of the groups below or of `framepipe.timeline.Timing`. All
else is derived from that: the checks, the signatures and docstrings of the functions that take it
(`takes`), the flags of the command line (`framepipe.cli.options.flags`), and the groups that `split` makes
of keywords. Type checkers cannot read dataclasses as keywords, so each group also has a ``TypedDict``; a
contract test keeps the two equal.
"""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import json
import os
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import Any, ClassVar, Protocol, TypedDict, TypeVar

from framepipe.core.allocation import parse_duration_s
from framepipe.core.control import IDLE_TIMEOUT_S
from framepipe.core.labels import NUMBER, parse_labels
from framepipe.errors import UsageError

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])
Group = TypeVar("Group", bound=type)

#: How frames may depend on those before them; see `DrawOptions.order`.
ORDERS = ("free", "replay", "serial")
FIRST_CALLS = ("once", "twice")
ENGINES = ("local", "serial", "dask", "mpi")
SCHEDULERS = ("slurm", "pbs", "lsf", "sge")
REDRAWS = ("auto", "full")
#: Frames per second; GIF keeps it exactly.
DEFAULT_FPS = 25
#: A page of this size opens in a second or two; larger ones are better videos.
PLAYER_LIMIT_MB = 50.0
CODECS: tuple[str, ...] = ("h264", "h265", "av1", "vp9", "ffv1", "prores")
#: Hardware encoders, by ffmpeg's names; see `framepipe.formats.video.codecs`.
CODECS += ("h264_nvenc", "hevc_nvenc", "av1_nvenc", "h264_qsv", "hevc_qsv", "av1_qsv", "h264_vaapi")
CODECS += ("hevc_vaapi", "h264_amf", "hevc_amf", "h264_videotoolbox", "hevc_videotoolbox")
#: Places for which movies are checked; see `framepipe.formats.targets`.
TARGETS = ("web", "slides", "archive", "mastodon")
QUALITIES = ("draft", "good", "best", "lossless")
CHROMAS, DEPTHS = ("420", "444"), (8, 10)
ENCODERS = ("auto", "ffmpeg", "imagemagick")
PALETTES = ("global", "all", "per-frame")
LAYERS = ("auto", "none", "optimize", "optimize-transparency")
PRESETS: tuple[str, ...] = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium")
PRESETS += ("slow", "slower", "veryslow")
DITHERS = {
    "ffmpeg": (
        "none",
        "bayer",
        *(f"bayer:{scale}" for scale in range(6)),
        "heckbert",
        "floyd_steinberg",
        "sierra2",
        "sierra2_4a",
    ),
    "imagemagick": ("none", "floyd_steinberg", "riemersma"),
}


def option(
    default: Any,
    help: str,
    *,
    more: str = "",
    flag: str | None = None,
    metavar: str | None = None,
    one_of: tuple[Any, ...] = (),
    within: tuple[float, float] | None = None,
    above: str = "",
    judged: bool = False,
) -> Any:
    """Declare an option: a dataclass field with the metadata for the command line and the docs.

    Parameters
    ----------
    default : object
        A dict is copied for each instance.
    help : str
        Description for the command line and for Python.
    more : str
        Further description for the docs alone.
    flag : str, optional
        Default: the name with dashes. Empty: no flag on the command line.
    metavar : str, optional
    one_of : tuple
        All allowed values.
    within : tuple of float, optional
        Minimum and maximum.
    above : str
        For a finite number above 0: its unit.
    judged : bool
        True if `verify` uses it.
    """
    declaration = {
        "help": help,
        "more": more,
        "flag": flag,
        "metavar": metavar,
        "one_of": one_of,
        "within": within,
        "above": above,
        "judged": judged,
    }
    if isinstance(default, dict):
        return field(default_factory=default.copy, metadata=declaration)
    return field(default=default, metadata=declaration)


def group(cls: Group) -> Group:
    """Decorate a dataclass of options: describe them in its docstring."""
    if cls.__doc__:  # python -OO drops it
        section = describe_options("Attributes", options_of(cls).items())
        cls.__doc__ = f"{inspect.cleandoc(cls.__doc__)}\n\n{section}"
    return cls


class OptionGroup(Protocol):
    """A class of options: a dataclass, with a heading for the command line."""

    __dataclass_fields__: ClassVar[dict[str, Any]]
    heading: ClassVar[str]


def options_of(*groups: type[OptionGroup]) -> dict[str, dataclasses.Field[Any]]:
    """Return the options of some groups by name, in order."""
    return {each.name: each for group in groups for each in dataclasses.fields(group)}


def default_of(entry: dataclasses.Field[Any]) -> Any:
    """Return an option's default; None if it is a dict."""
    return None if entry.default is dataclasses.MISSING else entry.default


def check(options: Any) -> None:
    """Check each option of a group against its limits.

    Raises
    ------
    UsageError
    """
    for name, entry in options_of(type(options)).items():
        _check(name, entry.metadata, getattr(options, name), default_of(entry))


def _check(name: str, declaration: Mapping[str, Any], value: Any, default: Any) -> None:
    flag = (declaration["flag"] or "").removeprefix("-j/")
    label = f"{name} ({flag})" if flag not in ("", f"--{name}") else name
    if value is None and default is None:
        return
    if isinstance(default, bool) and not isinstance(value, bool):
        raise UsageError(f"{label} is {value!r}; give True or False")
    if (declaration["within"] or declaration["above"]) and (
        isinstance(value, bool) or not isinstance(value, Real)
    ):
        raise UsageError(f"{label} is {value!r}; give a number")
    if declaration["one_of"] and isinstance(value, (str, int)) and value not in declaration["one_of"]:
        raise UsageError(f"{label} is {value!r}; give one of {', '.join(map(str, declaration['one_of']))}")
    if declaration["within"] and not declaration["within"][0] <= value <= declaration["within"][1]:
        least, greatest = declaration["within"]
        limits = f"{least:g} or more" if greatest == float("inf") else f"{least:g} to {greatest:g}"
        raise UsageError(f"{label} is {value}; give {limits}")
    if declaration["above"] and not 0 < value < float("inf"):
        raise UsageError(f"{label} is {value:g}; give {declaration['above']} above 0")


def split(keywords: Mapping[str, Any], *groups: type[OptionGroup], verb: str) -> tuple[Any, ...]:
    """Split the keywords of a function into groups of options.

    A group may be passed whole, as ``encode=EncodeOptions(...)``; single options override it. None stands
    for the default.

    Raises
    ------
    UsageError
        An option is unknown, or its value is not allowed.
    """
    fields = options_of(*groups)
    whole = {keyword for each in groups if (keyword := getattr(each, "keyword", ""))}
    for name in keywords:
        if name not in fields and name not in whole:
            matches = difflib.get_close_matches(name, [*fields, *whole], 1)
            hint = f"; did you mean {matches[0]}?" if matches else ""
            raise UsageError(f"{verb} has no option {name!r}{hint}")
    values: list[Any] = []
    for each in groups:
        name = getattr(each, "keyword", "")
        whole_group: Any = keywords.get(name) if name else None
        if whole_group is not None and type(whole_group) is not each:
            raise UsageError(
                f"{name} is a {type(whole_group).__name__}; give {each.__name__}(...) or its options"
            )
        overrides = {key: _plain(keywords[key]) for key in options_of(each) if keywords.get(key) is not None}
        values.append(
            dataclasses.replace(whole_group, **overrides) if whole_group is not None else each(**overrides)
        )
    return tuple(values)


def _plain(value: Any) -> Any:
    """Convert a numpy scalar to Python's type, since JSON does not support it."""
    return value.item() if hasattr(value, "item") and getattr(value, "ndim", 1) == 0 else value


def takes(*groups: type[OptionGroup], as_assembled: bool = False) -> Callable[[F], F]:
    """Decorate a function that takes options as ``**options``.

    They are added to its signature, and to its docstring as "Other Parameters".

    Parameters
    ----------
    *groups : type
    as_assembled : bool
        Only the options that decide how a movie is judged; their default is None: as the movie was assembled.
    """
    fields = [
        (name, entry)
        for name, entry in options_of(*groups).items()
        if entry.metadata["judged"] or not as_assembled
    ]

    def decorate(function: F) -> F:
        signature = inspect.signature(function)
        parameters = [each for each in signature.parameters.values() if each.kind is not each.VAR_KEYWORD]
        added = [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=None if as_assembled else default_of(entry),
                annotation=entry.type,
            )
            for name, entry in fields
        ]
        last = [each for each in parameters if each.name in ("progress", "stop")]
        first = [each for each in parameters if each not in last]
        function.__signature__ = signature.replace(parameters=[*first, *added, *last])  # type: ignore[attr-defined]
        if function.__doc__:
            section = describe_options("Other Parameters", fields)
            function.__doc__ = _before_returns(inspect.cleandoc(function.__doc__), section)
        return function

    return decorate


def describe_options(heading: str, fields: Iterable[tuple[str, dataclasses.Field[Any]]]) -> str:
    """Format options as a section of a numpydoc docstring."""
    lines = [heading, "-" * len(heading)]
    for name, entry in fields:
        text = " ".join(filter(None, [entry.metadata["help"], entry.metadata["more"]]))
        lines += [f"{name} : {_kind(entry)}", textwrap.indent(textwrap.fill(text, 100), "    ")]
    return "\n".join(lines)


def _kind(entry: dataclasses.Field[Any]) -> str:
    optional = default_of(entry) is None and entry.default is not dataclasses.MISSING
    text = re.sub(r" \| None$", "", str(entry.type))
    if entry.metadata["one_of"]:
        words = ", ".join(
            f'"{each}"' if isinstance(each, str) else str(each) for each in entry.metadata["one_of"]
        )
        text = f"{{{words}}}" + (" or Engine" if "object" in text else "")
    return f"{text}, optional" if optional else text


def as_flags(keywords: Mapping[str, Any], *groups: type[OptionGroup]) -> list[str]:
    """Return the options among some keywords as arguments of the command line.

    Those at their default are left out. The inverse of `framepipe.cli.options.flags`, for scripts that run
    the command line.

    Parameters
    ----------
    keywords : mapping
        Others than the groups' options are ignored, and so are options without a flag.
    *groups : type

    Raises
    ------
    UsageError
        A value cannot be written as text, such as a sequence of labels.
    """
    arguments: list[str] = []
    for name, entry in options_of(*groups).items():
        flag, value = entry.metadata["flag"], keywords.get(name)
        if value is None or value == default_of(entry) or flag == "":
            continue
        flag = (flag or f"--{name.replace('_', '-')}").removeprefix("-j/")
        if isinstance(value, bool):
            on, _, off = flag.partition("/")
            arguments += [on] if value else [off] if off else []
            continue
        arguments += [f"{flag}={text}" for text in _texts_of(name, str(entry.type), value)]
    return arguments


def _texts_of(name: str, kind: str, value: Any) -> list[str]:
    """Return a value as the texts of its flag, one for each time that the flag is given."""
    if kind.startswith("Mapping"):
        is_json = "Any" in kind
        return [f"{key}={_json_or_text(name, each) if is_json else each}" for key, each in value.items()]
    if kind.startswith(("Sequence", "Iterable")):
        return [os.fspath(each) for each in ([value] if isinstance(value, str) else value)]
    if isinstance(value, (str, Real, os.PathLike)):
        return [str(value)]
    raise UsageError(
        f"{name} is a {type(value).__name__}, which a command line cannot hold; give a text, a number, a file"
    )


def _json_or_text(name: str, value: Any) -> str:
    """Return a value as JSON; a text that is no JSON as it is."""
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        raise UsageError(
            f"{name}: a {type(value).__name__} cannot be handed on as text; give numbers, texts or lists"
        ) from None
    if not isinstance(value, str):
        return text
    try:
        json.loads(value)
    except ValueError:
        return value
    return text


def _before_returns(text: str, section: str) -> str:
    """Insert a section into a docstring, before "Returns"."""
    head, returns, tail = text.partition("\n\nReturns\n-------\n")
    return f"{head}\n\n{section}{returns}{tail}"


@group
@dataclass(frozen=True, kw_only=True)
class SceneOptions:
    """The scene, its parameters and the canvas."""

    heading: ClassVar[str] = "Scene and frames"

    params: Mapping[str, Any] | None = option(
        None,
        "Keyword for the scene: JSON if it parses, else text. Repeatable.",
        more="In Python a mapping: keyword arguments of the function, the same for all frames.",
        flag="--param",
        metavar="KEY=VALUE",
    )
    script_args: Sequence[str] = option((), "``sys.argv[1:]`` of a script.", flag="")
    seed: int | str | None = option(
        None,
        "Seed of random numbers that the script does not seed. Default: chosen once per job.",
        more='It is kept in the store, so that a resumed render continues the same film. "none": no seed.',
        metavar="N|none",
    )
    env: Sequence[str] = option(
        (),
        "Environment variable that the scene reads: when it changes, frames are stale. Repeatable.",
        more="In Python a sequence of names.",
        metavar="NAME",
    )
    inputs: Iterable[str | os.PathLike[str]] = option(
        (),
        "File that the scene reads: when it changes, the frames are stale. Repeatable.",
        more="In Python a sequence of paths. Files that a script opens through Python are noticed anyway.",
        flag="--input",
        metavar="FILE",
    )
    dpi: float | None = option(
        None, "As in savefig.", more="Default: ``savefig.dpi``, then the figure's.", above="dots per inch"
    )
    tight: bool = option(False, "Cut all frames to the tight box of the first.")
    transparent: bool | None = option(
        None, "As in savefig. Default: rcParams.", flag="--transparent/--opaque"
    )
    command: str | None = option(
        None,
        "A program that draws a frame, instead of SCRIPT.py:NAME: 'prog --frame {number} --out "
        "{output}'; {index} and {value} are filled too.",
        more="It writes one picture a frame. No shell sees it.",
        metavar="TEXT",
    )
    retries: int = option(0, "Repeat a failed command up to N times for a frame.", metavar="N")
    dim: str | int | None = option(
        None,
        "Dimension of the data. Default: the first.",
        more="Its indices are the frames.",
        metavar="NAME|N",
    )
    allow_pickle: bool = option(False, "Read frames out of a pickle, which can run any code.")
    animation: str | None = option(
        None, "One of several animations of a script, by name or by number from 1.", metavar="NAME|N"
    )
    first_call: str = option(
        "once",
        "Update functions without init_func, for the first frame: anim.save calls them twice.",
        more="That shows only where they keep state.",
        one_of=FIRST_CALLS,
    )

    def __post_init__(self) -> None:
        check(self)


class SceneKeywords(TypedDict, total=False):
    """`SceneOptions` as keywords."""

    params: Mapping[str, Any] | None
    script_args: Sequence[str]
    seed: int | str | None
    env: Sequence[str]
    inputs: Iterable[str | os.PathLike[str]]
    dpi: float | None
    tight: bool
    transparent: bool | None
    command: str | None
    retries: int
    dim: str | int | None
    allow_pickle: bool
    animation: str | None
    first_call: str


@group
@dataclass(frozen=True, kw_only=True)
class DrawOptions:
    """How frames are drawn: where, in which order, and how stale and failed frames are treated."""

    heading: ClassVar[str] = "Drawing"
    keyword: ClassVar[str] = "draw"

    workers: int | None = option(
        None,
        "Processes. Default: as many as may be used.",
        flag="-j/--workers",
        within=(1, float("inf")),
    )
    engine: str | object = option(
        "local",
        "Processes of this machine, or this process alone; or dask's workers, or the ranks of MPI.",
        more="In Python also dask's ``Client`` or ``Cluster``, any executor such as `concurrent.futures` has "
        "them, or an `Engine`.",
        one_of=ENGINES,
    )
    address: str | None = option(
        None,
        "Engine dask: the scheduler's address. Default: dask's configuration.",
        metavar="tcp://HOST:PORT",
    )
    scheduler_file: str | os.PathLike[str] | None = option(
        None, "Engine dask: the file in which its scheduler has written where it is.", metavar="FILE"
    )
    shared_store: bool = option(
        True,
        "Let workers elsewhere store frames themselves; or send them to this process, which stores them.",
        more="The store must then be on a file system that all of them see, which is checked.",
        flag="--shared-store/--no-shared-store",
    )
    order: str = option(
        "auto",
        "Jump to frames, replay all updates, or draw in one process; auto tries it and compares.",
        more='How frames depend on those before them. "free": not at all, so workers jump to theirs. '
        '"replay": each worker runs all updates in order, and draws only its own frames. '
        '"serial": one process draws all. "auto" draws some frames both ways in fresh processes, '
        "and goes on checking while it draws; an order that the user gives is not checked.",
        one_of=("auto", *ORDERS),
    )
    redraw: str = option(
        "auto",
        "Of a figure that stays, draw only what has changed, and compare; or draw all of each frame.",
        more="Pixels are the same: the first frames, then one in twenty, and the last are also drawn in "
        "full and compared; after one difference all frames are drawn in full, those that were there too.",
        one_of=REDRAWS,
    )
    stale: str = option(
        "auto",
        "Frames of another version of the job: draw again, keep, refuse; auto draws them again "
        "but refuses those of other parameters or dpi.",
        one_of=("auto", "draw", "keep", "error"),
    )
    coarse_first: bool = option(
        False,
        "Draw every 16th frame first, then every 8th …, so that all of the movie is there early, coarsely.",
        more="See it with `assemble --so-far`. Where updates must run for each frame there are two passes: "
        "every 16th frame, then the others. A scene whose frames are drawn in one process (order serial) "
        "or come out of a generator is drawn in order.",
    )
    frame_timeout_s: float | None = option(
        None,
        "Seconds after which drawing a frame is stopped.",
        more="It is drawn once more, alone.",
        flag="--frame-timeout",
        metavar="S",
        above="seconds",
    )
    max_frames_per_worker: int = option(
        500,
        "Replace a worker process after N frames.",
        more="That bounds leaks of user code; a start costs about a second.",
        metavar="N",
        within=(1, float("inf")),
    )
    max_failures: int | None = option(
        None,
        "Stop after more failed frames than this.",
        more="Default: draw all that can be drawn.",
        metavar="N",
        within=(0, float("inf")),
    )
    time_left: str | float | None = option(
        None,
        "Time until this process is ended: seconds or H:MM:SS. Default: as the scheduler says.",
        more="A frame that would not be ready by then is not begun, and the run ends by itself, with exit "
        "code 75. Slurm, PBS and LSF are asked.",
        metavar="TIME",
    )

    @property
    def time_left_s(self) -> float | None:
        """`time_left` in seconds."""
        return None if self.time_left is None else parse_duration_s(self.time_left)

    def __post_init__(self) -> None:
        check(self)
        _ = self.time_left_s  # parses


class DrawKeywords(TypedDict, total=False):
    """`DrawOptions` as keywords, or whole as ``draw``."""

    draw: DrawOptions
    workers: int | None
    engine: str | object
    address: str | None
    scheduler_file: str | os.PathLike[str] | None
    shared_store: bool
    order: str
    redraw: str
    stale: str
    coarse_first: bool
    frame_timeout_s: float | None
    max_frames_per_worker: int
    max_failures: int | None
    time_left: str | float | None


@group
@dataclass(frozen=True, kw_only=True)
class ShardOptions:
    """Which part of a job is drawn now."""

    heading: ClassVar[str] = "Drawing"

    shard: str | tuple[int, int] | None = option(
        None, "Draw only frames K-1, K-1+N, K-1+2N … of the plan.", metavar="K/N"
    )
    only: str | int | None = option(
        None, "Draw only these numbers of the plan, even if done.", metavar="RANGE"
    )
    own_only: bool = option(
        False,
        "Do not help other tasks when the shard is drawn.",
        more="Else what is left of shards that other tasks have begun is drawn too, from their far ends.",
    )

    @property
    def is_all(self) -> bool:
        """True if all frames of the job are drawn."""
        return self.shard is None and self.only is None


class ShardKeywords(TypedDict, total=False):
    """`ShardOptions` as keywords."""

    shard: str | tuple[int, int] | None
    only: str | int | None
    own_only: bool


@group
@dataclass(frozen=True, kw_only=True)
class EncodeOptions:
    """How a movie is encoded."""

    heading: ClassVar[str] = "Movie"
    keyword: ClassVar[str] = "encode"

    target: str | None = option(
        None,
        "Refuse what that place does not accept: formats, codecs, sizes, rates, too large files.",
        more="Whatever is known is checked before anything is drawn; a file that is too large fails "
        "verification.",
        flag="--for",
        one_of=TARGETS,
    )
    encoder: str = option("auto", "auto is ffmpeg.", one_of=ENCODERS)
    palette: str = option(
        "global",
        "GIF: one colour table, from 50 frames or from all; or one a frame; or a picture's "
        "colours; or a colormap's.",
        more='If "all" finds few enough colours, the GIF is lossless; "per-frame" is bigger, for many '
        "colours.",
        metavar="global|all|per-frame|FILE|COLORMAP",
        judged=True,
    )
    colors: int = option(256, "GIF: 2 to 256.", within=(2, 256), judged=True)
    dither: str = option(
        "none",
        "GIF: none is smaller and closer to the source for plots.",
        more="``bayer:N`` has a pattern from coarse (0) to fine (5).",
        one_of=tuple(dict.fromkeys([*DITHERS["ffmpeg"], *DITHERS["imagemagick"]])),
        judged=True,
    )
    layers: str = option(
        "auto",
        "GIF by ImageMagick: whole frames, or what changes; auto is the smaller way.",
        more="Its ``-layers``: ``none``, cropped to what changes (``optimize``), or whole with what does not "
        "change made transparent. ``auto`` is the smaller of ``optimize`` and ``optimize`` with "
        "``optimize-transparency`` after it. Frames with transparent pixels are always whole, and nothing is "
        "made transparent where all 256 colours are taken.",
        one_of=LAYERS,
    )
    codec: str | None = option(
        None,
        "Video. Default: h264, vp9, ffv1 or prores. h264_nvenc and alike: in hardware.",
        more="h264 in ``.mp4``, vp9 in ``.webm``, ffv1 (lossless) in ``.mkv``, prores (4444, with "
        "alpha) in ``.mov``. Encoders in hardware were not tried on real hardware.",
        one_of=CODECS,
        judged=True,
    )
    quality: str = option("good", "Tested settings of each codec and format.", one_of=QUALITIES, judged=True)
    crf: int | None = option(
        None, "Video: rate factor, 0 is best. Default: from --quality.", within=(0, 63), judged=True
    )
    chroma: str = option(
        "420",
        "Video: colour at half the resolution, or at full (444), which is sharper.",
        one_of=CHROMAS,
        judged=True,
    )
    depth: int = option(
        8, "Video: bits of a sample, where the codec has a choice.", one_of=DEPTHS, judged=True
    )
    codec_options: Mapping[str, str] = option(
        {},
        "Video: any option of ffmpeg's encoder, as tune=animation. Repeatable.",
        flag="--codec-option",
        metavar="KEY=VALUE",
    )
    labels: Any = option(
        NUMBER,
        "HTML: the text under each frame: its number, its value, or its line of a file.",
        more="In Python also a sequence of texts or numbers, one for each frame of the plan.",
        metavar="number|value|FILE",
    )
    player_limit_mb: float = option(
        PLAYER_LIMIT_MB, "HTML: refuse a page that would be larger.", metavar="MB", above="megabytes"
    )
    html_assets: bool = option(
        False,
        "HTML: the pictures in a folder beside the page, for long movies.",
        more="The page names it; pictures are loaded when they are near. Page and folder belong "
        "together; no limit holds for them.",
    )
    optimize: bool = option(
        False,
        "GIF: make it smaller with gifsicle, without changing a pixel.",
        more="Delays and loop stay the same too, and it passes the same verification.",
    )
    preset: str = option("medium", "H.264, H.265: speed against size.", one_of=PRESETS)
    metadata: Mapping[str, str] = option(
        {},
        "Video and HTML: metadata of the file, as title=Waves. Repeatable.",
        metavar="KEY=VALUE",
    )
    idle_timeout_s: float = option(
        IDLE_TIMEOUT_S,
        "Kill an encoder that makes no progress for this many seconds.",
        flag="--idle-timeout",
        metavar="S",
        above="seconds",
    )

    def __post_init__(self) -> None:
        check(self)
        object.__setattr__(self, "labels", parse_labels(self.labels))
        engine = "imagemagick" if self.encoder == "imagemagick" else "ffmpeg"
        if self.dither not in DITHERS[engine]:
            raise UsageError(
                f"dither (of {engine}) is {self.dither!r}; give one of {', '.join(DITHERS[engine])}"
            )
        if self.palette == "all" and engine == "imagemagick":
            raise UsageError("palette all is ffmpeg's: ImageMagick holds all frames in memory for that")
        if not self.palette or "\0" in self.palette:
            raise UsageError("palette has an empty name")
        if self.layers != "auto" and engine != "imagemagick":
            raise UsageError(f"layers {self.layers!r} is ImageMagick's: add --encoder imagemagick")
        for option_name, pairs in (("metadata", self.metadata), ("codec_options", self.codec_options)):
            for name, text in pairs.items():
                if not name.replace("-", "_").isidentifier() or "\0" in str(text):
                    raise UsageError(f"{option_name} {name!r}: {text!r} is not a name and text")


class EncodeKeywords(TypedDict, total=False):
    """`EncodeOptions` as keywords, or whole as ``encode``."""

    encode: EncodeOptions
    target: str | None
    encoder: str
    palette: str
    colors: int
    dither: str
    layers: str
    codec: str | None
    quality: str
    crf: int | None
    chroma: str
    depth: int
    codec_options: Mapping[str, str] | None
    labels: Any
    player_limit_mb: float
    html_assets: bool
    optimize: bool
    preset: str
    metadata: Mapping[str, str] | None
    idle_timeout_s: float


@group
@dataclass(frozen=True, kw_only=True)
class UseOptions:
    """Which frames a movie may be built from."""

    heading: ClassVar[str] = "Movie"

    missing: str = option(
        "error",
        "Frames that are missing or broken: refuse, show the one before, leave out.",
        one_of=("error", "hold", "skip"),
    )
    stale: str = option(
        "error", "Frames of another version of the job: refuse or use.", one_of=("error", "keep")
    )
    so_far: bool = option(
        False,
        "The movie of what is drawn by now, also while it is drawn.",
        more="Gaps are held (or left out, with --missing skip); it ends with the last frame that is there. "
        "It is verified to show these frames, but no frame is ever deleted because of it.",
    )

    def __post_init__(self) -> None:
        check(self)


class UseKeywords(TypedDict, total=False):
    """`UseOptions` as keywords."""

    missing: str
    stale: str
    so_far: bool


@group
@dataclass(frozen=True, kw_only=True)
class SubmitOptions:
    """What the tasks on a cluster get, and how often they are sent."""

    heading: ClassVar[str] = "Cluster"

    tasks: int | None = option(
        None, "Tasks of the array that draws. Default: 8.", metavar="N", within=(1, 100_000)
    )
    cpus: int | None = option(None, "Processors a task. Default: 1.", metavar="N", within=(1, 10_000))
    mem: str | None = option(None, "Memory a task, as 8G. Default: the scheduler's.", metavar="SIZE")
    time: str | None = option(
        None,
        "Walltime a task, as 1:30:00, 90m or 2-12:00:00. Default: the scheduler's.",
        more="A task whose frames take longer stops in time, is queued again and goes on.",
        metavar="TIME",
    )
    partition: str | None = option(None, "Partition or queue.", metavar="NAME")
    account: str | None = option(None, "Account or project.", metavar="NAME")
    directives: Sequence[str] = option(
        (),
        "A line for the scheduler, as '--constraint=rome'. Repeatable.",
        more="It stands behind ``#SBATCH``, ``#PBS``, ``#BSUB`` or ``#$``. In Python a sequence of texts.",
        flag="--option",
        metavar="TEXT",
    )
    setup: str | None = option(
        None,
        "Shell commands at the start of each task, as 'module load ffmpeg'.",
        metavar="TEXT",
    )
    python: str | None = option(
        None, "The tasks' Python, which has framepipe. Default: this one.", metavar="FILE"
    )
    profile: str | None = option(
        None,
        "Take options that are not given from this profile.",
        more="``[NAME]`` of ``~/.config/framepipe/profiles.toml``, or ``[tool.framepipe.profiles.NAME]`` of "
        "the ``pyproject.toml`` of this folder or one above. Default: the profile ``default``, if it exists.",
        metavar="NAME",
    )
    warning_s: float | None = option(
        None,
        "Seconds before the walltime at which tasks stop. Default: 60.",
        more="At least as long as the slowest frame takes.",
        flag="--warning",
        metavar="S",
        above="seconds",
    )
    requeues: int | None = option(
        None,
        "Queue a task again at most so often when its time is over. Default: 100.",
        metavar="N",
        within=(0, 10_000),
    )
    rounds: int | None = option(
        None,
        "Submit at most so often what tasks left that died. Default: 3.",
        more="Frames that raise an error are reported and not tried again.",
        metavar="N",
        within=(0, 1000),
    )
    load: bool = option(
        True,
        "Load the scene now, to find mistakes before the queue does, and to send only what is missing.",
        flag="--load/--no-load",
    )

    def __post_init__(self) -> None:
        check(self)


class SubmitKeywords(TypedDict, total=False):
    """`SubmitOptions` as keywords."""

    tasks: int | None
    cpus: int | None
    mem: str | None
    time: str | None
    partition: str | None
    account: str | None
    directives: Sequence[str]
    setup: str | None
    python: str | None
    profile: str | None
    warning_s: float | None
    requeues: int | None
    rounds: int | None
    load: bool
