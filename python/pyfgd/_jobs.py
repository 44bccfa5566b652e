"""The jobs of the command as functions: the same requests, the same records."""

import difflib
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias, TypedDict, Unpack

from . import _native
from ._data import Captions, Files, Images
from ._documents import Document, Record
from ._encoder import Encoder
from ._errors import FgdError, UsageError
from ._progress import listener

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
    metrics: Sequence[str]
    #: Columns to report every number by, or `ocr` or `length`.
    slice: Sequence[str]
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


class _Call:
    """One call of a job: its options in the groups of the request, and who runs it."""

    def __init__(self, options: Mapping[str, Any], groups: Sequence[str]) -> None:
        known = ["threads", "progress", *(name for group in groups for name in _GROUPS[group])]
        for name in options:
            if name not in known:
                close = difflib.get_close_matches(name, known, 1)
                raise UsageError(f"{name} is no option of this job" + (f", but {close[0]} is" if close else ""))
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
            if encoder is not None:
                options["encoder"] = os.fspath(encoder)
        for group in groups:
            values = {name: options[name] for name in _GROUPS[group] if name in options}
            for name in ("metrics", "slice"):
                if isinstance(values.get(name), str):
                    values[name] = [values[name]]
            if values:
                self.request[group] = values

    def run(self, name: str, files: Files, **fields: Any) -> Record:
        given = {field: value for field, value in fields.items() if value is not None}
        request = json.dumps({"job": name, **self.request, **given}, default=os.fspath)
        return Record(files.shown(self.session.run(request, self.listener)))


def _references(
    files: Files, data: Captions | None, id_column: str | None, caption_column: str | None
) -> dict[str, Any] | None:
    if data is None:
        return None
    return {"path": files.path(data, "references"), "id_column": id_column, "caption_column": caption_column}


def job(request: Mapping[str, Any], *, threads: int | None = None, progress: bool | None = None) -> Record:
    """Any job from plain data, as ``fgd job`` takes it: ``{"job": "score", "submission": …}``."""
    session = _native.Session(threads)
    return Record(session.run(json.dumps(request, default=os.fspath), listener(progress)))


def score(
    submission: Captions,
    references: Captions,
    *,
    unpaired: bool = False,
    exact: bool = False,
    worst: int = 0,
    hide_references: bool = False,
    per_caption: StrPath | None = None,
    images: Images | None = None,
    image_root: StrPath | None = None,
    reference_id_column: str | None = None,
    reference_caption_column: str | None = None,
    **options: Unpack[Options],
) -> Record:
    """How good is one submission, and which captions hurt?

    ``unpaired`` compares the two sets as wholes, for references of other images; ``exact`` keeps sums only, the same to the bit in any
    order (docs/machines.md); ``worst`` keeps that many of the captions that hurt
    most; ``per_caption`` is a file (.csv, .parquet, .jsonl) for one row per image.

    :raises InvalidSubmission: captions that can not be scored, with all findings.
    """
    call = _Call(options, ["encoding", "reading", "measuring", "keeping"])
    with Files() as files:
        return call.run(
            "score",
            files,
            submission=files.path(submission, "submission"),
            references=_references(files, references, reference_id_column, reference_caption_column),
            unpaired=unpaired,
            exact=exact,
            worst=worst,
            hide_references=hide_references,
            per_caption=per_caption,
            images=images,
            image_root=image_root,
        )


def compare(
    systems: Mapping[str, Captions] | Sequence[StrPath],
    references: Captions | None = None,
    *,
    images: Images | None = None,
    image_root: StrPath | None = None,
    work: StrPath | None = None,
    gate: Sequence[str] = (),
    contrasts: int = 10,
    replicates: int = 1000,
    against_first: bool = False,
    hide_references: bool = False,
    captioning: Mapping[str, Any] | None = None,
    choosing: Mapping[str, Any] | None = None,
    reference_id_column: str | None = None,
    reference_caption_column: str | None = None,
    **options: Unpack[Options],
) -> Record:
    """Do systems differ on the same images, and where?

    ``systems`` by name, the baseline first: captions, embeddings, moments, records (.json) or checkpoints. ``gate`` are conditions
    such as ``fgd_paired<=base+0.002``; whether they hold is in ``record.results.gates``.
    """
    call = _Call(options, ["encoding", "reading", "measuring", "keeping"])
    with Files() as files:
        return call.run(
            "compare",
            files,
            systems=files.named(systems),
            references=_references(files, references, reference_id_column, reference_caption_column),
            images=images,
            image_root=image_root,
            work=work,
            gate=[gate] if isinstance(gate, str) else list(gate),
            contrasts=contrasts,
            replicates=replicates,
            against_first=against_first,
            hide_references=hide_references,
            captioning=captioning,
            choosing=choosing,
        )


def leaderboard(
    submissions: Mapping[str, Captions] | Sequence[StrPath],
    references: Captions,
    *,
    unpaired: bool = False,
    exact: bool = False,
    split: str | None = None,
    public_only: bool = False,
    images: Images | None = None,
    image_root: StrPath | None = None,
    reference_id_column: str | None = None,
    reference_caption_column: str | None = None,
    **options: Unpack[Options],
) -> Record:
    """Who is first, and which ranks do the differences leave open? ``split`` is ``public=SHARE`` or a column.

    ``exact`` keeps sums only, as in :func:`score`.
    """
    call = _Call(options, ["encoding", "reading", "measuring", "keeping"])
    with Files() as files:
        return call.run(
            "leaderboard",
            files,
            submissions=files.named(submissions),
            references=_references(files, references, reference_id_column, reference_caption_column),
            unpaired=unpaired,
            exact=exact,
            split=split,
            public_only=public_only,
            images=images,
            image_root=image_root,
        )


def validate(
    submission: Captions, template: Captions | None = None, *, role: str = "submission", **options: Unpack[Reading]
) -> Document:
    """Is a submission fit to be scored? ``valid``, and every problem at once in ``findings``.

    :raises InvalidSubmission: out of the file nothing can be read at all.
    """
    call = _Call(options, ["reading"])
    with Files() as files:
        request = {
            "submission": files.path(submission, "submission"),
            "template": None if template is None else files.path(template, "template"),
            "role": role,
            **call.request,
        }
        return Document(json.loads(files.shown(_native.validate(json.dumps(request)))))


def agreement(
    judgements: Captions,
    references: Captions,
    *,
    rating: Sequence[str] = (),
    replicates: int = 1000,
    reference_id_column: str | None = None,
    reference_caption_column: str | None = None,
    **options: Unpack[Options],
) -> Record:
    """Do metrics agree with people? ``rating`` names the columns of the judgements, higher is better."""
    call = _Call(options, ["encoding", "reading", "measuring"])
    with Files() as files:
        return call.run(
            "agreement",
            files,
            judgements=files.path(judgements, "judgements"),
            references=_references(files, references, reference_id_column, reference_caption_column),
            rating=[rating] if isinstance(rating, str) else list(rating),
            replicates=replicates,
        )


def caption(
    checkpoint: StrPath,
    images: Images,
    output: StrPath,
    *,
    adapter: StrPath | None = None,
    image_root: StrPath | None = None,
    shard: str | None = None,
    captioning: Mapping[str, Any] | None = None,
    choosing: Mapping[str, Any] | None = None,
    samples_file: StrPath | None = None,
    device: str | None = None,
    **options: Unpack[Embedding],
) -> Record:
    """Captions images with a BLIP-2 checkpoint into the file ``output``; a run that was ended goes on where it was.

    ``shard="1/8"`` takes a part of the images; ``fgd merge-captions`` joins the parts.
    ``captioning`` has ``prompt``, ``generation`` (``num_beams``, ``max_new_tokens``, …), ``dtype``, ``batch_size``, ``on_error``,
    ``features_cache`` and ``restart``. ``device`` is the captioner's: ``cpu``, or ``cuda:N``.
    """
    call = _Call(options, ["encoding"])
    return call.run(
        "caption",
        Files(),
        checkpoint=os.fspath(checkpoint),
        images=images,
        output=output,
        adapter=adapter,
        image_root=image_root,
        shard=shard,
        captioning=captioning,
        choosing=choosing,
        samples_file=samples_file,
        device=device,
    )


def select(
    systems: Mapping[str, Captions] | Sequence[StrPath],
    output: StrPath,
    *,
    references: Captions | None = None,
    choosing: Mapping[str, Any] | None = None,
    unpaired: bool = False,
    judge: str | None = None,
    replicates: int = 1000,
    yes_this_is_an_oracle: bool = False,
    reference_id_column: str | None = None,
    reference_caption_column: str | None = None,
    **options: Unpack[Options],
) -> Record:
    """Chooses one of several captions of each image by meaning and writes them to ``output``.

    ``choosing`` has the rule, ``by``, and the ``metric`` of a medoid. With references the record says what the choice is worth.
    """
    call = _Call(options, ["encoding", "reading", "measuring"])
    with Files() as files:
        return call.run(
            "select",
            files,
            systems=files.named(systems),
            output=output,
            references=_references(files, references, reference_id_column, reference_caption_column),
            choosing=choosing,
            unpaired=unpaired,
            judge=judge,
            replicates=replicates,
            yes_this_is_an_oracle=yes_this_is_an_oracle,
        )


#: Choosing among the captions of several systems is the same job.
ensemble = select


def features(
    checkpoint: StrPath,
    images: Images,
    output: StrPath,
    *,
    image_root: StrPath | None = None,
    dtype: str = "f32",
    batch_size: int = 8,
    on_error: str = "fail",
    device: str = "cpu",
    **options: Unpack[Running],
) -> Document:
    """What the frozen part of a checkpoint sees in images, once, into the folder ``output``: where `train` begins.

    Answers how many ``images`` have features now, how many were ``known`` before, and which are ``broken``, with the reason.
    """
    call = _Call(options, [])
    request = {
        "checkpoint": os.fspath(checkpoint),
        "images": images,
        "image_root": image_root,
        "output": output,
        "dtype": dtype,
        "batch_size": batch_size,
        "on_error": on_error,
        "device": device,
    }
    return Document(json.loads(call.session.features(json.dumps(request, default=os.fspath), call.listener)))


def curate(
    captions: Captions,
    output: StrPath,
    *,
    synthetic: Mapping[str, Captions] | Sequence[StrPath] = (),
    validation: Captions | None = None,
    features: StrPath | None = None,
    beside: Captions | None = None,
    drop_percent: float = 5.0,
    max_synthetic: float = 1.0,
    dropped: StrPath | None = None,
    **options: Unpack[Comparing],
) -> Record:
    """Chooses what to train on and writes it to ``output``: columns ``image_id``, ``caption`` and ``source``.

    ``beside`` are a model's captions of the images: the ``drop_percent`` least like them go. ``dropped`` lists what goes, and why.
    """
    call = _Call(options, ["encoding", "reading"])
    with Files() as files:
        return call.run(
            "curate",
            files,
            captions=files.path(captions, "captions"),
            synthetic=[file["path"] for file in files.named(synthetic)],
            validation=None if validation is None else files.path(validation, "validation"),
            features=features,
            beside=None if beside is None else files.path(beside, "beside"),
            drop_percent=drop_percent,
            max_synthetic=max_synthetic,
            output=output,
            dropped=dropped,
        )


def train(
    checkpoint: StrPath,
    features: StrPath,
    captions: Captions,
    output: StrPath,
    *,
    validation: Captions | None = None,
    adapter: StrPath | None = None,
    prompt: str | None = None,
    lenient: bool = False,
    dtype: str | None = None,
    device: str | None = None,
    learning: Mapping[str, Any] | None = None,
    order: Mapping[str, Any] | None = None,
    objective: str | None = None,
    scst: Mapping[str, Any] | None = None,
    distill: Mapping[str, Any] | None = None,
    watching: Mapping[str, Any] | None = None,
    tracking: Mapping[str, Any] | None = None,
    **options: Unpack[Reading],
) -> Record:
    """Fine-tunes a checkpoint with LoRA on what `features` made; a run that was ended goes on to the bit.

    ``learning``, ``order``, ``scst`` and ``distill`` (for these values of ``objective``), ``watching`` and ``tracking`` are the groups of
    the request, as the presets that ``fgd train init`` writes have them (docs/training.md).
    """
    call = _Call(options, ["reading"])
    with Files() as files:
        return call.run(
            "train",
            files,
            checkpoint=os.fspath(checkpoint),
            features=features,
            captions=files.path(captions, "captions"),
            output=output,
            validation=None if validation is None else files.path(validation, "validation"),
            adapter=adapter,
            prompt=prompt,
            lenient=lenient,
            dtype=dtype,
            device=device,
            learning=learning,
            order=order,
            objective=objective,
            scst=scst,
            distill=distill,
            watching=watching,
            tracking=tracking,
        )


def bench(target: str, *, threads: int | None = None, progress: bool | None = None, **request: Any) -> Record:
    """How fast is the ``encoder``, the ``captioner`` or a whole ``score``? ``request`` has the fields of its request."""
    return job({"job": "bench", "target": target, **request}, threads=threads, progress=progress)


def nightly(suite: StrPath, *, fresh: bool = False) -> Record:
    """Runs a suite's night beside its history; one that was ended goes on. Steps are processes, and so is the night.

    :raises UsageError: a suite that makes no sense.
    """
    with Files() as files:
        place = files.place("night.json")
        command = [sys.executable, "-P", "-m", "pyfgd", "nightly", "run", os.fspath(suite), "--output", str(place)]
        night = subprocess.run([*command, *(["--fresh"] if fresh else [])], stderr=subprocess.PIPE, text=True)
        if Path(place).is_file() and place.stat().st_size:
            return Record.load(place)
    said = night.stderr.strip().removeprefix("error: ") or f"the night ended with {night.returncode}"
    raise (UsageError if night.returncode == 2 else FgdError)(said)
