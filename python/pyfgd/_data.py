"""What stands for captions, as the files that jobs read: paths as they are, everything else through a folder that goes with the
call."""

import json
import os
import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Set
from pathlib import Path
from types import TracebackType
from typing import Any, TypeAlias

import numpy

from ._errors import FgdError, UsageError
from . import _native
from ._native import Moments

#: A path; a pandas, polars or Arrow table; a dict of captions, or of lists of them, by image id; a list of captions, or of lists
#: of them, in the order of the images; a list of dicts with an id and a caption; embeddings ``[n, d]`` of numpy or torch; `Moments`.
Captions: TypeAlias = Any
#: A directory, a list of images or one image: a path.
Images: TypeAlias = str | os.PathLike[str]


class Files:
    """Files for the data of one job; a folder for those that had none is gone afterwards."""

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._count = 0
        #: Whether captions came that were in no file.
        self.in_memory = False

    def __enter__(self) -> "Files":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if isinstance(error, FgdError):
            error.rename(self.shown)
        if self._folder is not None:
            self._folder.cleanup()

    def path(self, data: Captions, name: str) -> str:
        """A file that holds the data."""
        if isinstance(data, (str, os.PathLike)):
            return os.fspath(data)
        if isinstance(data, Moments):
            return self._moments(data, name)
        if hasattr(data, "detach"):  # torch
            # numpy has no bfloat16.
            narrow = data.is_floating_point() and data.element_size() < 4
            data = (data.float() if narrow else data).numpy(force=True)
        if isinstance(data, numpy.ndarray) and (data.dtype.kind not in "OUT" or numpy.ma.isMaskedArray(data)):
            return self._embeddings(data, name)
        if hasattr(data, "__len__") and not len(data) and not isinstance(data, (bytes, Set)):
            raise UsageError(f"{name}: this {type(data).__name__} is empty: give at least one caption")
        self.in_memory = True
        place = self.place(f"{name}.jsonl")
        # Half of a character is written as JSON does, and the reader says which row has it.
        with place.open("w", encoding="utf-8", errors="backslashreplace") as file:
            for row in rows(data):
                try:
                    # Other types of tables, such as numbers and dates of frames, are what they print as.
                    file.write(json.dumps(row, ensure_ascii=False, default=_plain) + "\n")
                except TypeError as error:  # columns whose names are tuples
                    raise UsageError(f"{name}: {error}") from None
        return str(place)

    def systems(self, systems: Any) -> list[dict[str, str]]:
        """`named`, and at least one."""
        if named := self.named(systems):
            return named
        raise UsageError("no systems are given")

    def named(self, systems: Any) -> list[dict[str, str]]:
        """Systems by name, in order: a dict of them, or a list of paths, which are called as the command calls them."""
        if isinstance(systems, Mapping):
            given = [(str(name), data) for name, data in systems.items()]
        else:
            paths = _paths(systems)
            stems = Counter(map(_stem, paths))
            given = [(_stem(path) if stems[_stem(path)] == 1 else path, path) for path in paths]
        for name, count in Counter(name for name, _ in given).items():
            if count > 1:
                raise UsageError(f"two systems are called `{name}`: give each a name of its own, in a dict")
        return [{"name": name, "path": self.path(data, name)} for name, data in given]

    def place(self, name: str) -> Path:
        """Where a file of this name may be written."""
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="pyfgd-")
        # One folder for each, so that a name may come twice.
        self._count += 1
        folder = Path(self._folder.name, str(self._count))
        folder.mkdir()
        # A name of a file has 255 bytes at most, and no half characters.
        stem, end = os.path.splitext(re.sub(r"[/\\\0]", "_", name))
        return folder / (stem.encode(errors="replace")[:100].decode(errors="ignore") + end)

    def shown(self, text: str) -> str:
        """A text of a job without the folder, which nobody will find any more."""
        if self._folder is None:
            return text
        return re.sub(re.escape(self._folder.name + os.sep) + r"\d+" + re.escape(os.sep), "", text)

    def _embeddings(self, data: Any, name: str) -> str:
        if refused := masked(data, name):
            raise refused
        if data.dtype.kind != "f" or data.ndim != 2:
            raise UsageError(
                f"{name}: an array of {data.dtype} and shape {data.shape} is neither captions nor embeddings, floats of shape [n, d]"
            )
        place = self.place(f"{name}.npy")
        # What the reader takes: row by row, little-endian.
        numpy.save(place, numpy.ascontiguousarray(data, "<f4" if data.itemsize <= 4 else "<f8"))
        return str(place)

    def _moments(self, data: Any, name: str) -> str:
        place = self.place(f"{name}.npz")
        numpy.savez(place, mu=data.mean, sigma=data.covariance(), n=numpy.float64(data.n))
        return str(place)


def rows(data: Captions) -> Iterator[Mapping[str, Any]]:
    """The rows of a table, a dict or a list."""
    if isinstance(data, Mapping):
        return _by_id(data.items())
    if hasattr(data, "to_dicts"):  # polars
        return iter(data.to_dicts())
    if hasattr(data, "iterrows"):  # pandas
        # Ids often are the index.
        named = [name for name in data.index.names if name is not None and name not in data.columns]
        return iter(data.reset_index(level=named).to_dict("records") if named else data.to_dict("records"))
    if hasattr(data, "to_frame") and hasattr(data, "index") and not _is_counted(data.index):  # a column of pandas with ids
        return _by_id(data.items())
    # Arrow, and columns; those of pandas and polars are streams too, but no tables.
    listed = next((name for name in ("to_pylist", "to_list", "tolist") if hasattr(data, name)), None)
    if listed:
        data = getattr(data, listed)()
    elif hasattr(data, "__arrow_c_stream__"):
        data = _arrow(data).to_pylist()
    # A set is in no order.
    if isinstance(data, Iterable) and not isinstance(data, (str, bytes, Set)):
        data = list(data)
        if all(isinstance(row, Mapping) for row in data) and data:
            return iter(data)
        return _by_id(enumerate(data))
    raise UsageError(f"{type(data).__name__} is nothing that holds captions: give a path, a table, a dict or a list")


def _is_counted(index: Any) -> bool:
    """Whether an index of pandas only counts the rows."""
    return len(index.names) == 1 and index.name is None and list(index) == list(range(len(index)))


def masked(data: Any, name: str) -> UsageError | None:
    """Why an array of numpy with a mask is refused."""
    if not numpy.ma.isMaskedArray(data):
        return None
    return UsageError(f"{name}: a masked array says of some numbers that they are none: fill it, or leave out these rows")


def texts(data: Any, name: str) -> list[Any]:
    """Captions in the order of their images, where a list is asked for."""
    if isinstance(data, str):
        return [data]
    if isinstance(data, (Mapping, Set)) or any(hasattr(data, table) for table in ("iterrows", "to_dicts", "column_names")):
        raise UsageError(f"{name}: {type(data).__name__} is no list of captions: give its captions, row by row")
    return list(data)


def _by_id(items: Iterable[tuple[Any, Any]]) -> Iterator[Mapping[str, Any]]:
    for name, captions in items:
        if isinstance(captions, Iterable) and not isinstance(captions, (str, Mapping)):
            several = sorted(captions, key=str) if isinstance(captions, Set) else list(captions)
            # Of an empty list the reader says whose it is.
            for caption in several or [[]]:
                yield {"image_id": name, "caption": caption}
        else:
            yield {"image_id": name, "caption": captions}


def _arrow(data: Any) -> Any:
    try:
        import pyarrow
    except ImportError:
        raise UsageError(f"pyarrow is needed for {type(data).__name__}") from None
    return pyarrow.table(data)


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)


def _stem(path: str) -> str:
    # The folder of a checkpoint has no extension, whatever dots it has.
    return (os.path.basename(path.rstrip(os.sep)) if os.path.isdir(path) else Path(path).stem) or path


def _paths(systems: Any) -> list[str]:
    try:
        return [os.fspath(path) for path in ([systems] if isinstance(systems, (str, os.PathLike)) else systems)]
    except TypeError:
        raise UsageError("systems are given by name, in a dict, or as a list of paths") from None


def with_folders(systems: Any, besides: Captions) -> Any:
    """Systems with the submissions of a folder in its place, but not ``besides``, as `fgd leaderboard` has them."""
    if isinstance(systems, Mapping):
        return systems
    references = os.fspath(besides) if isinstance(besides, (str, os.PathLike)) else ""
    found: list[str] = []
    for path in _paths(systems):
        found += _native.submissions(path, references) if os.path.isdir(path) else [path]
    return found
