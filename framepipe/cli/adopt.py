"""``framepipe adopt``."""

from __future__ import annotations

import click

from framepipe.adopt import AdoptReport, adopt
from framepipe.cli import options
from framepipe.foreign import NUMBERS
from framepipe.frames import format_range


@click.command("adopt")
@click.argument("pictures", metavar="PICTURES...", nargs=-1, required=True)
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
    """Make a store of pictures that something else drew: 'old/img_*.png'.

    Nothing is copied where a hard link will do; the pictures stay as they are.
    """
    report = adopt(pictures[0] if len(pictures) == 1 else pictures, store, numbers=numbers)  # type: ignore[arg-type]
    options.print_json(report.to_dict()) if as_json else print(_text(report))


def _text(report: AdoptReport) -> str:
    ways = {
        "linked": report.linked,
        "copied": report.copied,
        "decoded": report.decoded,
        "there before": report.kept,
    }
    told = ", ".join(f"{count} {way}" for way, count in ways.items() if count)
    return (
        f"{options.shown(report.store)}: {len(report.numbers)} frames, {format_range(report.numbers)}, "
        f"{report.shape} ({told})"
    )
