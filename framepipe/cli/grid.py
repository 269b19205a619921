"""``framepipe grid``."""

from __future__ import annotations

from typing import Any

import click

import framepipe as fp
from framepipe.cli import options
from framepipe.cli.session import progress_and_stop
from framepipe.options import EncodeOptions
from framepipe.timeline import Timing


@click.command("grid", cls=options.Verb)
@click.argument("stores", metavar="STORE…", nargs=-1, required=True)
@options.OUTPUT
@click.option("--columns", type=int, metavar="N", help="Default: so many that the grid is about square.")
@click.option(
    "--titles",
    metavar="TEXT",
    help="Above each: {amplitude} is a parameter of the store's job, {store} its folder's name.",
)
@click.option("--gap", "gap_px", type=int, default=8, show_default=True, help="Pixels between cells.")
@click.option("--store", metavar="DIR", help="Folder of the grid's frames. Default: frames/<output>-grid.")
@click.option("-j", "--workers", type=int, help="Processes. Default: as many as may be used.")
@click.option("--keep-frames", is_flag=True, help="Do not delete the grid's frames afterwards.")
@options.flags(Timing, EncodeOptions)
@options.QUIET
@options.TIMINGS
@options.AS_JSON
def command(quiet: bool, timings: bool, as_json: bool, **keywords: Any) -> None:
    """Make a movie of several stores side by side, by time, straight from their frames.

    Each store plays at the rate of its own movie; one that ends before the others holds its last frame.
    """
    with progress_and_stop(quiet) as callbacks:
        report = fp.grid(**keywords, **callbacks)
    if as_json:
        options.print_json(report.to_dict())
        return
    print(report.details())
    if timings:
        print(report.timings())
