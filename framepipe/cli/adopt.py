"""``framepipe adopt``."""

from __future__ import annotations

import click

import framepipe as fp
from framepipe.cli import options
from framepipe.core.image_files import NUMBERS


@click.command("adopt")
@click.argument("pictures", metavar="PICTURES...", nargs=-1, required=True, shell_complete=options.paths)
@click.option("--store", required=True, metavar="DIR", help="Folder for the frames.")
@click.option(
    "--numbers",
    type=click.Choice(NUMBERS),
    default="order",
    show_default=True,
    help="Number the pictures from 0 in their natural order, or by the last number in their names.",
)
@options.AS_JSON
def command(pictures: tuple[str, ...], store: str, numbers: str, as_json: bool) -> None:
    """Make a store of existing pictures, drawn by another program: 'old/img_*.png'.

    PNGs are hard-linked where possible, other formats are decoded; the pictures themselves do not change.
    """
    report = fp.adopt(pictures[0] if len(pictures) == 1 else pictures, store, numbers=numbers)  # type: ignore[arg-type]
    options.print_json(report.to_dict()) if as_json else print(report.details())
