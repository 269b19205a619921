"""``framepipe assemble``."""

from __future__ import annotations

import sys
from typing import Any

import click

from framepipe.assemble import assemble
from framepipe.cli import options
from framepipe.cli.reports import movie_text
from framepipe.cli.session import at_work
from framepipe.plan import plan_assembly
from framepipe.recipes import Options
from framepipe.timeline import Timing


@click.command("assemble")
@click.argument("store", metavar="STORE")
@click.option(
    "-o",
    "--output",
    required=True,
    multiple=True,
    metavar="FILE",
    help="Movie to build: .gif, .mp4, .html … Repeatable.",
)
@options.timing()
@options.ENCODING
@options.LENIENT
@click.option("--dry-run", is_flag=True, help="Print the encoder's commands and run nothing.")
@options.QUIET
@options.AS_JSON
def command(
    store: str, output: tuple[str, ...], dry_run: bool, quiet: bool, as_json: bool, **keywords: Any
) -> None:
    """Build movies from a store's frames and verify them. Deletes nothing."""
    if dry_run:
        print("# to read, not to run: each has its lists in a work folder beside the movie", file=sys.stderr)
        for path in output:
            print("\n".join(_commands(store, path, keywords)))
        return
    with at_work(quiet) as watch:
        movies = [assemble(store, path, **keywords, **watch) for path in output]
    if as_json:
        options.print_json([movie.to_dict() for movie in movies])
    else:
        print("\n".join(map(movie_text, movies)))


def _commands(store: str, output: str, keywords: dict[str, Any]) -> list[str]:
    timing, options = Timing.of(keywords), Options.of(keywords)
    lenient = {name: keywords[name] for name in ("missing", "stale")}
    return plan_assembly(store, output, timing, options=options, **lenient).commands()
