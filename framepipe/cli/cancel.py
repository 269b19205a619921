"""``framepipe cancel``."""

from __future__ import annotations

import click

import framepipe as fp
from framepipe.cli import options


@click.command("cancel")
@options.STORE
@options.AS_JSON
def command(store: str, as_json: bool) -> None:
    """Cancel what was submitted of a store. Finished frames stay."""
    report = fp.cancel(store)
    options.print_json(report.to_dict()) if as_json else print(report.details())
