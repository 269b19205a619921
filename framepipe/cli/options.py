"""Options that several verbs share: those of `framepipe.options`, as flags."""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from framepipe.errors import UsageError
from framepipe.options import (
    DrawOptions,
    EncodeOptions,
    OptionGroup,
    SceneOptions,
    SubmitOptions,
    default_of,
    options_of,
)
from framepipe.timeline import Timing

F = TypeVar("F", bound=Callable[..., Any])


def paths(_: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Have the shell complete the name of a file, or of a folder where only that is meant."""
    kind = "dir" if param.metavar in ("STORE", "DIR") else "file"
    return [CompletionItem(incomplete, type=kind)]


class Flag(click.Option):
    """A click option that belongs under its group's heading."""

    def __init__(self, *names: Any, heading: str = "", **keywords: Any) -> None:
        if any(word in (keywords.get("metavar") or "") for word in ("FILE", "DIR", "CSV")):
            keywords["shell_complete"] = paths
        super().__init__(*names, **keywords)
        self.heading = heading


def flags(*groups: type[OptionGroup], as_assembled: bool = False) -> Callable[[F], F]:
    """Decorate a command with the flags of groups of options; see `framepipe.options.takes`.

    Parameters
    ----------
    *groups : type
    as_assembled : bool
        Only the options that decide how a movie is judged, without defaults.
    """

    def decorate(function: F) -> F:
        for group in reversed(groups):
            for name, field in reversed(options_of(group).items()):
                if field.metadata["flag"] != "" and (field.metadata["judged"] or not as_assembled):
                    function = _flag(name, field, group.heading, as_assembled)(function)
        return function

    return decorate


def _flag(name: str, field: dataclasses.Field[Any], heading: str, as_assembled: bool) -> Callable[[F], F]:
    declaration, default = field.metadata, None if as_assembled else default_of(field)
    flag = declaration["flag"] or f"--{name.replace('_', '-')}"
    short, _, long = flag.rpartition("/") if flag.startswith("-j") else ("", "", flag)
    keywords: dict[str, Any] = {"help": declaration["help"], "metavar": declaration["metavar"]}
    kind = str(field.type)
    if kind.startswith("bool"):
        keywords |= {"default": default} if "/" in long or as_assembled else {}
        keywords |= {} if "/" in long else {"is_flag": True}
    elif kind.startswith(("Mapping", "Sequence", "Iterable")):
        parse = {"Mapping[str, Any] | None": _parameters, "Mapping[str, str]": _texts}.get(kind)
        keywords |= {"multiple": True, "callback": parse}
    elif declaration["one_of"]:
        choices = [str(each) for each in declaration["one_of"]]
        keywords |= {"type": click.Choice(choices), "default": None if default is None else str(default)}
        keywords |= {"callback": _number} if kind.startswith("int") else {}
    else:
        numbers = {"int": int, "float": float}
        keywords |= {"type": numbers.get(kind.removesuffix(" | None")), "default": default}
        keywords |= {"callback": _dimension} if kind.startswith("str | int") else {}
    keywords["show_default"] = bool(keywords.get("default")) and "Default" not in declaration["help"]
    names = [each for each in (short, long) if each]
    return click.option(*names, name, cls=Flag, heading=heading, **keywords)


def _parameters(_: click.Context, __: click.Parameter, pairs: tuple[str, ...]) -> dict[str, Any]:
    """Parse ``key=value`` pairs: values are JSON if they parse, else text."""
    values: dict[str, Any] = {}
    for key, text in _texts(_, __, pairs).items():
        try:
            values[key] = json.loads(text)
        except ValueError:
            values[key] = text
    return values


def _number(_: click.Context, __: click.Parameter, text: str | None) -> int | None:
    return None if text is None else int(text)


def _texts(_: click.Context, __: click.Parameter, pairs: tuple[str, ...]) -> dict[str, str]:
    return texts(pairs)


def texts(pairs: Sequence[str]) -> dict[str, str]:
    """Parse ``key=value`` pairs; values are text."""
    values = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key.isidentifier():
            raise click.BadParameter(f"{pair!r} is not key=value")
        values[key] = text
    return values


def values_of(values: Sequence[str], scene: str | None) -> dict[str, list[Any]]:
    """Parse ``--sweep``.

    Raises
    ------
    UsageError
    """
    from framepipe.sweeps.points import parse_values

    if scene is None:
        raise UsageError("--sweep needs a SCRIPT.py:NAME, whose parameters it sets")
    return {name: parse_values(text) for name, text in texts(values).items()}


def _dimension(_: click.Context, __: click.Parameter, text: str | None) -> str | int | None:
    return int(text) if text and text.lstrip("-").isdigit() else text


def _after_dashes(context: click.Context, _: click.Parameter, arguments: tuple[str, ...]) -> tuple[str, ...]:
    if arguments and context.find_root().obj is False:
        raise click.UsageError(
            f"unexpected {shlex.join(arguments)}: put the arguments of a script after --", context
        )
    return arguments


STORE = click.argument("store", metavar="STORE", shell_complete=paths)
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
TIMINGS = click.option("--timings", is_flag=True, help="Also print where the time went.")
WATCH = click.option(
    "--watch",
    is_flag=True,
    help="Also show the render in a browser, see framepipe watch; prints the address.",
)
SWEEP = click.option(
    "--sweep",
    "values",
    metavar="NAME=VALUES",
    multiple=True,
    help="A movie for each value of a parameter: amplitude=0.5,1,2 or phase=0:3 (0, 1, 2). Repeatable: all "
    "combinations; -o takes {NAME}, as '{amplitude}_{phase}.mp4'.",
)
QUIET = click.option("-q", "--quiet", is_flag=True, help="No progress.")
OUTPUT = click.option(
    "-o",
    "--output",
    required=True,
    multiple=True,
    metavar="FILE",
    shell_complete=paths,
    help="Movie to build: .gif, .mp4, .html … Repeatable.",
)


def scene(function: F) -> F:
    """Decorate a command with the scene argument and its options."""
    group_keywords: dict[str, Any] = {"cls": Flag, "heading": SceneOptions.heading}
    function = flags(SceneOptions)(function)
    function = click.option(
        "--store",
        **group_keywords,
        metavar="DIR",
        help="Folder of the frames. Default: frames/<script>-<name>.",
    )(function)
    function = click.option(
        "--frames",
        **group_keywords,
        metavar="WHICH",
        help="A count (300), a frame range (0-299x5), the name of a sequence in the script, or a file of "
        "data (sim.npy, run.npz:w, sim.h5:/u, sim.zarr:u, sim.nc:t). An animation knows its own.",
    )(function)
    function = click.argument(
        "script_args", metavar="[-- ARGUMENTS]", nargs=-1, type=click.UNPROCESSED, callback=_after_dashes
    )(function)
    return click.argument("scene", metavar="SCRIPT.py[:NAME]", required=False, shell_complete=paths)(function)


_HEADINGS = [each.heading for each in (SceneOptions, SubmitOptions, DrawOptions, Timing, EncodeOptions)]


class Verb(click.Command):
    """A verb whose help lists its options under headings, its own options first."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """See click's ``Command.format_options``."""
        headings = ("Options", *_HEADINGS)
        sections: dict[str, list[tuple[str, str]]] = {heading: [] for heading in headings}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None and isinstance(param, click.Option):
                sections[getattr(param, "heading", "Options")].append(record)
        for heading, records in sections.items():
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records, col_max=26)


def import_from_here() -> None:
    """Make ``package.module:NAME`` importable from the working folder, as under ``python -m``."""
    if (folder := os.getcwd()) not in sys.path:
        sys.path.insert(0, folder)
    os.environ.setdefault("MPLBACKEND", "Agg")


def print_json(data: Any) -> None:
    """Print a report as JSON."""
    print(json.dumps(data, indent=1))
