"""The points of a sweep: combinations of values, and what their stores and movies are called."""

from __future__ import annotations

import itertools
import json
import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from framepipe.core.files import PathLike
from framepipe.core.labels import NUMBER
from framepipe.errors import UsageError
from framepipe.options import EncodeOptions, options_of
from framepipe.scenes.address import split_address

_MAX_POINTS = 10_000


@dataclass(frozen=True)
class Point:
    """One combination of values.

    Attributes
    ----------
    values : dict of str to object
    outputs : tuple of str
        Its movies.
    store : Path
    """

    values: Mapping[str, Any]
    outputs: tuple[str, ...]
    store: Path

    @property
    def name(self) -> str:
        """Its values, as ``amplitude=0.5,phase=1``."""
        return name_of(self.values)


def points_of(
    values: Mapping[str, Sequence[Any]],
    output: PathLike | Sequence[PathLike],
    folder: Path,
    params: Mapping[str, Any],
) -> list[Point]:
    """Return the points of a sweep.

    Parameters
    ----------
    values : mapping of str to sequence
        Values by the name of a parameter.
    output : path-like or sequence of path-like
        With ``{name}`` for the names in ``values``.
    folder : Path
        The folder of their stores.
    params : mapping
        The parameters that all have.

    Raises
    ------
    UsageError
        There are none, too many, or two that cannot be told apart.
    """
    if twice := sorted({*params} & {*values}):
        raise UsageError(f"{', '.join(twice)}: given both as a parameter and as values of the sweep")
    outputs = [output] if isinstance(output, (str, os.PathLike)) else list(output)
    points = [
        Point(each, tuple(_named(path, each) for path in outputs), folder / _folder_name(each))
        for each in combinations(values)
    ]
    _check_distinct(points)
    return points


def folder_of(scene: str | Callable[..., Any], store: PathLike | None) -> Path:
    """Return the folder of the points' stores: the requested one, or one that is named after the scene."""
    return Path(store) if store is not None else Path("frames", f"{_name_of_scene(scene)}-sweep")


def combinations(values: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Return all combinations of values by name.

    >>> combinations({"a": [1, 2], "b": "xy"})
    [{'a': 1, 'b': 'x'}, {'a': 1, 'b': 'y'}, {'a': 2, 'b': 'x'}, {'a': 2, 'b': 'y'}]

    Raises
    ------
    UsageError
        A name has no values, or there are more than 10,000 combinations.
    """
    if not values:
        raise UsageError("a sweep needs values of at least one parameter, as amplitude=0.5,1,2")
    for name, each in values.items():
        if not len(each):
            raise UsageError(f"{name} has no values to sweep over")
    count = 1
    for each in values.values():
        count *= len(each)
    if count > _MAX_POINTS:
        raise UsageError(f"{count:,} combinations; {_MAX_POINTS:,} are supported. Split the sweep")
    return [dict(zip(values, combination)) for combination in itertools.product(*values.values())]


def parse_values(text: str) -> list[Any]:
    """Parse the values of a parameter: ``0.5,1,2``, or ``START:STOP`` or ``START:STOP:STEP`` without STOP.

    >>> parse_values("0.5,1,high"), parse_values("0:3"), parse_values("0:1:0.25")
    ([0.5, 1, 'high'], [0, 1, 2], [0, 0.25, 0.5, 0.75])

    Raises
    ------
    UsageError
    """
    if re.fullmatch(r"[^,:]+:[^,:]+(:[^,:]+)?", text):
        try:
            bounds = [Decimal(part.strip()) for part in text.split(":")]
        except InvalidOperation:
            return [text]
        start, stop, step = [*bounds, Decimal(1)][:3]
        if not all(each.is_finite() for each in bounds) or step == 0:
            raise UsageError(f"range {text}: START:STOP:STEP are finite numbers, and STEP is not 0")
        count = max(0, math.ceil((stop - start) / step))
        if count > _MAX_POINTS:
            raise UsageError(f"range {text} has {count:,} values; {_MAX_POINTS:,} are supported")
        return [_plain(start + k * step) for k in range(count)]
    return [_parsed(part.strip()) for part in text.split(",") if part.strip()]


def _plain(number: Decimal) -> int | float:
    return int(number) if number == number.to_integral_value() else float(number)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def text_of(value: Any) -> str:
    """Return a value as it stands in names: ``0.5``, ``high``."""
    return value if isinstance(value, str) else json.dumps(value, default=str)


def name_of(point: Mapping[str, Any]) -> str:
    """Return a point's values as ``amplitude=0.5,phase=1``."""
    return ",".join(f"{name}={text_of(value)}" for name, value in point.items())


def title_of(point: Mapping[str, Any]) -> str:
    """Return what stands above a point in a grid: ``amplitude=0.5, phase=1``."""
    return name_of(point).replace(",", ", ")


def columns_of(values: Mapping[str, Sequence[Any]]) -> int | None:
    """Return the columns of a grid: the last name varies along its rows; None leaves one name to the grid."""
    return len(list(values.values())[-1]) if len(values) > 1 else None


def encode_options_of_grid(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a sweep that are also those of its grid: the rate, and how it is encoded."""
    names = {"fps", "loop", "encode", *options_of(EncodeOptions)} - {"labels", "metadata"}
    given = {name: value for name, value in options.items() if name in names}
    if (encode := given.get("encode")) is not None:
        given["encode"] = replace(encode, labels=NUMBER, metadata={})
    return given


def _folder_name(values: Mapping[str, Any]) -> str:
    return ",".join(f"{name}={_of_a_file(value)}" for name, value in values.items())


def _of_a_file(value: Any) -> str:
    """Return a value as a part of a file's name: letters, digits and ``. _ + -``."""
    return re.sub(r"[^\w.+-]+", "-", text_of(value)).strip(".")[:60] or "-"


def _named(path: PathLike, values: Mapping[str, Any]) -> str:
    text = os.fspath(path)
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", _of_a_file(value))
    return text


def _check_distinct(points: Sequence[Point]) -> None:
    point_of: dict[str, Point] = {}
    for point in points:
        for path in point.outputs:
            if (other := point_of.setdefault(path, point)) is not point:
                names = [
                    name
                    for name in point.values
                    if text_of(point.values[name]) != text_of(other.values[name])
                ]
                placeholder = f"{{{names[0]}}}" if names else "a name for each point"
                raise UsageError(
                    f"{other.name} and {point.name} would both be {path}: put {placeholder} into -o"
                )
    if len({point.store for point in points}) < len(points):
        raise UsageError("two points have the same values, as far as a file name can show them")


def _name_of_scene(scene: str | Callable[..., Any]) -> str:
    if not isinstance(scene, str):
        return str(getattr(scene, "__name__", type(scene).__name__)).strip("<>")
    script, name = split_address(scene)
    return "-".join(part for part in (Path(script).stem, name) if part)
