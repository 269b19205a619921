"""``framepipe make``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

import framepipe as fp
from framepipe.cli import options
from framepipe.cli.session import progress_and_stop
from framepipe.errors import UsageError
from framepipe.options import DrawOptions, EncodeOptions
from framepipe.timeline import Timing

if TYPE_CHECKING:
    from framepipe.sweeps.report import SweepReport


@click.command("make", cls=options.Verb)
@options.scene
@options.OUTPUT
@options.flags(DrawOptions, Timing, EncodeOptions)
@click.option("--keep-frames", is_flag=True, help="Do not delete the frames afterwards.")
@click.option("--preview", is_flag=True, help="A quick look: few frames, small, in a store of their own.")
@options.SWEEP
@click.option("--grid", metavar="FILE", help="With --sweep: one more movie, of all side by side.")
@click.option("--all", "all_films", is_flag=True, help="Each film of a script; {name} in -o is its name.")
@options.WATCH
@options.QUIET
@options.TIMINGS
@options.AS_JSON
def command(
    watch: bool,
    quiet: bool,
    timings: bool,
    as_json: bool,
    all_films: bool,
    values: tuple[str, ...],
    grid: str | None,
    **keywords: Any,
) -> None:
    """Draw frames, build movies, verify them, then delete the frames.

    SCRIPT.py alone is run as Python would run it: its animation, or the frames that it shows or saves in a
    loop, are the movie. SCRIPT.py:NAME is a function of one frame, an animation, a generator of figures, or a
    function without parameters that returns an animation.

    Killed at any moment, the same command goes on where it stopped.
    """
    options.import_from_here()
    reports: list[fp.MakeReport] | list[SweepReport]
    with progress_and_stop(quiet, watch) as callbacks:
        if values:
            from framepipe.sweeps.api import sweep

            reports = [sweep(grid=grid, **_of_a_sweep(keywords, values, all_films), **callbacks)]
        elif grid is not None:
            raise UsageError(
                "--grid shows the movies of a --sweep; for stores: framepipe grid STORE… -o FILE"
            )
        elif all_films:
            from framepipe.pipeline.make import make_all

            reports = make_all(keywords.pop("scene"), keywords.pop("output"), **keywords, **callbacks)
        else:
            reports = [fp.make(**keywords, **callbacks)]
    if as_json:
        dicts = [report.to_dict() for report in reports]
        options.print_json(dicts if all_films else dicts[0])
    else:
        for report in reports:
            print(report.details())
            if timings:
                print(report.timings())


def _of_a_sweep(keywords: dict[str, Any], values: tuple[str, ...], all_films: bool) -> dict[str, Any]:
    """Return the keywords of `framepipe.sweep` for those of `framepipe.make`."""
    if all_films or keywords.pop("preview"):
        raise UsageError("--sweep makes one film, in full, for each value: leave --all and --preview out")
    return {**keywords, "values": options.values_of(values, keywords["scene"])}
