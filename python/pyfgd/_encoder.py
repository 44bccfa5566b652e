"""Captions to vectors."""

import json
import os
from collections.abc import Iterable
from typing import Any

import numpy
from numpy.typing import NDArray

from . import _native
from ._data import texts
from ._documents import Document
from ._errors import UsageError
from ._progress import listener
from ._request import to_json

#: The encoder that the name FGD stands for.
GTE_SMALL = "thenlper/gte-small"


class Encoder:
    """A sentence encoder, by directory or hub id, that is loaded at the first caption and then stays.

    It embeds as the command does, to the bit, on all cores and without the GIL; embeddings are kept in the cache of the command
    (``cache=False``: for as long as this object lives). A copy in another process, forked or spawned, loads its own.
    """

    def __init__(
        self,
        encoder: str | os.PathLike[str] = GTE_SMALL,
        *,
        engine: str = "packed",
        device: str = "cpu",
        max_length: int | None = None,
        cache: bool = True,
        threads: int | None = None,
    ) -> None:
        self._encoding: dict[str, Any] = {
            "encoder": os.fspath(encoder),
            "engine": engine,
            "device": device,
            "max_length": max_length,
            "cache": cache,
        }
        self._threads = threads
        self._session = _native.Session(threads)

    def encode(
        self,
        sentences: str | Iterable[str],
        *,
        show_progress_bar: bool | None = None,
        out: NDArray[numpy.float32] | None = None,
    ) -> NDArray[numpy.float32]:
        """Unit vectors ``[sentences, dim]`` in float32, or ``[dim]`` of a single sentence; written into ``out``, if given.

        :raises FgdError: the encoder can not be had.
        :raises UsageError: ``out`` has another shape or type, or a sentence is no text or holds half of a character.
        """
        single = isinstance(sentences, str)
        captions = texts(sentences, "sentences")
        for at, caption in enumerate(captions):
            if not isinstance(caption, str):
                raise UsageError(f"sentence {at}: {caption!r} is no text")
        place = out[None] if single and isinstance(out, numpy.ndarray) else out
        if place is not None and not _is_place(place):
            raise UsageError("out is no array [sentences, dim] of float32 that can be written to")
        try:
            rows = self._session.embed(to_json(self._encoding), captions, place, listener(show_progress_bar))
        except UnicodeEncodeError as error:
            raise UsageError(f"{error.object!r} holds half of a character, such as a cut emoji: write it without") from None
        if rows is None:
            assert out is not None
            return out
        return rows[0] if single else rows

    @property
    def info(self) -> Document:
        """Which encoder it is, as records have it: ``id``, ``sha256``, ``engine``, ``dim``, ``max_length``, ``pooling``, …"""
        return Document(json.loads(self._session.encoder(to_json(self._encoding))))

    @property
    def dim(self) -> int:
        """Dimensions of a vector."""
        return int(self.info.dim)

    def get_sentence_embedding_dimension(self) -> int:
        """The same by the name of sentence-transformers."""
        return self.dim

    def __repr__(self) -> str:
        return f"Encoder({self._encoding['encoder']!r}, engine={self._encoding['engine']!r})"

    def __getstate__(self) -> dict[str, Any]:
        return {"encoding": self._encoding, "threads": self._threads}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._encoding = state["encoding"]
        self._threads = state["threads"]
        self._session = _native.Session(self._threads)


def _is_place(out: object) -> bool:
    return isinstance(out, numpy.ndarray) and out.dtype == numpy.float32 and out.ndim == 2 and out.flags.writeable
