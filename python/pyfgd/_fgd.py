"""Scores that are gathered batch by batch, on one machine or many."""

import json
import os
from collections.abc import Iterable
from typing import Any, Unpack

from ._call import Measuring, check_options
from ._data import texts as listed
from ._documents import Record
from ._encoder import GTE_SMALL, Encoder
from ._errors import UsageError
from ._jobs import score

#: An image's id, its caption, its references.
Row = tuple[str | None, str, tuple[str, ...]]

_VERSION = 1


class FGD:
    """Gathers captions and their references, and scores them.

    What is gathered are the captions, not their vectors, so that a million of them fits anywhere, and the score does not depend
    on order, batches or processes, to the bit. Every process of a distributed run has one; nothing is communicated before
    ``merge_state`` is given the others (or their bytes), by whatever means the run has.

    An image that comes twice with the same captions counts once, which is how samplers fill their last batch.
    """

    def __init__(
        self, encoder: str | os.PathLike[str] | Encoder | None = None, *, unpaired: bool = False, **options: Unpack[Measuring]
    ) -> None:
        self.encoder = encoder if isinstance(encoder, Encoder) else Encoder(encoder or GTE_SMALL)
        self.unpaired = unpaired
        # Before anything is gathered that a slip would cost.
        check_options(options, ["measuring", "keeping"])
        self._options = options
        self._rows: list[Row] = []

    def update(
        self,
        predictions: str | Iterable[str],
        references: str | Iterable[str] | Iterable[Iterable[str]],
        ids: Iterable[Any] | None = None,
    ) -> None:
        """Adds captions with the references of their images, one or several of each, and embeds both.

        :raises UsageError: lists of different lengths, what is no text or an empty one, or an id that is missing. Nothing is added then.
        """
        indexes: list[Any] = [getattr(side, "index", None) for side in (predictions, references) if hasattr(side, "to_frame")]
        if len(indexes) == 2 and not indexes[0].equals(indexes[1]):
            raise UsageError("predictions and references have other indexes: bring them into one order, and drop them (reset_index)")
        predictions, references = listed(predictions, "predictions"), listed(references, "references")
        names = [None] * len(predictions) if ids is None else [_name(at, name) for at, name in enumerate(ids)]
        if not len(predictions) == len(references) == len(names):
            raise UsageError(f"{len(predictions)} predictions, {len(references)} references and {len(names)} ids")
        rows: list[Row] = []
        for at, (name, prediction, of_image) in enumerate(zip(names, predictions, references)):
            captions = tuple(of_image) if isinstance(of_image, Iterable) and not isinstance(of_image, str) else (of_image,)
            if not captions or not all(isinstance(caption, str) and caption.strip() for caption in (prediction, *captions)):
                raise UsageError(f"row {at}{f', id {name}' if name else ''}: a text and at least one reference are needed")
            rows.append((name, prediction, captions))
        texts = [caption for _, prediction, captions in rows for caption in (prediction, *captions)]
        if texts:
            # From here on they are in the encoder's cache.
            self.encoder.encode(texts, show_progress_bar=False)
        self._rows += rows

    def compute(self) -> Record:
        """The record of the score of all that was gathered.

        :raises UsageError: nothing was gathered, or an image twice with different captions.
        :raises InvalidSubmission: captions that can not be scored.
        """
        rows = self._gathered()
        return score(
            {name: prediction for name, prediction, _ in rows},
            {name: list(captions) for name, _, captions in rows},
            unpaired=self.unpaired,
            encoder=self.encoder,
            **self._options,
        )

    def _gathered(self) -> list[tuple[str, str, tuple[str, ...]]]:
        if not self._rows:
            raise UsageError("nothing was gathered: call update first")
        named = {name is not None for name, _, _ in self._rows}
        if len(named) == 2:
            raise UsageError("some captions have ids and others have none: give ids always or never")
        if not named.pop():
            # Without ids the captions themselves are the order.
            return [(str(at), prediction, captions) for at, (_, prediction, captions) in enumerate(sorted(self._rows, key=_content))]
        rows: dict[str, Row] = {}
        for row in self._rows:
            if rows.setdefault(str(row[0]), row) != row:
                raise UsageError(f"id {row[0]} comes twice with different captions")
        return [(name, rows[name][1], rows[name][2]) for name in sorted(rows)]

    def reset(self) -> None:
        """Forgets what was gathered."""
        self._rows = []

    def _forget(self, after: int) -> None:
        """Forgets what was gathered after so many captions."""
        self._rows = self._rows[:after]

    def merge_state(self, others: "FGD | bytes | Iterable[FGD | bytes]") -> "FGD":
        """Adds what others have gathered: objects, or their bytes. Answers itself."""
        for other in [others] if isinstance(others, (FGD, bytes)) else others:
            self._rows += other._rows if isinstance(other, FGD) else _parse(other)
        return self

    def to_bytes(self) -> bytes:
        """What was gathered."""
        return json.dumps({"pyfgd": _VERSION, "rows": self._rows}, ensure_ascii=False).encode(errors="backslashreplace")

    @classmethod
    def from_bytes(cls, data: bytes, encoder: str | os.PathLike[str] | Encoder | None = None, **options: Unpack[Measuring]) -> "FGD":
        """What ``to_bytes`` wrote, with an encoder of this process."""
        return cls(encoder, **options).merge_state(data)

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        return f"FGD({self.encoder!r}, {len(self)} captions)"


def _name(at: int, name: Any) -> str:
    # What frames have for nothing would make one image of several.
    if not isinstance(name, str) and str(name) in ("None", "nan", "NaT", "<NA>"):
        raise UsageError(f"row {at}: the id is missing")
    return str(name)


def _content(row: Row) -> tuple[str, tuple[str, ...]]:
    return row[1:]


def _parse(data: bytes) -> list[Row]:
    try:
        state = json.loads(data)
        if state["pyfgd"] != _VERSION:
            raise UsageError(f"these captions were gathered by another version ({state['pyfgd']})")
        return [(name, prediction, tuple(captions)) for name, prediction, captions in state["rows"]]
    except (ValueError, KeyError, TypeError) as error:
        raise error if isinstance(error, UsageError) else UsageError("these bytes are no gathered captions") from None
