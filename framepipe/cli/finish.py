"""``framepipe finish``."""

from __future__ import annotations

import click

import framepipe as fp
from framepipe.cli import options
from framepipe.cli.session import progress_and_stop


@click.command("finish")
@click.argument("folder", metavar="STORE/jobs/NUMBER")
@options.QUIET
@options.AS_JSON
def command(folder: str, quiet: bool, as_json: bool) -> None:
    """Build the movies of a submission, or submit again what is missing: its last job runs this."""
    with progress_and_stop(quiet) as callbacks:
        report = fp.finish(folder, **callbacks)
    options.print_json(report.to_dict()) if as_json else print(report.details())
