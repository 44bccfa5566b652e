"""The jobs that make what is judged, captions and captioners, as functions: the same requests as the command's, the same records."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Unpack

from ._call import Call, Comparing, Embedding, Options, Reading, Running, StrPath, reference_file
from ._data import Captions, Files, Images
from ._documents import Document, Record
from ._request import to_json


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
    call = Call(options, ["encoding"])
    return call.run(
        "caption",
        Files(),
        checkpoint=checkpoint,
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

    ``choosing`` has the rule, ``by``, and the ``metric`` of a medoid. The rule is by default ``mbr``, and of several files with
    references of the same images ``mbr-weighted``. With references the record says what the choice is worth.
    """
    call = Call(options, ["encoding", "reading", "measuring"])
    with Files() as files:
        return call.run(
            "select",
            files,
            systems=files.systems(systems),
            output=output,
            references=reference_file(files, references, reference_id_column, reference_caption_column),
            choosing=dict(choosing) if choosing else None,
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
    call = Call(options, [])
    request = {
        "checkpoint": checkpoint,
        "images": images,
        "image_root": image_root,
        "output": output,
        "dtype": dtype,
        "batch_size": batch_size,
        "on_error": on_error,
        "device": device,
    }
    return Document(json.loads(call.session.features(to_json(request), call.listener)))


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
    call = Call(options, ["encoding", "reading"])
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
    call = Call(options, ["reading"])
    with Files() as files:
        return call.run(
            "train",
            files,
            checkpoint=checkpoint,
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
