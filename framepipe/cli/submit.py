"""``framepipe submit``."""

from __future__ import annotations

import sys
from typing import Any

import click

import framepipe as fp
from framepipe.cli import options
from framepipe.cli.session import progress_and_stop
from framepipe.cli.watch import serve
from framepipe.options import SCHEDULERS, DrawOptions, EncodeOptions, SubmitOptions
from framepipe.timeline import Timing
from framepipe.watching.beside import check_libraries


@click.command("submit", cls=options.Verb)
@click.argument("scheduler", type=click.Choice(SCHEDULERS))
@options.scene
@options.OUTPUT
@options.SWEEP
@click.option("--grid", metavar="FILE", help="With --sweep: one more movie, of all side by side.")
@options.flags(SubmitOptions, DrawOptions, Timing, EncodeOptions)
@click.option("--keep-frames", is_flag=True, help="Do not delete the frames afterwards.")
@click.option("--dry-run", is_flag=True, help="Print the scripts and submit nothing.")
@click.option("--wait", is_flag=True, help="Return when the movies are built, or cannot be.")
@click.option("--watch", is_flag=True, help="Then show it in a browser until Ctrl-C, see framepipe watch.")
@options.QUIET
@options.AS_JSON
def command(
    watch: bool, quiet: bool, as_json: bool, values: tuple[str, ...], grid: str | None, **keywords: Any
) -> None:
    """Submit a movie to a cluster: draw in an array of tasks, build, verify, then delete the frames.

    Scripts and logs are in STORE/jobs/. A task whose time is over is queued again and goes on; what dead
    tasks left is submitted again. The same command submits what is missing. With --sweep each combination is
    submitted, and STORE is the folder of all; status and cancel take it.
    """
    if watch and (keywords["wait"] or keywords["dry_run"]):
        raise fp.UsageError("--watch goes on until Ctrl-C: give it without --wait and --dry-run")
    if grid is not None and not values:
        raise fp.UsageError("--grid shows the movies of a --sweep; for stores: framepipe grid STORE… -o FILE")
    if watch:
        check_libraries()
    options.import_from_here()
    with progress_and_stop(quiet) as callbacks:
        report: fp.SubmitReport | fp.SubmitSweepReport
        if values:
            points = options.values_of(values, keywords["scene"])
            report = fp.submit_sweep(values=points, grid=grid, **keywords, **callbacks)
        else:
            report = fp.submit(**keywords, **callbacks)
    options.print_json(report.to_dict()) if as_json else print(report.details(), flush=True)
    if watch:
        folder = report.store if isinstance(report, fp.SubmitReport) else report.folder
        serve(fp.Store(folder), out=sys.stderr)
