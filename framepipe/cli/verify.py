"""``framepipe verify``."""

from __future__ import annotations

from typing import Any

import click

import framepipe as fp
from framepipe.cli import options
from framepipe.cli.session import progress_and_stop
from framepipe.errors import VerificationFailed
from framepipe.options import EncodeOptions
from framepipe.timeline import Timing


@click.command("verify", cls=options.Verb)
@click.argument("movie", metavar="MOVIE", shell_complete=options.paths)
@click.option("--store", required=True, metavar="DIR", help="Folder of the frames that it was built from.")
@options.flags(Timing, EncodeOptions, as_assembled=True)
@options.QUIET
@options.AS_JSON
def command(quiet: bool, as_json: bool, **keywords: Any) -> None:
    """Measure a movie against its frames: count, times, size, loop, pictures."""
    with progress_and_stop(quiet) as callbacks:
        report = fp.verify(**keywords, **callbacks)
    print(report.to_json() if as_json else report.details())
    if not report.passed:
        raise VerificationFailed(f"{keywords['movie']} failed verification", report=report)
