"""``framepipe make``."""

from __future__ import annotations

from typing import Any

import click

import framepipe as fp
from framepipe.cli import options
from framepipe.cli.session import progress_and_stop
from framepipe.options import DrawOptions, EncodeOptions
from framepipe.timeline import Timing


@click.command("make", cls=options.Verb)
@options.scene
@options.OUTPUT
@options.flags(DrawOptions, Timing, EncodeOptions)
@click.option("--keep-frames", is_flag=True, help="Do not delete the frames afterwards.")
@click.option("--preview", is_flag=True, help="A quick look: few frames, small, in a store of their own.")
@click.option("--all", "all_films", is_flag=True, help="Each film of a script; {name} in -o is its name.")
@options.WATCH
@options.QUIET
@options.TIMINGS
@options.AS_JSON
def command(watch: bool, quiet: bool, timings: bool, as_json: bool, all_films: bool, **keywords: Any) -> None:
    """Draw frames, build movies, verify them, then delete the frames.

    SCRIPT.py alone is run as Python would run it: its animation, or the frames that it shows or saves in a
    loop, are the movie. SCRIPT.py:NAME is a function of one frame, an animation, a generator of figures, or a
    function without parameters that returns an animation.

    Killed at any moment, the same command goes on where it stopped.
    """
    options.import_from_here()
    with progress_and_stop(quiet, watch) as callbacks:
        if all_films:
            from framepipe.pipeline import make_all

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
