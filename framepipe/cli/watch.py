"""``framepipe watch``."""

from __future__ import annotations

import json
import logging
import os
import signal

import click

import framepipe as fp
from framepipe.cli.session import address_lines


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
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="Interface to listen at. 0.0.0.0 lets other machines in, without encryption.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the address as JSON, in a line.")
def command(store: str, port: int, host: str, as_json: bool) -> None:
    """Show a store in a browser while frames are drawn in it, and afterwards.

    Prints the address of a page with what is done, failed and missing, when it will be ready, all frames as a
    film, and why frames have failed. It only reads, and needs nothing from the network. Ctrl-C ends the page;
    the render goes on.
    """
    from framepipe.watching.address import is_loopback, listen, tunnel
    from framepipe.watching.beside import check_libraries

    where = fp.Store(store)
    where.read_job()
    check_libraries()
    from framepipe.watching.server import PageServer

    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # not that a scanner sends nonsense
    listener, address = listen(where.path, host, port)
    server = PageServer(where, listener, address)
    if as_json:
        forward = tunnel(address)
        about = {
            "store": str(where.path),
            "address": address.url(),
            "ssh": forward or None,
            "pid": os.getpid(),
        }
        print(json.dumps(about), flush=True)
    else:
        print("\n".join(address_lines(str(where.path), address)))
        if not is_loopback(host):
            print("note: whoever has the address and reaches this machine sees the frames, unencrypted")
        print("Ctrl-C ends the page; the render goes on.", flush=True)
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: server.stop())
    server.run()
