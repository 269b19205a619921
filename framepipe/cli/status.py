"""``framepipe status``."""

from __future__ import annotations

import click

import framepipe as fp
from framepipe.cli import options


@click.command("status")
@click.argument("store", metavar="STORE")
@click.option("--deep", is_flag=True, help="Check every byte of every frame (CRC).")
@options.AS_JSON
def command(store: str, deep: bool, as_json: bool) -> None:
    """Show which frames of a store are done, missing, broken or stale, and why.

    Exit code 0 when every frame is done, 3 when not.
    """
    store_status = fp.status(store, deep=deep)
    options.print_json(store_status.to_dict()) if as_json else print(store_status.details())
    if not store_status.complete:
        click.get_current_context().exit(3)
