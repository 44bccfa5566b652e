"""What a job can be told, and one call of a job: its options in the groups of the request of the command."""

import difflib
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias, TypedDict

from . import _native
from ._data import Captions, Files
from ._documents import Record
from ._encoder import Encoder
from ._errors import UsageError
from ._progress import listener
from ._request import several, to_json

StrPath: TypeAlias = str | os.PathLike[str]


class Running(TypedDict, total=False):
    """How a job runs."""

    #: Threads to use; all cores by default.
    threads: int | None
    #: Bars of tqdm: True, False, or where somebody looks.
    progress: bool | None


class Reading(Running, total=False):
    """How caption files are read."""

    #: Column, key or path of the image ids; found by its name otherwise.
    id_column: str | None
    #: Column, key or path of the captions; found by its name otherwise.
    caption_column: str | None
    #: Format of the caption files; found by extension and content otherwise.
    format: str | None
    #: Largest caption file that is read, in bytes.
    max_bytes: int


class Embedding(Running, total=False):
    """How captions are embedded."""

    #: A directory, a hub id, or an `Encoder`, which then stays loaded.
    encoder: StrPath | Encoder
    #: `packed`, `int12` or `candle`.
    engine: str
    #: Most tokens of a caption that count.
    max_length: int | None
    #: Whether embeddings are kept between jobs.
    cache: bool


class Measuring(TypedDict, total=False):
    """Which numbers, and what the record keeps."""

    #: Groups of further metrics by name, such as `cider`.
    metrics: Iterable[str]
    #: Columns to report every number by, or `ocr` or `length`.
    slice: Iterable[str]
    #: Column whose values say which images depend on each other.
    cluster: str | None
    #: Images of the finite set that these were drawn from.
    population: int | None
    #: Seed of everything random.
    seed: int
    #: Keep every caption in the record, so that its report lists them.
    captions: bool
    #: Of how many images small pictures are kept.
    thumbnails: int


class Comparing(Reading, Embedding, total=False):
    """How caption files are read and compared by meaning."""

    #: Device of the candle engine: `cpu` or `cuda:N`.
    device: str


class Options(Comparing, Measuring, total=False):
    """What jobs that score can be told; names and defaults are those of the command's flags."""


_GROUPS = {
    "encoding": ("encoder", "engine", "device", "max_length", "cache"),
    "reading": ("id_column", "caption_column", "format", "max_bytes"),
    "measuring": ("metrics", "slice", "cluster", "population", "seed"),
    "keeping": ("captions", "thumbnails"),
}


def check_options(options: Mapping[str, Any], groups: Sequence[str], more: Sequence[str] = ()) -> None:
    """Refuses options that a job with these groups does not have."""
    known = [*more, *(name for group in groups for name in _GROUPS[group])]
    for name in options:
        if name not in known:
            close = difflib.get_close_matches(name, known, 1)
            raise UsageError(f"{name} is no option of this job" + (f", but {close[0]} is" if close else ""))


class Call:
    """One call of a job: its options in the groups of the request, and who runs it."""

    def __init__(self, options: Mapping[str, Any], groups: Sequence[str]) -> None:
        check_options(options, groups, ["threads", "progress"])
        options = dict(options)
        encoder = options.get("encoder")
        self.request: dict[str, Any] = {}
        self.listener = listener(options.get("progress"))
        if isinstance(encoder, Encoder):
            if {"engine", "device", "max_length", "cache", "threads"} & options.keys():
                raise UsageError("an Encoder has its own engine, device, max_length, cache and threads")
            options.update(encoder._encoding)
            self.session = encoder._session
        else:
            self.session = _native.Session(options.get("threads"))
        for group in groups:
            values = {name: options[name] for name in _GROUPS[group] if name in options}
            for name in ("metrics", "slice"):
                if name in values:
                    values[name] = several(values[name])
            if values:
                self.request[group] = values

    def run(self, name: str, files: Files, **fields: Any) -> Record:
        if files.in_memory and "format" in self.request.get("reading", {}):
            raise UsageError("format says how files are read, and some captions are in none: write them to one, or leave format out")
        given = {field: value for field, value in fields.items() if value is not None}
        request = to_json({"job": name, **self.request, **given})
        return Record(files.shown(self.session.run(request, self.listener)))


def reference_file(
    files: Files, data: Captions | None, id_column: str | None, caption_column: str | None
) -> dict[str, Any] | None:
    if data is None:
        return None
    return {"path": files.path(data, "references"), "id_column": id_column, "caption_column": caption_column}
