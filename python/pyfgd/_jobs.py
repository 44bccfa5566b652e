"""The jobs that judge, as functions: the same requests as the command's, the same records."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack

from . import _native
from ._call import Call, Options, Reading, StrPath, reference_file
from ._data import Captions, Files, Images, with_folders
from ._documents import Document, Record
from ._errors import FgdError, UsageError
from ._progress import listener
from ._request import several, to_json


def job(request: Mapping[str, Any], *, threads: int | None = None, progress: bool | None = None) -> Record:
    """Any job from plain data, as ``fgd job`` takes it: ``{"job": "score", "submission": …}``."""
    session = _native.Session(threads)
    return Record(session.run(to_json(request), listener(progress)))


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
    call = Call(options, ["encoding", "reading", "measuring", "keeping"])
    with Files() as files:
        return call.run(
            "score",
            files,
            submission=files.path(submission, "submission"),
            references=reference_file(files, references, reference_id_column, reference_caption_column),
            unpaired=unpaired,
            exact=exact,
            worst=worst,
            hide_references=hide_references,
            per_caption=per_caption,
            images=images,
            image_root=image_root,
        )


def compare(
    systems: Mapping[str, Captions] | StrPath | Sequence[StrPath],
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
    call = Call(options, ["encoding", "reading", "measuring", "keeping"])
    with Files() as files:
        return call.run(
            "compare",
            files,
            systems=files.systems(systems),
            references=reference_file(files, references, reference_id_column, reference_caption_column),
            images=images,
            image_root=image_root,
            work=work,
            gate=several(gate),
            contrasts=contrasts,
            replicates=replicates,
            against_first=against_first,
            hide_references=hide_references,
            captioning=captioning,
            choosing=choosing,
        )


def leaderboard(
    submissions: Mapping[str, Captions] | StrPath | Sequence[StrPath],
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

    ``submissions`` by name, or paths, of which a folder stands for the files in it. ``public_only`` shows the public part of the
    split alone; without it the record is the whole, which is the command's ``--private-record``. ``exact`` keeps sums only, as in
    :func:`score`.
    """
    call = Call(options, ["encoding", "reading", "measuring", "keeping"])
    with Files() as files:
        return call.run(
            "leaderboard",
            files,
            submissions=files.systems(with_folders(submissions, references)),
            references=reference_file(files, references, reference_id_column, reference_caption_column),
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
    call = Call(options, ["reading"])
    with Files() as files:
        request = {
            "submission": files.path(submission, "submission"),
            "template": None if template is None else files.path(template, "template"),
            "role": role,
            **call.request,
        }
        return Document(json.loads(files.shown(_native.validate(to_json(request)))))


def agreement(
    judgements: Captions,
    references: Captions,
    *,
    rating: Sequence[str] = (),
    keep_references: bool = False,
    replicates: int = 1000,
    reference_id_column: str | None = None,
    reference_caption_column: str | None = None,
    **options: Unpack[Options],
) -> Record:
    """Do metrics agree with people? ``rating`` names the columns of the judgements, higher is better.

    A judged caption that is itself a reference of its image is left out, unless ``keep_references``.
    """
    call = Call(options, ["encoding", "reading", "measuring"])
    with Files() as files:
        return call.run(
            "agreement",
            files,
            judgements=files.path(judgements, "judgements"),
            references=reference_file(files, references, reference_id_column, reference_caption_column),
            rating=several(rating),
            keep_references=keep_references,
            replicates=replicates,
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
