"""``framepipe assemble``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

import framepipe as fp
from framepipe.cli import options
from framepipe.cli.session import progress_and_stop
from framepipe.options import EncodeOptions, UseOptions, split
from framepipe.timeline import Timing


@click.command("assemble", cls=options.Verb)
@options.STORE
@options.OUTPUT
@options.flags(Timing, EncodeOptions, UseOptions)
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
        print(
            "# for reading only: the files that they name are written to a work folder first", file=sys.stderr
        )
        print("\n".join(_commands(store, output, keywords)))
        return
    reports: Sequence[fp.Movie | fp.ShareReport]
    with progress_and_stop(quiet) as callbacks:
        if shard is None:
            reports = fp.assemble_several(store, output, **keywords, **callbacks)
        else:
            reports = [fp.encode_share(store, path, shard, **keywords, **callbacks) for path in output]
    if as_json:
        options.print_json([report.to_dict() for report in reports])
    else:
        print("\n".join(report.details() for report in reports))


def _commands(store: str, outputs: Sequence[str], keywords: dict[str, Any]) -> list[str]:
    """Return the commands that would run for all outputs; the frames are scanned once."""
    from framepipe.formats import format_of
    from framepipe.movie.build import jobs_of
    from framepipe.movie.plan import open_store, plan_assembly, scan_store

    jobs = jobs_of(keywords.pop("workers"))
    timing, encode, use = split(keywords, Timing, EncodeOptions, UseOptions, verb="assemble")
    for path in outputs:
        format_of(Path(path))
    job_store = open_store(store)
    record, status = scan_store(job_store)
    plans = [
        plan_assembly(job_store, path, timing, encode, use, record=record, status=status, jobs=jobs)
        for path in outputs
    ]
    return [command for plan in plans for command in plan.commands()]
