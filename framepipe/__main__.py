"""``framepipe``, and ``python -m framepipe``: heeds signals before anything large is imported.

A scheduler may send its warning while Python still loads modules, and a signal without a handler would end it
with 128 + n, which nobody takes for "run it again".
"""

import os
import signal
import sys


def main() -> None:
    """Run the command line and exit with its code."""
    for name in ("SIGTERM", "SIGUSR1", "SIGUSR2"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _stop)
    try:
        from framepipe.cli import main as run
    except KeyboardInterrupt:
        sys.exit(130)
    run()


def _stop(number: int, _: object) -> None:
    """End at once, before the command line has set handlers of its own: nothing has begun."""
    os.write(2, f"framepipe: stopped by {signal.Signals(number).name}: run the same again\n".encode())
    os._exit(75)


if __name__ == "__main__":
    main()
