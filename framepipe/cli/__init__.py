"""The command line: a verb a module; arguments in, one library call, text or JSON out."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Sequence

import click

from framepipe import __version__
from framepipe.errors import FramepipeError

VERBS: tuple[str, ...] = ("make", "render", "resume", "status", "adopt", "sheet")
VERBS += ("assemble", "verify", "clean", "doctor", "demo")


class _Verbs(click.Group):
    """Loads a verb's module when it is called for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All verbs, in the order of the work."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a verb."""
        if cmd_name not in VERBS:
            return None
        command = importlib.import_module(f"framepipe.cli.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="framepipe")
def framepipe() -> None:
    """Draw frames in parallel, resumably; build the movie; prove that it is right; clean up.

    Exit codes: 0 done, 1 a bug, 2 usage, 3 frames failed, 4 tool missing, 5 encoder failed,
    6 verification failed, 75 interrupted (run the same again to go on), 130 Ctrl-C.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run the command line; all that can go wrong becomes a message and an exit code."""
    try:
        code = framepipe.main(list(arguments), prog_name="framepipe", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        return _say(error.format_message(), error.exit_code)
    except click.ClickException as error:
        where = getattr(getattr(error, "ctx", None), "command_path", "framepipe")
        return _say(f"{where}: {' '.join(error.format_message().split())}", error.exit_code)
    except FramepipeError as error:
        return _say(f"framepipe: {error}", error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        return _say("framepipe: stopped by Ctrl-C; run the same again to go on", 130)
    except BrokenPipeError:  # the reader of our output has gone: nothing to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141
    except Exception:
        traceback.print_exc()
        return _say("framepipe: this is a bug in framepipe. Please report it with the lines above", 1)


def _say(text: str, code: int) -> int:
    print(text, file=sys.stderr, flush=True)
    return code
