"""FGD while a model is trained with the Trainer of transformers."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import distributed
from transformers import TrainerCallback

from ._errors import FgdError
from ._evaluate import numbers
from ._fgd import FGD


class FGDCallback(TrainerCallback):
    """Logs ``eval/fgd_paired`` with its interval, and ``eval/fgd_set``, whenever the trainer evaluates.

        trainer.add_callback(FGDCallback(trainer, describe, references))

    ``describe`` takes the model and answers a caption for each image of ``references``. It is called in every process of a run, so
    that a model that is spread over them can be asked; the captions of the first are scored. The numbers are among the trainer's
    metrics in all of them, so ``metric_for_best_model="fgd_paired"`` with ``greater_is_better=False`` works.
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
        """Captions, scores, logs.

        :raises FgdError: another process of the run could not do it.
        """
        found = _told(lambda: self._score(others["model"], state.is_world_process_zero))
        logged = {f"eval_{name}": value for name, value in found.items() if value is not None}
        if metrics is not None:
            metrics.update(logged)
        self._trainer.log(logged)

    def _score(self, model: Any, first: bool) -> dict[str, float | None]:
        captions = self._describe(model)
        if not first:
            return {}
        self._gathered.reset()
        self._gathered.update(captions, self._references)
        return numbers(self._gathered.compute().results)


def _told(score: Callable[[], dict[str, float | None]]) -> dict[str, float | None]:
    """What the processes of a run found, in each of them. Those that failed say so, since the others wait for them."""
    found: dict[str, float | None] = {}
    failure: Exception | None = None
    try:
        found = score()
    except Exception as error:
        failure = error
    told: list[Any] = [(found, None)]
    if distributed.is_available() and distributed.is_initialized():
        told = [None] * distributed.get_world_size()
        distributed.all_gather_object(told, (found, failure and f"{type(failure).__name__}: {failure}"))
    if failure is not None:
        raise failure
    for process, (theirs, said) in enumerate(told):
        if said:
            raise FgdError(f"process {process} of the run could not score its captions: {said}")
        found = found | theirs
    return found
