"""``framepipe render``."""

from __future__ import annotations

from typing import Any

import click

from framepipe.cli import options
from framepipe.cli.reports import render_text
from framepipe.cli.signals import stop_on_signals
from framepipe.progress import ProgressBar
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
    with stop_on_signals() as stop:
        report = render(**keywords, progress=None if quiet else ProgressBar(), stop=stop)
    options.print_json(report.to_dict()) if as_json else print(render_text(report))
