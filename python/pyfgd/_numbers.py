"""Distances of arrays."""

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy
from numpy.typing import ArrayLike, NDArray

from . import _native
from ._data import masked
from ._errors import UsageError

T = TypeVar("T", bound=numpy.generic)

_PIECE = 1 << 16


@dataclass(frozen=True, eq=False)
class PairedDistance:
    """The paired distance with its uncertainty and its parts."""

    #: Mean over images of the squared distance of a caption from its references; lower is better.
    value: float
    #: Standard error; None for one image.
    se: float | None
    #: 95% interval (Student's t); None for one image.
    ci95: tuple[float, float] | None
    #: Mean over images of the cosine.
    mean_cosine: float
    #: The value of each image, in the order of the candidates.
    per_image: NDArray[numpy.float64]

    def __float__(self) -> float:
        return self.value


def frechet_distance(mu1: ArrayLike, sigma1: ArrayLike, mu2: ArrayLike, sigma2: ArrayLike) -> float:
    """The Fréchet distance of two normal distributions, from means ``[d]`` and covariances ``[d, d]``.

    Exact at any rank: no ``sqrtm``, no imaginary parts, no ``eps``.

    >>> frechet_distance([0.0, 0.0], [[1.0, 0.0], [0.0, 1.0]], [1.0, 0.0], [[1.0, 0.0], [0.0, 1.0]])
    1.0

    :raises UsageError: shapes that differ, numbers that are not finite, a matrix that is no covariance.
    """
    return _native.frechet_distance(_wide(mu1, "mu1", 1), _wide(sigma1, "sigma1", 2), _wide(mu2, "mu2", 1), _wide(sigma2, "sigma2", 2))


def set_distance(a: ArrayLike, b: ArrayLike) -> float:
    """``fgd_set``: the Fréchet distance of the rows of two arrays ``[n, d]`` and ``[m, d]`` (ddof 1).

    Arrays of float64 stay so.

    :raises UsageError: fewer than two rows a side, other dimensions, numbers that are not finite.
    """
    rows = [floats(a, "a"), floats(b, "b")]
    single = all(values.dtype == numpy.float32 for values in rows)
    if single and any(len(values) <= values.shape[1] for values in rows):
        return _native.set_distance(*rows)
    # Of more rows than dimensions it is the same to the bit, and Ctrl-C ends the work too.
    sides = []
    for values in rows:
        moments = _native.Moments(values.shape[1])
        moments.update(values if single else values.astype(numpy.float64, copy=False))
        sides.append(moments)
    return sides[0].distance(sides[1])


def paired_distance(candidates: ArrayLike, references: ArrayLike, image_of: ArrayLike | None = None) -> PairedDistance:
    """``fgd_paired``: the mean over images of ‖g − p‖² of candidates ``[n, d]`` and references ``[m, d]``.

    ``image_of`` ``[m]`` says for each reference the row of its candidate; row by row where it is not given. Numbers count in float32, as
    those of embeddings do.

    >>> paired_distance([[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [1.0, 0.0]]).value
    1.0

    :raises UsageError: other shapes, an image without references, numbers that are not finite.
    """
    rows = _rows(references, "references")
    images = numpy.arange(len(rows)) if image_of is None else numpy.asarray(image_of)
    if images.ndim != 1 or images.dtype.kind not in "iu":
        raise UsageError(f"image_of has shape {images.shape} and type {images.dtype}: one index for each reference is needed")
    return PairedDistance(*_native.paired_distance(_rows(candidates, "candidates"), rows, images.astype(numpy.int64, copy=False)))


def _wide(values: ArrayLike, name: str, dimensions: int) -> NDArray[numpy.float64]:
    try:
        return _checked(numpy.asarray(values, dtype=numpy.float64), name, dimensions)
    except (TypeError, ValueError) as error:
        raise error if isinstance(error, UsageError) else UsageError(f"{name}: an array of numbers is needed") from None


def _rows(values: ArrayLike, name: str) -> NDArray[numpy.float32]:
    return floats(values, name).astype(numpy.float32, copy=False)


def floats(values: ArrayLike, name: str = "rows") -> NDArray[Any]:
    """Rows ``[n, d]`` as float32 or float64, native and finite; integers and half precision count as what holds them."""
    if refused := masked(values, name):
        raise refused
    try:
        array = numpy.asarray(values)
        kind = numpy.float32 if array.dtype.kind == "f" and array.itemsize <= 4 else numpy.float64
        if array.dtype.kind not in "fiub":
            raise TypeError
        return _checked(array.astype(kind, copy=False), name, 2)
    except (TypeError, ValueError) as error:
        raise error if isinstance(error, UsageError) else UsageError(f"{name}: numbers of shape [n, d] are needed") from None


def _checked(array: NDArray[T], name: str, dimensions: int) -> NDArray[T]:
    if array.ndim != dimensions:
        raise UsageError(f"{name}: an array with {dimensions} dimension{'s' * (dimensions > 1)} is needed, and this has shape {array.shape}")
    # In pieces, between which Ctrl-C is heard.
    for start in range(0, len(array), _PIECE):
        piece = array[start : start + _PIECE]
        wrong = ~numpy.isfinite(piece)
        if wrong.any():
            row, *column = numpy.argwhere(wrong)[0]
            place = ", ".join(map(str, [start + row, *column]))
            raise UsageError(f"{name}[{place}] is {piece[wrong][0]}, no finite number: make it again, or leave it out")
    return array
