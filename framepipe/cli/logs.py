"""``framepipe logs``."""

from __future__ import annotations

import click

import framepipe as fp
from framepipe.cli import options


@click.command("logs")
@options.STORE
@click.option("--failed", is_flag=True, help="Only tasks that failed or were killed.")
@click.option("--task", type=int, metavar="N", help="Only the task that draws shard N.")
@options.AS_JSON
def command(store: str, failed: bool, task: int | None, as_json: bool) -> None:
    """Show what the tasks printed that were submitted last; logs that are alike once."""
    report = fp.logs(store, failed=failed, task=task)
    options.print_json(report.to_dict()) if as_json else print(report.details())
