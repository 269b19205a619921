"""``framepipe clean``."""

from __future__ import annotations

import click

import framepipe as fp
from framepipe.cli import options


@click.command("clean")
@options.STORE
@click.option("--movie", metavar="FILE", help="Verify this movie of the frames now.")
@click.option("--force", is_flag=True, help="Delete framepipe's frames without a verified movie.")
@options.AS_JSON
def command(store: str, movie: str | None, force: bool, as_json: bool) -> None:
    """Delete the frames that a verified movie was built from."""
    report = fp.clean(store, movie=movie, force=force)
    options.print_json(report.to_dict()) if as_json else print(report.details())
