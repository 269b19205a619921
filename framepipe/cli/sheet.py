"""``framepipe sheet``."""

from __future__ import annotations

from typing import Any

import click

from framepipe.cli import options
from framepipe.frames import format_range
from framepipe.sheet import Sheet, sheet


@click.command("sheet")
@click.argument("store", metavar="STORE")
@click.option("-o", "--output", required=True, metavar="FILE", help="Picture to write: .png, .jpg, .webp …")
@click.option("--every", type=int, default=1, show_default=True, metavar="N", help="Every N-th frame only.")
@click.option("--columns", type=int, metavar="N", help="Default: as many as make the sheet about square.")
@click.option("--labels/--no-labels", default=True, show_default=True, help="The number below each frame.")
@click.option(
    "--most-px", type=int, default=4000, show_default=True, metavar="PX", help="Longest side of the sheet."
)
@options.AS_JSON
def command(as_json: bool, **keywords: Any) -> None:
    """Lay a store's frames out in one picture, for seeing a whole render at a glance."""
    report = sheet(**keywords)
    options.print_json(report.to_dict()) if as_json else print(_text(report))


def _text(report: Sheet) -> str:
    text = (
        f"{options.shown(report.path)}: {len(report.numbers)} frames, {report.columns} x {report.rows}, "
        f"{report.width_px}x{report.height_px} px"
    )
    return f"{text}; grey: {format_range(report.lacking)}" if report.lacking else text
