"""One frame per epoch: callbacks for Keras 3 and PyTorch Lightning, which are imported on first use."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from framepipe.errors import ToolMissing, UsageError
from framepipe.rendering.recorder import Recorder
from framepipe.scenes.open_figures import closing_figures

Draw = Callable[[int, Mapping[str, float], Any], Any]


def keras_callback(
    draw: Draw, recorder: Recorder | str | os.PathLike[str], *, every: int = 1, **options: Any
) -> Any:
    """Return a Keras 3 callback that records a figure after each epoch.

    A restarted training that counts from epoch 0 again continues the movie after the existing frames.
    One that starts at a later epoch keeps its own count.

    Parameters
    ----------
    draw : callable
        Called with (epoch, logs, model); returns a Figure. Figures that it opens are closed afterwards.
    recorder : Recorder or path-like
        A recorder, or the folder for a new one, which is closed when training ends.
    every : int
        Record every N-th epoch.
    **options
        Options of the new `Recorder`, if a folder is given.

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
    """Return a PyTorch Lightning callback that records a figure after each training epoch.

    Parameters
    ----------
    draw : callable
        Called with (epoch, metrics, module); returns a Figure. Figures that it opens are closed afterwards.
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
    """Records the frames of a training, one per epoch."""

    def __init__(
        self, draw: Draw, recorder: Recorder | str | os.PathLike[str], every: int, options: Mapping[str, Any]
    ) -> None:
        if every < 1:
            raise UsageError(f"every is {every}; give 1 epoch or more")
        if isinstance(recorder, Recorder) and options:
            raise UsageError(f"{', '.join(options)}: give these to the Recorder")
        self._draw, self._target, self._every, self._options = draw, recorder, every, options
        self._recorder: Recorder | None = None
        self._offset: int | None = None
        self._trainings = 0

    def begin(self) -> None:
        """Begin a training; a second training of the same model goes on counting."""
        if self._recorder is not None:
            self.end()  # the previous training was interrupted: its last frames may be pending
        self._offset = None
        self._trainings += 1
        self._recorder = (
            self._target if isinstance(self._target, Recorder) else Recorder(self._target, **self._options)
        )

    def record(self, epoch: int, logs: Mapping[str, Any], model: Any) -> None:
        """Record the figure of a finished epoch."""
        if self._recorder is None or not self._recorder.writes:
            return
        if self._offset is None:
            self._offset = 0 if epoch else self._recorder.append(quiet=self._trainings > 1)
        number = epoch + self._offset
        if number % self._every == 0:
            values = {name: float(value) for name, value in logs.items()}
            with closing_figures():  # a training of 10,000 epochs opens as many
                self._recorder.snap(self._draw(number, values, model), number=number)

    def end(self) -> None:
        """End a training: flush the user's recorder, or close our own."""
        if self._recorder is self._target and self._recorder is not None:
            self._recorder.flush()
        elif self._recorder is not None:
            self._recorder.close()
            self._recorder = None
