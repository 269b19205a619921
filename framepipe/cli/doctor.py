"""``framepipe doctor``."""

from __future__ import annotations

import click

from framepipe.cli import options
from framepipe.errors import ToolMissing


@click.command("doctor")
@options.AS_JSON
def command(as_json: bool) -> None:
    """Check the installation: programs, their versions, what is missing and how to get it, what it weighs.

    Exit code 0 when GIF and MP4 can be built, 4 when not.
    """
    from framepipe.cli.findings import installation

    findings = installation()
    if as_json:
        options.print_json([each.as_json() for each in findings])
    else:
        for each in findings:
            print(f"{'ok' if each.ok else '--'}  {each.what:<26} {each.seen}")
            if each.hint:
                print(f"      to {'leave it out' if each.ok else 'get it'}: {each.hint}")
    if not all(each.ok for each in findings if each.what.startswith("builds") and not each.hint):
        click.get_current_context().exit(ToolMissing.exit_code)
