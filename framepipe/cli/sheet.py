"""``framepipe sheet``."""

from __future__ import annotations

from typing import Any

import click

import framepipe as fp
from framepipe.cli import options


@click.command("sheet")
@options.STORE
@click.option("-o", "--output", required=True, metavar="FILE", help="Picture to write: .png, .jpg, .webp …")
@click.option("--every", type=int, default=1, show_default=True, metavar="N", help="Every N-th frame only.")
@click.option("--columns", type=int, metavar="N", help="Default: a number that makes the sheet about square.")
@click.option("--labels/--no-labels", default=True, show_default=True, help="The number below each frame.")
@click.option(
    "--max-px", type=int, default=4000, show_default=True, metavar="PX", help="Longest side of the sheet."
)
@options.AS_JSON
def command(as_json: bool, **keywords: Any) -> None:
    """Lay a store's frames out in one picture, for seeing a whole render at a glance."""
    report = fp.sheet(**keywords)
    options.print_json(report.to_dict()) if as_json else print(report.details())
