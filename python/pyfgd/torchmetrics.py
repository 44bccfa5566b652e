"""FGD with the interface of torchmetrics, which gathers it over the processes of a run."""

from collections.abc import Sequence
from typing import Any

import torch
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from ._evaluate import numbers
from ._fgd import FGD


class FrechetGteDistance(Metric):
    """``update(predictions, references, ids=None)`` and ``compute()``, which answers a dict of tensors: ``fgd_paired`` with the
    ends of its interval, ``fgd_set``, ``mean_cosine``; a number that there is none of is NaN.

    The state is the captions as bytes, some dozens for each, which torchmetrics gathers as it gathers any tensor.
    """

    is_differentiable = False
    higher_is_better = False
    full_state_update = False

    captions: list[torch.Tensor]

    def __init__(self, gathered: FGD | None = None, **settings: Any) -> None:
        super().__init__(**settings)
        self._gathered = FGD() if gathered is None else gathered
        self.add_state("captions", default=[], dist_reduce_fx="cat")

    def update(
        self, predictions: Sequence[str], references: Sequence[str] | Sequence[Sequence[str]], ids: Sequence[Any] | None = None
    ) -> None:
        """Adds captions with the references of their images."""
        self._gathered.reset()
        self._gathered.update(predictions, references, ids)
        # One line for each update: bytes that are joined are still lines.
        line = self._gathered.to_bytes() + b"\n"
        self.captions.append(torch.frombuffer(bytearray(line), dtype=torch.uint8).to(self.device))

    def compute(self) -> dict[str, torch.Tensor]:
        """The distances of all that was gathered."""
        self._gathered.reset()
        lines = bytes(dim_zero_cat(self.captions).cpu().tolist()).splitlines() if self.captions != [] else []
        found = numbers(self._gathered.merge_state(lines).compute().results)
        return {name: torch.tensor(float("nan") if value is None else value) for name, value in found.items()}
