"""``framepipe resume``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from framepipe.cli import options
from framepipe.cli.make import make_text
from framepipe.cli.reports import render_text
from framepipe.cli.session import at_work
from framepipe.errors import StoreError
from framepipe.pipeline import MakeReport, resume
from framepipe.store import Store


@click.command("resume")
@click.argument("store", metavar="STORE")
@click.option(
    "--scene",
    metavar="SCRIPT.py:NAME",
    help="Needed where job.json was written by another account.",
)
@click.option("--command", metavar="TEXT", help="Needed in the same case where a command draws.")
@options.DRAWING
@options.PARTIAL
@click.option("--encoder-timeout", "stall_s", type=float, metavar="S", help="Default: as make was told.")
@options.QUIET
@options.AS_JSON
def command(store: str, quiet: bool, as_json: bool, **keywords: Any) -> None:
    """Go on with a job that was stopped; job.json knows what it was.

    What `make` started is finished as `make` would: movies, verification, cleaning.
    """
    store = os.path.abspath(store)
    if scene := keywords["scene"]:
        place, _, name = scene.rpartition(":")
        keywords["scene"] = f"{os.path.abspath(place)}:{name}" if Path(place).is_file() else scene
    _go_where_it_was_started(store)
    options.import_from_here()
    with at_work(quiet) as watch:
        report = resume(store, **keywords, **watch)
    if as_json:
        options.print_json(report.to_dict())
    else:
        print(make_text(report) if isinstance(report, MakeReport) else render_text(report))


def _go_where_it_was_started(store: str) -> None:
    """Relative paths in the user's script mean what they meant at the start."""
    try:
        record, sealed = Store(store).read_job()
    except StoreError:
        return  # resume says it
    if sealed and Path(record.cwd).is_dir():
        os.chdir(record.cwd)
