"""``framepipe watch``."""

from __future__ import annotations

import json
import logging
import os
import signal
from typing import TextIO

import click

import framepipe as fp
from framepipe.cli.session import address_lines
from framepipe.cluster.submission import folders_of
from framepipe.cluster.sweep_folder import SweepFolder
from framepipe.watching.address import LOOPBACK, is_loopback, listen, tunnel
from framepipe.watching.beside import check_libraries


@click.command("watch")
@click.argument("store", metavar="STORE")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    metavar="N",
    help="Default: that of the last time, or any that is free.",
)
@click.option(
    "--host",
    default=LOOPBACK,
    show_default=True,
    metavar="ADDRESS",
    help="Interface to listen at. 0.0.0.0 lets other machines in, without encryption.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the address as JSON, in a line.")
def command(store: str, port: int, host: str, as_json: bool) -> None:
    """Show a store in a browser while frames are drawn in it, and afterwards.

    Prints the address of a page with what is done, failed and missing, when it will be ready, all frames as a
    film, and why frames have failed. The folder of a submitted sweep has such a page for each point. It only
    reads, and needs nothing from the network. Ctrl-C ends the page; the render goes on.
    """
    where = fp.Store(store)
    if not folders_of(where.path) and not SweepFolder.read(
        where.path
    ):  # what was submitted may not have begun
        where.read_job()
    serve(where, port, host, as_json=as_json)


def serve(
    store: fp.Store, port: int = 0, host: str = LOOPBACK, *, as_json: bool = False, out: TextIO | None = None
) -> None:
    """Print the address of a store's page, and serve it until Ctrl-C.

    Parameters
    ----------
    store : Store
    port : int
        0 for that of the last time, or any.
    host : str
        Interface to listen at.
    as_json : bool
    out : file, optional
        Where to print. Default: standard output.

    Raises
    ------
    ToolMissing
    UsageError
        It cannot listen there.
    """
    check_libraries()
    from framepipe.watching.server import PageServer

    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # not that a scanner sends nonsense
    listener, address = listen(store.path, host, port)
    server = PageServer(store, listener, address)
    if as_json:
        forward = tunnel(address) or None
        about = {"store": str(store.path), "address": address.url(), "ssh": forward, "pid": os.getpid()}
        lines = [json.dumps(about)]
    else:
        lines = address_lines(str(store.path), address)
        if not is_loopback(host):
            lines.append(
                "note: whoever has the address and reaches this machine sees the frames, unencrypted"
            )
        lines.append("Ctrl-C ends the page; the render goes on.")
    print("\n".join(lines), file=out, flush=True)
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: server.stop())
    server.run()
