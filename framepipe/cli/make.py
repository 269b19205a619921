"""``framepipe make``."""

from __future__ import annotations

from typing import Any

import click

from framepipe.cli import options
from framepipe.cli.reports import cleanup_text, movie_text, render_text
from framepipe.cli.session import at_work
from framepipe.pipeline import MakeReport, make


@click.command("make")
@options.SCENE
@click.option(
    "-o",
    "--output",
    required=True,
    multiple=True,
    metavar="FILE",
    help="Movie to build: .gif, .mp4, .html … Repeatable.",
)
@options.DRAWING
@options.timing()
@options.ENCODING
@click.option("--keep-frames", is_flag=True, help="Do not delete the frames afterwards.")
@options.QUIET
@options.AS_JSON
def command(quiet: bool, as_json: bool, **keywords: Any) -> None:
    """Draw frames, build movies, verify them, then delete the frames.

    Killed at any moment, the same command goes on where it stopped.
    """
    options.import_from_here()
    with at_work(quiet) as watch:
        report = make(**keywords, **watch)
    options.print_json(report.to_dict()) if as_json else print(make_text(report))


def make_text(report: MakeReport) -> str:
    """All stages, for people."""
    parts = [render_text(report.render), *map(movie_text, report.movies)]
    return "\n".join([*parts, *([cleanup_text(report.cleanup)] if report.cleanup else [])])
