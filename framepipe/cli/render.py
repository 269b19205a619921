"""``framepipe render``."""

from __future__ import annotations

from typing import Any

import click

from framepipe.cli import options
from framepipe.cli.reports import render_text
from framepipe.cli.session import at_work
from framepipe.render import render


@click.command("render")
@options.SCENE
@options.DRAWING
@options.PARTIAL
@options.QUIET
@options.AS_JSON
def command(quiet: bool, as_json: bool, **keywords: Any) -> None:
    """Draw the frames that are not in the store yet. Deletes nothing."""
    options.import_from_here()
    with at_work(quiet) as watch:
        report = render(**keywords, **watch)
    options.print_json(report.to_dict()) if as_json else print(render_text(report))
