"""The habit of Hugging Face `evaluate`: load, add, compute."""

import os
from collections.abc import Sequence
from typing import Any, Unpack

from ._call import Measuring
from ._encoder import Encoder
from ._fgd import FGD


def numbers(results: Any) -> dict[str, float | None]:
    """The distances of a score's results as a flat dict; a number that there is none of is None."""
    paired, whole = results.fgd_paired, results.fgd_set
    low, high = paired.ci95 or (None, None)
    return {
        "fgd_paired": paired.value,
        "fgd_paired_low": low,
        "fgd_paired_high": high,
        "fgd_set": whole.value,
        "mean_cosine": results.mean_cosine.value,
    }


class Evaluation:
    """What `load` answers; `add_batch` and `compute` are those of an `evaluate.EvaluationModule`."""

    name = "fgd"

    def __init__(self, gathered: FGD) -> None:
        self._gathered = gathered

    def add(self, *, prediction: str, reference: str | Sequence[str], id: Any = None) -> None:
        """Adds one caption."""
        self._gathered.update([prediction], [reference], None if id is None else [id])

    def add_batch(
        self, *, predictions: Sequence[str], references: Sequence[str] | Sequence[Sequence[str]], ids: Sequence[Any] | None = None
    ) -> None:
        """Adds captions."""
        self._gathered.update(predictions, references, ids)

    def compute(
        self,
        *,
        predictions: Sequence[str] | None = None,
        references: Sequence[str] | Sequence[Sequence[str]] | None = None,
        ids: Sequence[Any] | None = None,
    ) -> dict[str, float | None]:
        """The distances of what was added, and of what is given here; then it begins anew."""
        before = len(self._gathered)
        if predictions is not None:
            self._gathered.update(predictions, [] if references is None else references, ids)
        try:
            found = numbers(self._gathered.compute().results)
        except BaseException:
            # What was added before is not lost.
            self._gathered._forget(before)
            raise
        self._gathered.reset()
        return found


def load(
    encoder: str | os.PathLike[str] | Encoder | None = None, *, unpaired: bool = False, **options: Unpack[Measuring]
) -> Evaluation:
    """``pyfgd.load().compute(predictions=…, references=…)``, as ``evaluate.load`` is used."""
    return Evaluation(FGD(encoder, unpaired=unpaired, **options))
