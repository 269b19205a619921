"""What matplotlib itself would have saved, and what framepipe drew: arrays to be compared."""

from __future__ import annotations

import io
import warnings

import numpy as np
from matplotlib.animation import AbstractMovieWriter

import framepipe as fp
from framepipe.core.images import read_png


class Lossless(AbstractMovieWriter):
    """Keeps the arrays that ``Animation.save`` grabs, with its figure's size put back as MovieWriter does."""

    def setup(self, fig, outfile, dpi=None):
        super().setup(fig, outfile, dpi)
        self.frames, self.size_in = [], fig.get_size_inches().copy()

    def _supports_transparency(self):
        return True

    def grab_frame(self, **savefig_kwargs):
        self.fig.set_size_inches(self.size_in)
        buffer = io.BytesIO()
        self.fig.savefig(buffer, format="rgba", dpi=self.dpi, **savefig_kwargs)
        width, height = self.frame_size
        self.frames.append(np.frombuffer(buffer.getvalue(), np.uint8).reshape(height, width, 4))

    def finish(self):
        pass


def saved(anim):
    """The frames that ``anim.save`` would have written, RGBA."""
    writer = Lossless()
    anim.save("unused", writer=writer)
    return writer.frames


def drawn(report):
    """The frames of a store, RGBA, in the order of their numbers."""
    store = fp.Store(report.store)
    return [rgba(read_png(store.frame_path(number))) for number in store.numbers()]


def rgba(pixels):
    if pixels.shape[2] == 4:
        return pixels
    return np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])


def assert_same(found, expected):
    """All frames equal, to the last bit."""
    assert len(found) == len(expected)
    assert [one.shape for one in found] == [other.shape for other in expected]
    off = [k for k, (one, other) in enumerate(zip(found, expected)) if not np.array_equal(one, other)]
    assert not off, f"frames {off} of {len(found)} differ"


def assert_moves(frames):
    """The scene is a test of something: its frames differ."""
    assert len({frame.tobytes() for frame in frames}) > 1


def quietly(make, *args, **keywords):
    """Make an animation of which matplotlib cannot infer the length."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*which we can infer the length of")
        return make(*args, **keywords)
