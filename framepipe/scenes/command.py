"""A scene that is another program: one run writes one frame's picture."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from numbers import Number
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from framepipe import files, foreign
from framepipe.errors import FrameSizeError, RenderError, UsageError
from framepipe.fingerprint import digest_value
from framepipe.frames import file_name
from framepipe.scenes.canvas import Fit, Picture
from framepipe.scenes.program import Finished, last_lines, run
from framepipe.scenes.template import fill, names, split
from framepipe.store import Shape

if TYPE_CHECKING:
    from framepipe.job import Canvas
    from framepipe.scenes.base import Shot


class CommandScene:
    """A program that writes one picture for each frame.

    Parameters
    ----------
    command : str
        Split into words once, as a POSIX shell would (`shlex.split`), and run without a shell. In
        each word ``{number}``, ``{index}``, ``{value}`` and ``{output}`` are then filled in, so
        whatever they hold stays one argument; ``{number:04d}`` and the like work; ``{{`` and
        ``}}`` are braces.
    retries : int
        Further attempts at a frame whose program fails or writes no picture. Default 0: most
        programs fail the same way again; licence servers do not.

    Attributes
    ----------
    words : tuple of str
        The command before it is filled in.

    Raises
    ------
    UsageError
        The command does not parse, has no ``{output}``, or its program is not there.
    """

    ref: None = None
    keeps_state = False  # every frame is a process of its own

    def __init__(self, command: str, *, retries: int = 0) -> None:
        self.words = split(command)
        if retries < 0:
            raise UsageError(f"retries is {retries}; give 0 or more")
        if shutil.which(self.words[0]) is None:
            raise UsageError(
                f"{self.words[0]!r} is no program on PATH: install it, load its module, or give its path"
            )
        self.retries = retries
        self.name = Path(self.words[0]).name
        self.stem = _stem(self.words)
        self.params: Mapping[str, Any] = {}
        self.sources: tuple[Path, ...] = ()

    def code_digest(self) -> str:
        """Digest of the command's words; files that it reads are inputs of the job."""
        return digest_value(list(self.words))

    def data(self) -> Mapping[str, str]:
        """Nothing: a command refers to no Python data."""
        return {}

    def style(self) -> Mapping[str, str]:
        """Nothing: rcParams do not matter."""
        return {}

    def player(self, values: Mapping[int, Any] | Sequence[Any] | None = None) -> CommandPlayer:
        """What draws in this process; sweeps up after processes that were killed."""
        temporary = _temporary()
        for leftover in files.leftover_temporaries(temporary.parent, of=temporary):
            shutil.rmtree(leftover, ignore_errors=True)
        return CommandPlayer(self.name, self.words, self.retries)


def _stem(words: Sequence[str]) -> str:
    """The script's, as in ``state`` of ``pvbatch state.py``."""
    files_ = (Path(word) for word in words[1:] if Path(word).suffix and Path(word).is_file())
    return next((path.stem for path in files_), "command")


class CommandPlayer:
    """Runs the program for one frame after the other.

    Parameters
    ----------
    name : str
        The program's, for messages.
    words : sequence of str
    retries : int
    """

    def __init__(self, name: str, words: Sequence[str], retries: int) -> None:
        self._name, self._words, self._retries = name, tuple(words), retries

    def picture(self, task: Shot, canvas: Canvas, fit: Fit | None) -> Picture:
        """Draw one frame.

        The program runs in our working folder, with nothing on its standard input and in our
        process group, so that it ends with us. What it writes is read by its content; an 8-bit RGB
        or RGBA PNG that is not interlaced is kept byte for byte.

        Parameters
        ----------
        task : Shot
        canvas : Canvas
            Does not matter to a program.
        fit : Fit or None
            What the first frame fixed.

        Raises
        ------
        RenderError
            The program failed or wrote no picture. Its ``log`` (bytes) has what it printed: the
            first and the last 32 kB.
        FrameSizeError
            The picture has another size than the first frame; with ``log`` too.
        UsageError
            The frame's value cannot be written as an argument.
        """
        values = {"number": task.number, "index": task.index}
        if any("value" in names(word) for word in self._words[1:]):
            values["value"] = _as_argument(task.value, task.number)
        for left in range(self._retries, -1, -1):
            try:
                return self._attempt(values, fit)
            except _Unlucky as unlucky:
                if not left:
                    tried = f" (tried {self._retries + 1} times)" if self._retries else ""
                    raise RenderError(unlucky.told(tried), log=unlucky.log) from None
        raise AssertionError("unreachable")

    def _attempt(self, values: Mapping[str, Any], fit: Fit | None) -> Picture:
        file = file_name(values["number"])
        by_hand = shlex.join(self._argv({**values, "output": file}))
        with _own_folder() as folder:
            output = folder / file
            finished = run(self._argv({**values, "output": str(output)}))
            try:
                if verdict := finished.verdict() or _what_is_missing(output):
                    raise foreign.BadPicture(verdict)
                picture = _read(output.read_bytes(), fit)
            except foreign.BadPicture as error:
                raise _Unlucky(f"{self._name} {error}", by_hand, finished, file) from None
        if fit and picture.fit.shape != fit.shape:
            verdict = f"{self._name} {_misfit(picture.fit.shape, fit.shape)}"
            odd = _Unlucky(verdict, by_hand, finished, file)
            raise FrameSizeError(odd.told(), log=odd.log)
        return picture

    def _argv(self, values: Mapping[str, Any]) -> list[str]:
        try:
            argv = [self._words[0], *(fill(word, values) for word in self._words[1:])]
        except (ValueError, TypeError) as error:
            raise UsageError(f"frame {values['number']}: {error} in {shlex.join(self._words)}") from None
        if any("\0" in word for word in argv):
            raise UsageError(f"frame {values['number']}: its value has a NUL, which no argument can hold")
        return argv


class _Unlucky(Exception):
    """An attempt that failed: what is to be said about it."""

    def __init__(self, verdict: str, by_hand: str, finished: Finished, file: str) -> None:
        super().__init__(verdict)
        self._verdict, self._by_hand, self._printed = verdict, by_hand, finished.printed
        self._log_path = Path("logs", file).with_suffix(".log")

    @property
    def log(self) -> bytes:
        head = f"# {self._verdict}\n# {self._by_hand}\n"
        return head.encode(errors="surrogateescape") + self._printed

    def told(self, tried: str = "") -> str:
        """The message: verdict, next step, where the log lies, the last lines of it."""
        lines = [f"{self._verdict}{tried}", f"  run it by hand: {self._by_hand}"]
        last = last_lines(self._printed)
        if not last:
            return "\n".join([*lines, "  it printed nothing"])
        return "\n".join([*lines, f"  it printed last (all of it: {self._log_path} in the store):", *last])


def _as_argument(value: Any, number: int) -> Any:
    """A frame's value as an argument: text and numbers as they are, lists and dictionaries as JSON."""
    if isinstance(value, (str, Number, np.bool_)):
        return value
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    if isinstance(value, (list, tuple, dict)):
        try:
            return json.dumps(value, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            reason = f" ({error})"
    else:
        reason = ""
    raise UsageError(
        f"frame {number}: its value is a {type(value).__name__}{reason}; {{value}} takes text, "
        "numbers, and lists and dictionaries of these"
    )


def _temporary() -> Path:
    return Path(tempfile.gettempdir()) / "framepipe-command"


@contextmanager
def _own_folder() -> Iterator[Path]:
    """A folder that only this account can look into; its name tells later runs whose it was."""
    folder = files.temporary_beside(_temporary())
    try:
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise RenderError(f"{folder.parent} cannot be written: {error.strerror}. Set TMPDIR") from None
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _what_is_missing(output: Path) -> str:
    """Why there is no file to read; programs that number their output themselves miss the name."""
    if output.is_file():
        return ""
    beside = sorted(path.name for path in output.parent.iterdir())
    instead = f"; it wrote {', '.join(beside[:3])} instead" if beside else ""
    return f"exited with code 0 but wrote nothing to {{output}} ({output.name}){instead}"


def _read(data: bytes, fit: Fit | None) -> Picture:
    """The picture in a file, with or without alpha as the movie has it where that loses nothing."""
    try:
        found = foreign.decode(data)
    except foreign.BadPicture as error:
        raise foreign.BadPicture(f"exited with code 0 but wrote {error}") from None
    pixels, kept = found.pixels, data if foreign.plain_png(data) else None
    with_alpha = pixels.shape[2] == 4
    if fit and fit.shape.mode == "RGB" and with_alpha and bool((pixels[..., 3] == 255).all()):
        pixels, kept = pixels[..., :3], None
    elif fit and fit.shape.mode == "RGBA" and not with_alpha:
        pixels, kept = np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)]), None
    height, width, channels = pixels.shape
    shape = Shape(width, height, "RGBA" if channels == 4 else "RGB")
    return Picture(pixels, Fit(shape), found.dpi, None, kept)


def _misfit(shape: Shape, first: Shape) -> str:
    if (shape.width, shape.height) == (first.width, first.height):
        return "wrote a picture with transparent pixels, the first frame has none: let it write all alike"
    return (
        f"wrote {shape.width}x{shape.height} px, the first frame has {first.width}x{first.height}: "
        "let it write one size"
    )
