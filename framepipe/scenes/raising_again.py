"""An iterator that has failed fails again, instead of looking as if it had ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

from framepipe.scenes.base import SourceFailed

T = TypeVar("T")


class RaisingAgain(Generic[T]):
    """Iterates over something of the user's; what that has raised is raised each time from then on.

    A generator that has raised is exhausted. A worker that is forked later would take that for the end of
    the scene, and a movie would be too short without anybody knowing why.

    Parameters
    ----------
    values : iterable

    """

    def __init__(self, values: Iterable[T]) -> None:
        self._values = iter(values)
        self._error: BaseException | None = None

    def check(self, *, is_before: bool) -> None:
        """Raise `SourceFailed` if it has raised, and that was before what is wanted now.

        Raises
        ------
        SourceFailed
        """
        if self._error is not None and is_before:
            raise SourceFailed(self._error)

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        if self._error is not None:
            raise self._error
        try:
            return next(self._values)
        except StopIteration:
            raise
        except BaseException as error:
            self._error = error
            raise
