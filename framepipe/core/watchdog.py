"""Run one program and kill it when our standard input closes: no encoder outlives its caller.

Started as ``python -I -S watchdog.py PROGRAM [ARG ...]`` in a session of its own; imports nothing
slow. The program gets no standard input. Its exit code is ours, 128 + n for signal n.
"""

import _thread
import os
import signal
import sys


def _end_when_input_closes() -> None:
    while os.read(0, 4096):
        pass
    os.killpg(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Run ``sys.argv[1:]`` to its end."""
    no_input = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)]
    try:
        child = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=no_input)
    except OSError as error:
        os.write(2, f"{sys.argv[1]}: {error.strerror}\n".encode(errors="replace"))
        os._exit(127)
    _thread.start_new_thread(_end_when_input_closes, ())
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os._exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
