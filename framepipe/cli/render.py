"""``framepipe render``."""

from __future__ import annotations

from typing import Any

import click

import framepipe as fp
from framepipe.cli import options
from framepipe.cli.session import progress_and_stop
from framepipe.options import DrawOptions, ShardOptions


@click.command("render", cls=options.Verb)
@options.scene
@options.flags(DrawOptions, ShardOptions)
@options.WATCH
@options.QUIET
@options.TIMINGS
@options.AS_JSON
def command(watch: bool, quiet: bool, timings: bool, as_json: bool, **keywords: Any) -> None:
    """Draw the frames that are not in the store yet. Deletes nothing."""
    options.import_from_here()
    with progress_and_stop(quiet, watch) as callbacks:
        report = fp.render(**keywords, **callbacks)
    options.print_json(report.to_dict()) if as_json else print(report.details())
    if timings and not as_json:
        print(report.timings())
