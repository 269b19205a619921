"""``framepipe plan``."""

from __future__ import annotations

from typing import Any

import click

import framepipe as fp
from framepipe.cli import options
from framepipe.cli.session import progress_and_stop
from framepipe.options import SCHEDULERS, DrawOptions, EncodeOptions, SubmitOptions
from framepipe.timeline import Timing


@click.command("plan", cls=options.Verb)
@options.scene
@click.option("-o", "--output", multiple=True, metavar="FILE", help="Movie to build. Repeatable.")
@options.SWEEP
@options.flags(SubmitOptions, DrawOptions, Timing, EncodeOptions)
@click.option("--scheduler", type=click.Choice(SCHEDULERS), help="Default: the one that is here.")
@options.QUIET
@options.AS_JSON
def command(quiet: bool, as_json: bool, values: tuple[str, ...], **keywords: Any) -> None:
    """Draw a few frames now, and say what all will take and how to submit them."""
    options.import_from_here()
    points = options.values_of(values, keywords["scene"]) if values else None
    with progress_and_stop(quiet) as callbacks:
        report = fp.plan(values=points, **keywords, **callbacks)
    options.print_json(report.to_dict()) if as_json else print(report.details())
