"""The child process that builds a GIF with ImageMagick; Wand is loaded only in it.

``python -m framepipe.formats.gif.magick_child SPEC.json`` writes progress (``frame=12``) to stdout.
Exit code 0: the GIF is there and stderr is empty; 4: no MagickWand library; 1: anything else, with
one line on stderr. A crash of ImageMagick ends this process and not the caller.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from pathlib import Path

from framepipe.formats.gif import magick_gif
from framepipe.formats.gif.magick_frames import Spec, reason

_NO_LIBRARY = 4


def main(arguments: list[str]) -> int:
    """Build the GIF that ``SPEC.json`` describes; return the exit code."""
    try:
        spec = Spec.of(json.loads(Path(arguments[0]).read_text(encoding="utf-8")))
        # ImageMagick spills pixels to files; in the private folder they cannot outlive a crash.
        os.environ["MAGICK_TEMPORARY_PATH"] = str(spec.work)
        try:
            import wand.image  # noqa: F401
        except ImportError as error:
            return _complain(f"Wand cannot load MagickWand: {error}", _NO_LIBRARY)
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Wand warns where ImageMagick did half of the work
            magick_gif.build(spec, _tell)
    except (Exception, KeyboardInterrupt) as error:
        return _complain(reason(error), 1)
    return 0


def _tell(frames: int) -> None:
    print(f"frame={frames}", flush=True)


def _complain(message: str, code: int) -> int:
    print(" ".join(message.split())[:1000], file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
