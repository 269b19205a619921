"""What `make` returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from framepipe.core.summary import Summary
from framepipe.formats.notebook import joined
from framepipe.movie.cleanup import CleanupReport
from framepipe.movie.result import Movie
from framepipe.rendering.report import RenderReport


@dataclass(frozen=True, repr=False)
class MakeReport(Summary):
    """The result of `make`, stage by stage.

    Attributes
    ----------
    render : RenderReport
    movies : tuple of Movie
    cleanup : CleanupReport or None
        None if the frames were kept.
    films : int
        The number of films that the script makes, of which this is one.
    """

    render: RenderReport
    movies: tuple[Movie, ...]
    cleanup: CleanupReport | None
    films: int = 1

    def summary(self) -> str:
        """See `Summary`."""
        stages = [self.render, *self.movies, *([self.cleanup] if self.cleanup else [])]
        return "\n".join(stage.summary() for stage in stages)

    def details(self) -> str:
        """See `Summary`."""
        stages = [self.render, *self.movies, *([self.cleanup] if self.cleanup else [])]
        return "\n".join(stage.details() for stage in stages)

    def timings(self) -> str:
        """Where the time went."""
        return "\n".join([self.render.timings(), *(movie.timings() for movie in self.movies)])

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """Return the movies for Jupyter's display."""
        return joined([movie._repr_mimebundle_() for movie in self.movies], self.summary())

    def to_dict(self) -> dict[str, Any]:
        """Convert for JSON."""
        return {
            "render": self.render.to_dict(),
            "movies": [movie.to_dict() for movie in self.movies],
            "cleanup": self.cleanup.to_dict() if self.cleanup else None,
        }
