"""A frame an epoch: callbacks for Keras 3 and PyTorch Lightning, loaded only when they are asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from framepipe.errors import ToolMissing, UsageError
from framepipe.live import Recorder

Draw = Callable[[int, Mapping[str, float], Any], Any]


def keras_callback(
    draw: Draw, recorder: Recorder | str | os.PathLike[str], *, every: int = 1, **options: Any
) -> Any:
    """A Keras 3 callback that records a figure after each epoch.

    A training that was killed and goes on with its weights, but counts from epoch 0 again, continues
    the movie after the frames that exist. One that goes on from a later epoch keeps its own count.

    Parameters
    ----------
    draw : callable
        Called with (epoch, logs, model); returns a Figure.
    recorder : Recorder or path-like
        Where to; a folder's own recorder is closed when training ends.
    every : int
        Only every so many epochs.
    **options
        For a folder: see `Recorder`.

    Returns
    -------
    keras.callbacks.Callback

    Raises
    ------
    ToolMissing
        Keras is not installed.
    """
    try:
        from keras.callbacks import Callback
    except ImportError:
        raise ToolMissing("Keras is not installed: pip install keras, and jax, torch or tensorflow") from None
    epochs = _Epochs(draw, recorder, every, options)

    class FramesOfTraining(Callback):  # type: ignore[misc]
        """Records a figure after each epoch."""

        def on_train_begin(self, logs: Any = None) -> None:
            epochs.begin()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            epochs.record(epoch, logs or {}, self.model)

        def on_train_end(self, logs: Any = None) -> None:
            epochs.end()

    return FramesOfTraining()


def lightning_callback(
    draw: Draw, recorder: Recorder | str | os.PathLike[str], *, every: int = 1, **options: Any
) -> Any:
    """A PyTorch Lightning callback that records a figure after each training epoch.

    Parameters
    ----------
    draw : callable
        Called with (epoch, metrics, module); returns a Figure.
    recorder, every, **options
        See `keras_callback`.

    Returns
    -------
    lightning.pytorch.Callback

    Raises
    ------
    ToolMissing
        Lightning is not installed.
    """
    try:
        from lightning.pytorch import Callback
    except ImportError:
        try:
            from pytorch_lightning import Callback
        except ImportError:
            raise ToolMissing("PyTorch Lightning is not installed: pip install lightning") from None
    epochs = _Epochs(draw, recorder, every, options)

    class FramesOfTraining(Callback):  # type: ignore[misc]
        """Records a figure after each epoch, in the process of rank 0."""

        def on_train_start(self, trainer: Any, pl_module: Any) -> None:
            if trainer.is_global_zero:
                epochs.begin()

        def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
            if trainer.is_global_zero:
                epochs.record(trainer.current_epoch, trainer.callback_metrics, pl_module)

        def on_train_end(self, trainer: Any, pl_module: Any) -> None:
            epochs.end()

        def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
            epochs.end()

    return FramesOfTraining()


class _Epochs:
    """Frames of a training, an epoch each."""

    def __init__(
        self, draw: Draw, recorder: Recorder | str | os.PathLike[str], every: int, options: Mapping[str, Any]
    ) -> None:
        if every < 1:
            raise UsageError(f"every is {every}; give 1 epoch or more")
        if isinstance(recorder, Recorder) and options:
            raise UsageError(f"{', '.join(options)}: give these to the Recorder")
        self._draw, self._to, self._every, self._options = draw, recorder, every, options
        self._recorder: Recorder | None = None
        self._offset: int | None = None

    def begin(self) -> None:
        """Training begins; a second training of the same model goes on counting."""
        if self._recorder is not None:
            self.end()  # the one before was interrupted: its last frames are on their way
        self._offset = None
        self._recorder = self._to if isinstance(self._to, Recorder) else Recorder(self._to, **self._options)

    def record(self, epoch: int, logs: Mapping[str, Any], model: Any) -> None:
        """An epoch is over."""
        if self._recorder is None or not self._recorder.writes:
            return
        if self._offset is None:
            self._offset = 0 if epoch else self._recorder.next_number
        number = epoch + self._offset
        if number % self._every == 0:
            values = {name: float(value) for name, value in logs.items()}
            self._recorder.snap(self._draw(number, values, model), number=number)

    def end(self) -> None:
        """Training is over."""
        if self._recorder is self._to and self._recorder is not None:
            self._recorder.flush()
        elif self._recorder is not None:
            self._recorder.close()
            self._recorder = None
