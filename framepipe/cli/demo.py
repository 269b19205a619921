"""``framepipe demo``."""

from __future__ import annotations

from pathlib import Path

import click

import framepipe as fp
from framepipe.cli import options
from framepipe.cli.session import progress_and_stop
from framepipe.scenes.demo import FRAMES


@click.command("demo")
@click.option("--folder", default=".", metavar="DIR", help="Where to leave demo.mp4 and demo.gif.")
@options.AS_JSON
def command(folder: str, as_json: bool) -> None:
    """Draw a small movie in parallel and leave demo.mp4 and demo.gif, verified."""
    options.import_from_here()
    outputs = [Path(folder) / name for name in ("demo.mp4", "demo.gif")]
    with progress_and_stop() as callbacks:
        report = fp.make("framepipe.scenes.demo:waves", FRAMES, outputs, **callbacks)
    options.print_json(report.to_dict()) if as_json else print(report.details())
