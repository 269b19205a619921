"""``framepipe completion``: what the Tab key offers, of the command line's own declaration."""

from __future__ import annotations

import os
from pathlib import Path

import click
from click.shell_completion import get_completion_class

from framepipe.cli import options
from framepipe.core import files
from framepipe.errors import StoreError

SHELLS = ("bash", "zsh", "fish")
_VARIABLE = "_FRAMEPIPE_COMPLETE"  # click's own name for a program that is called framepipe


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
@click.option("--install", is_flag=True, help="Write it to where the shell looks, instead of printing it.")
@options.AS_JSON
def command(shell: str, install: bool, as_json: bool) -> None:
    """Have the shell complete verbs, options, their values and files at the Tab key.

    Without --install the shell's script is printed: eval "$(framepipe completion bash)".
    """
    text, path = script(shell), place(shell)
    if install:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            files.write_atomic(path, text.encode())
        except OSError as error:
            raise StoreError(f"{path} cannot be written: {error.strerror}") from None
    if as_json:
        options.print_json({"shell": shell, "path": str(path), "installed": install, "script": text})
    elif install:
        print(f"{path}: written. {_FIRST_USE[shell].format(folder=path.parent)}")
    else:
        print(text, end="")


_FIRST_USE = {
    "bash": "A new shell heeds it, if the package bash-completion is installed",
    "zsh": "Put this line into ~/.zshrc, before compinit is called: fpath+=({folder})",
    "fish": "A new shell heeds it",
}


def script(shell: str) -> str:
    """Return what the shell must read."""
    from framepipe.cli import framepipe

    kind = get_completion_class(shell)
    assert kind is not None
    completion = kind(framepipe, {}, "framepipe", _VARIABLE)
    # not its source(), which starts the shell to ask for its version
    text = (completion.source_template % completion.source_vars()).lstrip("\n")
    # zsh loads the installed file at the first Tab. click's then completes once, and only registers itself at
    # the second Tab, which offers nothing: it registers itself at the first.
    call = f'    {completion.func_name} "$@"\n'
    return text.replace(call, f"    compdef {completion.func_name} framepipe\n{call}")


def place(shell: str) -> Path:
    """Return the file in which the shell looks for what is offered for ``framepipe``."""
    data = Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share").expanduser()
    if shell == "bash":
        folder = os.environ.get("BASH_COMPLETION_USER_DIR") or data / "bash-completion"
        return Path(folder, "completions", "framepipe")
    if shell == "zsh":
        return data / "zsh" / "site-functions" / "_framepipe"
    config = Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser()
    return config / "fish" / "completions" / "framepipe.fish"
