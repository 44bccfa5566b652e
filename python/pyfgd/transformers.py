"""FGD while a model is trained with the Trainer of transformers."""

from collections.abc import Callable, Sequence
from typing import Any

from transformers import TrainerCallback

from ._evaluate import numbers
from ._fgd import FGD


class FGDCallback(TrainerCallback):
    """Logs ``eval/fgd_paired`` with its interval, and ``eval/fgd_set``, whenever the trainer evaluates.

        trainer.add_callback(FGDCallback(trainer, describe, references))

    ``describe`` takes the model and answers a caption for each image of ``references``. The numbers are among the trainer's
    metrics too, so ``metric_for_best_model="fgd_paired"`` with ``greater_is_better=False`` works.
    """

    def __init__(
        self,
        trainer: Any,
        describe: Callable[[Any], Sequence[str]],
        references: Sequence[str] | Sequence[Sequence[str]],
        gathered: FGD | None = None,
    ) -> None:
        self._trainer = trainer
        self._describe = describe
        self._references = references
        self._gathered = FGD() if gathered is None else gathered

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: dict[str, Any] | None = None, **others: Any) -> None:
        """Captions, scores, logs."""
        captions = self._describe(others["model"])
        if not state.is_world_process_zero:
            return
        self._gathered.reset()
        self._gathered.update(captions, self._references)
        found = numbers(self._gathered.compute().results)
        logged = {f"eval_{name}": value for name, value in found.items() if value is not None}
        if metrics is not None:
            metrics.update(logged)
        self._trainer.log(logged)
