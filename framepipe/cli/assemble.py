"""``framepipe assemble``."""

from __future__ import annotations

import sys
from typing import Any

import click

from framepipe.assemble import assemble_several, encode_share
from framepipe.building import jobs_of
from framepipe.cli import options
from framepipe.cli.reports import movie_text, share_text
from framepipe.cli.session import at_work
from framepipe.movie import Movie, ShareReport
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
@click.option(
    "-j", "--workers", type=int, help="Encoders at once. Default: as many as there are processors, 8 at most."
)
@click.option(
    "--shard",
    metavar="K/N",
    help="Only encode every N-th segment from the K-th, for array tasks; a last assemble joins them.",
)
@click.option("--dry-run", is_flag=True, help="Print the encoder's commands and run nothing.")
@options.QUIET
@options.AS_JSON
def command(
    store: str,
    output: tuple[str, ...],
    shard: str | None,
    dry_run: bool,
    quiet: bool,
    as_json: bool,
    **keywords: Any,
) -> None:
    """Build movies from a store's frames and verify them. Deletes nothing."""
    if dry_run:
        print("# to read, not to run: each has its lists in a work folder beside the movie", file=sys.stderr)
        for path in output:
            print("\n".join(_commands(store, path, keywords)))
        return
    done: list[Movie | ShareReport]
    with at_work(quiet) as watch:
        if shard is None:
            done = [*assemble_several(store, output, **keywords, **watch)]
        else:
            done = [encode_share(store, path, shard, **keywords, **watch) for path in output]
    if as_json:
        options.print_json([each.to_dict() for each in done])
    else:
        print("\n".join(movie_text(each) if isinstance(each, Movie) else share_text(each) for each in done))


def _commands(store: str, output: str, keywords: dict[str, Any]) -> list[str]:
    timing, options = Timing.of(keywords), Options.of(keywords)
    lenient = {name: keywords[name] for name in ("missing", "stale")}
    jobs = jobs_of(keywords["workers"])
    return plan_assembly(store, output, timing, options=options, jobs=jobs, **lenient).commands()
