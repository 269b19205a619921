"""Runs scripts as framepipe does, each in a process of its own, and tells what came of it as JSON.

python running.py REPORT.json run|import [--limit N] [--choose WHICH] [--sink fork] SCRIPT [ARGUMENTS…]
"""

from __future__ import annotations

import hashlib
import json
import os
import sys

import numpy as np

from framepipe.errors import UsageError
from framepipe.scenes.scripts.moments import DrawAtOnce
from framepipe.scenes.scripts.run import choose, import_script, run_script


class Pixels:
    """A file of raw pixels."""

    def seek(self, *_):
        pass

    def write(self, buffer):
        self.rgba = np.array(buffer, np.uint8)


def level(moment):
    """Grey level of the figure's first pixel, its size, and a digest of all pixels."""
    pixels = Pixels()
    options = {name: value for name, value in moment.savefig.items() if name != "format"}
    moment.figure.savefig(pixels, format="rgba", **options)
    height, width = pixels.rgba.shape[:2]
    return [int(pixels.rgba[0, 0, 0]), width, height, hashlib.sha256(pixels.rgba.tobytes()).hexdigest()]


class ForkAtOnce:
    """A sink that forks a process at each moment, which draws later what the figure was then."""

    draws_here = False

    def __init__(self):
        self.drawn = {}
        self.saves = []

    def frame(self, moment):
        self.maybe(moment).is_frame()

    def maybe(self, moment):
        return Forked(moment, self.drawn)

    def on_save(self, animation, save):
        self.saves.append((animation, save))

    def on_show(self, animations):
        pass

    @property
    def frames(self):
        return {
            name: [json.loads(answers.readline()) for answers in series]
            for name, series in self.drawn.items()
        }


class Forked:
    def __init__(self, moment, drawn):
        self.series, self.drawn = moment.series, drawn
        orders, self.orders = os.pipe()
        answers, answer = os.pipe()
        if os.fork() == 0:
            os.close(self.orders)
            if os.read(orders, 1) == b"f":
                os.write(answer, json.dumps(level(moment)).encode() + b"\n")
            else:
                moment.figure.savefig(moment.path, **moment.savefig)
            os._exit(0)
        os.close(orders)
        os.close(answer)
        self.answers = os.fdopen(answers)

    def is_frame(self):
        self.drawn.setdefault(self.series, []).append(self.answers)
        os.write(self.orders, b"f")
        os.close(self.orders)

    def is_no_frame(self):
        os.write(self.orders, b"n")
        self.answers.read()


def described(save):
    return {**vars(save), "extra_anim": len(save.extra_anim)}


def main(report, how, *arguments):
    arguments = list(arguments)
    options = {}
    while arguments[0] in ("--limit", "--choose", "--sink"):
        options[arguments[0]] = arguments[1]
        del arguments[:2]
    limit = int(options["--limit"]) if "--limit" in options else None
    sink = ForkAtOnce() if "--sink" in options else DrawAtOnce(level, limit)
    result = {}
    try:
        if how == "run":
            run = run_script(arguments[0], arguments[1:], sink)
        else:
            run = import_script(arguments[0], sink)
        result["notes"] = run.notes
        result["animations"] = [
            {
                "name": each.name,
                "number": each.number,
                "frames": each.frames,
                "saves": [described(save) for save in each.saves],
            }
            for each in run.animations
        ]
        result["series"] = [
            {
                "name": each.name,
                "kind": each.kind,
                "frames": each.frames,
                "fps": each.fps,
                "dpi": each.dpi,
                "metadata": each.metadata,
                "interval_s": each.interval_s,
                "savefig": each.savefig,
            }
            for each in run.series
        ]
        result["choice"] = str(choose(run, options.get("--choose")))
    except UsageError as error:
        result["error"] = str(error)
    except KeyboardInterrupt:
        result["error"] = "KeyboardInterrupt"
    drawn = sink.frames
    result["levels"] = {name: [frame[0] for frame in frames] for name, frames in drawn.items()}
    result["sizes"] = {name: frames[0][1:3] for name, frames in drawn.items() if frames}
    result["digests"] = {name: [frame[3] for frame in frames] for name, frames in drawn.items()}
    result["saved"] = [str(save) for _, save in sink.saves]
    with open(report, "w") as file:
        json.dump(result, file, default=repr)


main(*sys.argv[1:])
