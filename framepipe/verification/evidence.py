"""What decoding a segment of a video has shown: whoever joins segments need not read a frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any

from framepipe.verification.likeness import FrameScore


@dataclass(frozen=True)
class SegmentEvidence:
    """The pictures of a segment that passed verification.

    Attributes
    ----------
    head : str
        A hash of what its decoder is given before the first packet.
    packets : sequence of (str, int)
        A hash and the position in the presentation of each, in the order of decoding.
    scores : sequence of FrameScore
        Those of each picture against its source.
    alike_mse : float
        See `framepipe.formats.video.comparison.Comparison`.
    """

    head: str
    packets: Sequence[tuple[str, int]]
    scores: Sequence[FrameScore]
    alike_mse: float

    def to_dict(self) -> dict[str, Any]:
        """Convert for JSON."""
        scores = [astuple(score) for score in self.scores]
        packets = [[*packet] for packet in self.packets]
        return {"head": self.head, "packets": packets, "scores": scores, "alike_mse": self.alike_mse}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> SegmentEvidence:
        """Read what `to_dict` wrote.

        Raises
        ------
        KeyError, TypeError, ValueError
            Another version wrote it.
        """
        scores = [
            FrameScore(float(own), float(off), _pair(near), _pair(near_off), float(next_db), float(forgiven))
            for own, off, near, near_off, next_db, forgiven in data["scores"]
        ]
        packets = [(str(digest), int(position)) for digest, position in data["packets"]]
        if len(packets) != len(scores):
            raise ValueError("packets and scores")
        return cls(str(data["head"]), packets, scores, float(data["alike_mse"]))


def _pair(values: Sequence[Any]) -> tuple[float, float]:
    one, other = values
    return float(one), float(other)
