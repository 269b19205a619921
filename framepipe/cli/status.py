"""``framepipe status``."""

from __future__ import annotations

import shlex

import click

from framepipe.cli import options
from framepipe.cli.reports import size_text
from framepipe.frames import format_range
from framepipe.pipeline import status
from framepipe.store import StoreStatus


@click.command("status")
@click.argument("store", metavar="STORE")
@click.option("--deep", is_flag=True, help="Check every byte of every frame (CRC).")
@options.AS_JSON
def command(store: str, deep: bool, as_json: bool) -> None:
    """What is in a store: done, missing, broken, stale, and why.

    Exit code 0 when every frame is done, 3 when not.
    """
    found = status(store, deep=deep)
    options.print_json(found.to_dict()) if as_json else print(_text(found))
    if not found.complete:
        click.get_current_context().exit(3)


def _text(found: StoreStatus) -> str:
    lines = [f"{options.shown(found.path)}: {len(found.done)} of {found.total} frames done"]
    if found.shape:
        lines[0] += f", {found.shape}, {size_text(found.size_bytes)}"
    lines += [f"  {line}" for line in found.problems()]
    if found.extra:
        lines.append(f"  not in the plan, never used: {format_range(found.extra)}")
    if not found.complete:
        lines.append(f"Go on: framepipe resume {shlex.quote(options.shown(found.path))}")
    return "\n".join(lines)
