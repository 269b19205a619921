"""The command line: a verb a module; arguments in, one library call, text or JSON out."""

from __future__ import annotations

import difflib
import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import click

from framepipe import __version__
from framepipe.errors import FramepipeError

VERBS: tuple[str, ...] = ("make", "render", "resume", "status", "watch", "adopt", "sheet")
VERBS += (
    "assemble",
    "verify",
    "clean",
    "grid",
    "plan",
    "submit",
    "logs",
    "cancel",
    "finish",
    "doctor",
    "demo",
    "completion",
)


#: What click raises, since 8.2, where it shows the help instead.
_HELP_INSTEAD: Any = getattr(click.exceptions, "NoArgsIsHelpError", ())


class _OutputClosed(Exception):
    """The reader of the output closed it; click itself would end a `BrokenPipeError` with 1, a bug's code."""


class _Verbs(click.Group):
    """The group of verbs; imports a verb's module on first use."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb and flush what it printed."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            raise _OutputClosed from None
        return result

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return all verbs, in the order of a user's work."""
        return [*VERBS, "help"]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of a verb, or None if there is no such verb."""
        if cmd_name == "help":
            return _help
        if cmd_name not in VERBS:
            return None
        command = importlib.import_module(f"framepipe.cli.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the verb, its command and its arguments; suggest a similar verb if there is none."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            ctx.fail(_no_such_verb(args[0]))
        return super().resolve_command(ctx, args)


def _no_such_verb(text: str) -> str:
    if ".py" in text:
        return f"{text!r} is not a verb. Did you mean: framepipe make {text}"
    matches = difflib.get_close_matches(text.lower(), [*VERBS, "help"], n=1)
    hint = f"Did you mean {matches[0]!r}?" if matches else f"Verbs: {', '.join(VERBS)}"
    return f"No such verb {text!r}. {hint}"


@click.command("help")
@click.argument("verb", required=False)
@click.pass_context
def _help(ctx: click.Context, verb: str | None) -> None:
    """Show the help of framepipe, or of a verb: framepipe help make."""
    group = ctx.find_root()
    if verb is None:
        print(group.get_help())
        return
    _, command, _ = framepipe.resolve_command(group, [verb])
    assert command is not None
    with click.Context(command, info_name=verb, parent=group) as help_context:
        print(command.get_help(help_context))


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="framepipe")
def framepipe() -> None:
    """Draw frames in parallel, resumably; build the movie; prove that it is right; clean up.

    Exit codes: 0 done, 1 a bug, 2 usage, 3 frames failed, 4 tool missing, 5 encoder failed,
    6 verification failed, 75 interrupted (run the same again to go on), 130 Ctrl-C,
    141 the reader of the output closed it.
    """


def run(arguments: Sequence[str]) -> int:
    """Run the command line; every error becomes a message and an exit code."""
    try:
        code = framepipe.main(
            list(arguments), prog_name="framepipe", standalone_mode=False, obj="--" in arguments
        )
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        if isinstance(error, _HELP_INSTEAD):
            return _say(error.format_message(), error.exit_code)
        command_path = getattr(getattr(error, "ctx", None), "command_path", "framepipe")
        return _say(f"{command_path}: {' '.join(error.format_message().split())}", error.exit_code)
    except FramepipeError as error:
        if getattr(error, "of_rank_0", False):  # which reports it
            return 0
        return _say(f"framepipe: {error}", error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        return _say("framepipe: stopped by Ctrl-C; run the same again to go on", 130)
    except _OutputClosed:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141
    except PermissionError as error:  # Path.is_file and others raise it for a path in an unreadable folder
        return _say(f"framepipe: {error.filename}: permission denied. Check it and the folders above it", 3)
    except Exception:
        traceback.print_exc()
        return _say("framepipe: this is a bug in framepipe. Please report it with the lines above", 1)


def _say(text: str, code: int) -> int:
    print(text, file=sys.stderr, flush=True)
    return code
