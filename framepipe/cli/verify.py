"""``framepipe verify``."""

from __future__ import annotations

from typing import Any

import click

from framepipe.cli import options
from framepipe.cli.session import stop_on_signals
from framepipe.errors import VerificationFailed
from framepipe.proof import verify
from framepipe.recipes import CHROMAS, CODECS, QUALITIES


@click.command("verify")
@click.argument("movie", metavar="MOVIE")
@click.option("--store", required=True, metavar="DIR", help="The frames that it was built from.")
@options.timing(as_assembled=True)
@click.option("--colors", type=int)
@click.option("--crf", type=int)
@click.option("--codec", type=click.Choice(CODECS))
@click.option("--quality", type=click.Choice(QUALITIES))
@click.option("--chroma", type=click.Choice(CHROMAS))
@click.option("--depth", type=int)
@options.AS_JSON
def command(as_json: bool, **keywords: Any) -> None:
    """Measure a movie against a store's frames: count, times, size, loop, pictures."""
    with stop_on_signals() as stop:
        report = verify(**keywords, stop=stop)
    print(report.to_json() if as_json else report.table())
    if not report.passed:
        raise VerificationFailed(f"{keywords['movie']} is not what it should be", report=report)
