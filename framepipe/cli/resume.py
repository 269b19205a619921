"""``framepipe resume``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

import framepipe as fp
from framepipe.cli import options
from framepipe.cli.session import progress_and_stop
from framepipe.errors import StoreError
from framepipe.options import DrawOptions, ShardOptions


@click.command("resume", cls=options.Verb)
@options.STORE
@click.option(
    "--scene",
    metavar="SCRIPT.py:NAME",
    help="Needed if another account wrote job.json.",
)
@click.option("--command", metavar="TEXT", help="Needed in the same case if a command draws.")
@options.flags(DrawOptions, ShardOptions)
@click.option("--idle-timeout", "idle_timeout_s", type=float, metavar="S", help="Default: as given to make.")
@options.WATCH
@options.QUIET
@options.AS_JSON
def command(store: str, watch: bool, quiet: bool, as_json: bool, **keywords: Any) -> None:
    """Continue a job that was stopped; job.json describes it.

    A job of `make` is finished as `make` would: movies, verification, cleaning.
    """
    store = os.path.abspath(store)
    if scene := keywords["scene"]:
        place, _, name = scene.rpartition(":")
        keywords["scene"] = f"{os.path.abspath(place)}:{name}" if Path(place).is_file() else scene
    _go_where_it_was_started(store)
    options.import_from_here()
    with progress_and_stop(quiet, watch) as callbacks:
        report = fp.resume(store, **keywords, **callbacks)
    options.print_json(report.to_dict()) if as_json else print(report.details())


def _go_where_it_was_started(store: str) -> None:
    """Change to the job's first working folder, so that relative paths in the user's script still hold."""
    try:
        record, sealed = fp.Store(store).read_job()
    except StoreError:
        return  # resume reports it
    if sealed and Path(record.cwd).is_dir():
        os.chdir(record.cwd)
