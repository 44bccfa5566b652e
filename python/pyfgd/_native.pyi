# What the native part offers; mypy's stubtest holds this file to it (script/test).
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, final

import numpy
from numpy.typing import ArrayLike, NDArray

from ._progress import Listener

__all__ = [
    "VERSION",
    "Moments",
    "Session",
    "chart",
    "check_record",
    "frechet_distance",
    "main",
    "page",
    "paired_distance",
    "render",
    "set_distance",
    "site",
    "submissions",
    "validate",
    "write",
]

VERSION: str

@final
class Session:
    def __new__(cls, threads: int | None = None) -> Session: ...
    def run(self, /, request: str, listener: Listener | None = None) -> str: ...
    def embed(
        self, /, encoding: str, texts: Sequence[str], out: NDArray[numpy.float32] | None = None, listener: Listener | None = None
    ) -> NDArray[numpy.float32] | None: ...
    def features(self, /, request: str, listener: Listener | None = None) -> str: ...
    def encoder(self, /, encoding: str) -> str: ...

@final
class Moments:
    """Count, mean and co-moment of a set of embeddings: all that the set distance needs of it.

    Rows come in any number of batches, in memory that does not grow, and give the same bits however they are cut (as long as they are
    of one type); moments of parts merge into those of the whole.
    """

    def __new__(cls, dim: int) -> Moments: ...
    def update(self, /, rows: ArrayLike) -> None:
        """Adds the rows of an array ``[n, dim]``; one of float32 or float64 is looked at where it lies.

        :raises UsageError: another shape, what is no number or not finite, a masked array. Nothing is added then.
        """

    def merge(self, /, other: Moments) -> None:
        """Adds the set that ``other`` describes."""

    @property
    def n(self) -> int:
        """Number of rows."""

    @property
    def dim(self) -> int:
        """Dimensions of a row."""

    @property
    def mean(self) -> NDArray[numpy.float64]:
        """Mean of the rows, ``[dim]``."""

    def covariance(self, /, ddof: int = 1) -> NDArray[numpy.float64]:
        """Covariance ``[dim, dim]``."""

    def distance(self, /, other: Moments) -> float:
        """``fgd_set``: the Fréchet distance from another set."""

    def to_bytes(self, /) -> bytes:
        """Everything, to the bit."""

    @staticmethod
    def from_bytes(data: bytes) -> Moments:
        """What ``to_bytes`` wrote."""

    def __reduce__(self, /) -> Any: ...
    def __setstate__(self, /, data: bytes) -> None: ...

def frechet_distance(
    mu1: NDArray[numpy.float64], sigma1: NDArray[numpy.float64], mu2: NDArray[numpy.float64], sigma2: NDArray[numpy.float64]
) -> float: ...
def paired_distance(
    candidates: NDArray[numpy.float32], references: NDArray[numpy.float32], image_of: NDArray[numpy.int64]
) -> tuple[float, float | None, tuple[float, float] | None, float, NDArray[numpy.float64]]: ...
def set_distance(a: NDArray[numpy.float32], b: NDArray[numpy.float32]) -> float: ...
def main(arguments: Sequence[str]) -> int: ...
def check_record(text: str) -> str: ...
def render(record: str, format: str, width: int = 100) -> str: ...
def page(records: Sequence[str]) -> str: ...
def site(records: Sequence[str], folder: str | os.PathLike[str]) -> Path: ...
def chart(record: str) -> str: ...
def write(path: str | os.PathLike[str], text: str) -> None: ...
def submissions(folder: str, references: str) -> list[str]: ...
def validate(request: str) -> str: ...
