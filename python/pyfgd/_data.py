"""What stands for captions, as the files that jobs read: paths as they are, everything else through a folder that goes with the
call."""

import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TypeAlias

from ._errors import FgdError, UsageError
from ._native import Moments

#: A path; a pandas, polars or Arrow table; a dict of captions, or of lists of them, by image id; a list of captions, or of lists
#: of them, in the order of the images; a list of dicts with an id and a caption; a numpy array of embeddings; `Moments`.
Captions: TypeAlias = Any
#: A directory, a list of images or one image: a path.
Images: TypeAlias = str | os.PathLike[str]


class Files:
    """Files for the data of one job; a folder for those that had none is gone afterwards."""

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._count = 0

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
        if type(data).__module__ == "numpy":
            return self._embeddings(data, name)
        place = self.place(f"{name}.jsonl")
        with place.open("w", encoding="utf-8") as file:
            for row in rows(data):
                # Other types of tables, such as numbers and dates of frames, are what they print as.
                file.write(json.dumps(row, ensure_ascii=False, default=_plain) + "\n")
        return str(place)

    def named(self, systems: Any) -> list[dict[str, str]]:
        """Systems by name, in order: a dict of them, or a list of paths."""
        if isinstance(systems, Mapping):
            return [{"name": str(name), "path": self.path(data, str(name))} for name, data in systems.items()]
        if isinstance(systems, (str, os.PathLike)):
            systems = [systems]
        return [{"name": _stem(path), "path": os.fspath(path)} for path in systems]

    def place(self, name: str) -> Path:
        """Where a file of this name may be written."""
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="pyfgd-")
        # One folder for each, so that a name may come twice.
        self._count += 1
        folder = Path(self._folder.name, str(self._count))
        folder.mkdir()
        return folder / name.replace(os.sep, "_")

    def shown(self, text: str) -> str:
        """A text of a job without the folder, which nobody will find any more."""
        if self._folder is None:
            return text
        return re.sub(re.escape(self._folder.name + os.sep) + r"\d+" + re.escape(os.sep), "", text)

    def _embeddings(self, data: Any, name: str) -> str:
        import numpy

        if data.dtype.kind != "f":
            return self.path(data.tolist(), name)
        place = self.place(f"{name}.npy")
        numpy.save(place, data)
        return str(place)

    def _moments(self, data: Any, name: str) -> str:
        import numpy

        place = self.place(f"{name}.npz")
        numpy.savez(place, mu=data.mean, sigma=data.covariance(), n=numpy.float64(data.n))
        return str(place)


def rows(data: Captions) -> Iterator[Mapping[str, Any]]:
    """The rows of a table, a dict or a list."""
    if isinstance(data, Mapping):
        return _by_id(data.items())
    if hasattr(data, "to_pylist"):  # Arrow
        return iter(data.to_pylist())
    if hasattr(data, "to_dicts"):  # polars
        return iter(data.to_dicts())
    if hasattr(data, "iterrows"):  # pandas
        return iter(data.to_dict("records"))
    if hasattr(data, "__arrow_c_stream__"):
        return iter(_arrow(data).to_pylist())
    if hasattr(data, "tolist"):  # a column
        data = data.tolist()
    if isinstance(data, Iterable) and not isinstance(data, (str, bytes)):
        data = list(data)
        if all(isinstance(row, Mapping) for row in data) and data:
            return iter(data)
        return _by_id(enumerate(data))
    raise UsageError(f"{type(data).__name__} is nothing that holds captions: give a path, a table, a dict or a list")


def _by_id(items: Iterable[tuple[Any, Any]]) -> Iterator[Mapping[str, Any]]:
    for name, captions in items:
        if isinstance(captions, Sequence) and not isinstance(captions, str):
            for caption in captions:
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


def _stem(path: str | os.PathLike[str]) -> str:
    # Checkpoints may be hub ids, and what is behind an @ belongs to their name.
    path = os.fspath(path)
    return Path(path).stem if os.path.isfile(path) else path
