"""``framepipe status``."""

from __future__ import annotations

import sys
import time

import click

import framepipe as fp
from framepipe.cli import options

_CLEAR = "\x1b[2J\x1b[H"


@click.command("status")
@options.STORE
@click.option("--deep", is_flag=True, help="Check every byte of every frame (CRC).")
@click.option(
    "--watch", is_flag=True, help="Show it again and again, while a task draws and frames are left."
)
@click.option(
    "--every", metavar="S", type=click.FloatRange(min=0.1), default=5.0, help="With --watch: seconds between."
)
@options.AS_JSON
def command(store: str, deep: bool, watch: bool, every: float, as_json: bool) -> None:
    """Show which frames of a store are done, failed, missing, broken or stale, and why; and who draws.

    Exit code 0 when every frame is done, 3 when not. The folder of a submitted sweep: how far each point is.
    """
    from framepipe.cluster.sweep_status import sweep_status

    if (sweep := sweep_status(store)) is not None:
        options.print_json(sweep.to_dict()) if as_json else print(sweep.details())
        click.get_current_context().exit(0 if sweep.complete else 3)
    while True:
        store_status = fp.status(store, deep=deep)
        if watch and sys.stdout.isatty() and not as_json:
            print(_CLEAR, end="")
        options.print_json(store_status.to_dict()) if as_json else print(store_status.details(), flush=True)
        is_drawing = any(task.is_alive for task in store_status.tasks)
        if not watch or store_status.complete or not is_drawing:
            break
        time.sleep(every)
    if not store_status.complete:
        click.get_current_context().exit(3)
