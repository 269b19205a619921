"""``framepipe``, and ``python -m framepipe``: heeds signals before anything large is imported.

A scheduler may send its warning while Python still loads modules, and a signal without a handler would end it
with 128 + n, which nobody takes for "run it again".
"""

import atexit
import os
import signal
import sys
import threading

#: Packages that a scene, or an engine, has loaded here: what they do at the end is theirs.
_WITH_AN_END = ("matplotlib", "mpi4py", "distributed")


def main() -> None:
    """Run the command line and exit with its code."""
    for name in ("SIGTERM", "SIGUSR1", "SIGUSR2"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _stop)
    try:
        if _may_load_a_scene(sys.argv[1:]):
            from framepipe.rendering.stage_start import start_ahead

            start_ahead()
        from framepipe.cli import run
    except KeyboardInterrupt:
        sys.exit(130)
    try:
        code = run(sys.argv[1:])
    finally:
        from framepipe.rendering.stage_start import end_ahead

        end_ahead()
    _end(code)


def _may_load_a_scene(arguments: list[str]) -> bool:
    """True if a process for a scene will probably be needed: it starts while the command line is loaded."""
    others = ("-h", "--help", "--command", "--engine", "--sweep")
    is_other = any(argument.partition("=")[0] in others for argument in arguments)
    return arguments[:1] in (["make"], ["render"], ["resume"]) and not is_other


def _end(code: int) -> None:
    """Exit without taking Python down module by module: that takes half as long as loading them did."""
    others = [each for each in threading.enumerate() if each is not threading.main_thread()]
    if any(not each.daemon for each in others) or any(name in sys.modules for name in _WITH_AN_END):
        sys.exit(code)
    atexit._run_exitfuncs()
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:  # closed by the shell: >&-
                stream.flush()
    except (OSError, ValueError):  # Python has an exit code of its own for that
        sys.exit(code)
    os._exit(code)


def _stop(number: int, _: object) -> None:
    """End at once, before the command line has set handlers of its own: nothing has begun."""
    os.write(2, f"framepipe: stopped by {signal.Signals(number).name}: run the same again\n".encode())
    os._exit(75)


if __name__ == "__main__":
    main()
