"""Every job as a function: what goes in, what comes out, and that it is what the command says."""

import csv
import json
import pickle
import shutil
import subprocess
import sys
import tomllib

import numpy
import pytest

import pyfgd


def same_numbers(record, text):
    other = json.loads(text)
    assert record.to_dict()["results"] == other["results"]
    assert record.comparability.key == other["comparability"]["key"]


def test_a_score_is_the_commands_to_the_bit(captions, encoder, command):
    record = pyfgd.score(captions / "good.csv", references=captions / "references.csv", encoder=encoder, worst=3)
    done = command(
        "score", captions / "good.csv", "--references", captions / "references.csv", "--encoder", encoder, "--worst", "3",
        "--format", "json",
    )
    same_numbers(record, done.stdout)
    assert str(record).splitlines()[0] == "good against references"
    assert record.fgd_paired.value == record.results.fgd_paired.value == record["results"]["fgd_paired"]["value"]


def rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_everything_that_holds_captions_gives_the_same_number(captions, encoder):
    good = {row["image_id"]: row["caption"] for row in rows(captions / "good.csv")}
    references = {}
    for row in rows(captions / "references.csv"):
        references.setdefault(row["image_id"], []).append(row["caption"])
    wanted = pyfgd.score(captions / "good.csv", captions / "references.csv", encoder=encoder).results
    table = [{"image_id": name, "caption": caption} for name, caption in good.items()]
    shapes = [good, table, iter(table)]
    tables = {"pandas": lambda m: m.DataFrame(table), "polars": lambda m: m.DataFrame(table), "pyarrow": lambda m: m.Table.from_pylist(table)}
    shapes += [make(__import__(library)) for library, make in tables.items() if _there(library)]
    for shape in shapes:
        assert pyfgd.score(shape, references, encoder=encoder).results == wanted
    in_order = [good[name] for name in references]
    columns = [in_order, numpy.array(in_order), numpy.array(in_order, dtype=object)]
    series = {"pandas": "Series", "polars": "Series", "pyarrow": "array"}
    columns += [getattr(__import__(library), kind)(in_order) for library, kind in series.items() if _there(library)]
    for column in columns:
        assert pyfgd.score(column, list(references.values()), encoder=encoder).fgd_paired == wanted.fgd_paired
    assert pyfgd.score(good, {name: set(of) for name, of in references.items()}, encoder=encoder).fgd_paired == wanted.fgd_paired


def _there(library):
    import importlib.util

    return importlib.util.find_spec(library) is not None


def test_embeddings_and_moments_stand_for_captions(encoder):
    random = numpy.random.default_rng(0)
    a, b = random.normal(size=(2, 50, 8)).astype(numpy.float32)
    record = pyfgd.score(a, b)
    assert record.fgd_paired.value == pytest.approx(pyfgd.paired_distance(a, b).value, rel=1e-12)
    moments = []
    for rows in (a, b):
        moments.append(pyfgd.Moments(8))
        moments[-1].update(rows)
    assert pyfgd.score(*moments).fgd_set.value == pytest.approx(moments[0].distance(moments[1]), rel=1e-9)


def test_embeddings_lie_as_they_like():
    a, b = numpy.random.default_rng(0).normal(size=(2, 50, 8)).astype(numpy.float16)
    wanted = pyfgd.score(a.astype("f4"), b.astype("f4")).fgd_paired.value
    shapes = [a, a.astype(">f4"), numpy.asfortranarray(a, "f4"), a.astype("f8")[::-1][::-1], a.astype(numpy.longdouble)]
    if _there("torch"):
        torch = __import__("torch")
        shapes += [torch.tensor(a), torch.tensor(a.T).float().T.requires_grad_(), torch.tensor(a).double()]
        assert pyfgd.score(torch.tensor(a).bfloat16(), b).fgd_paired.value == pytest.approx(wanted, rel=0.01)
    for shape in shapes:
        assert pyfgd.score(shape, b).fgd_paired.value == wanted
    for other in (numpy.ones((50, 8), int), a[0], numpy.ones((50, 8), bool), numpy.array([b"a dog"])):
        with pytest.raises(pyfgd.UsageError, match="neither captions nor embeddings"):
            pyfgd.score(other, b)
    with pytest.raises(pyfgd.UsageError, match="masked"):
        pyfgd.score(numpy.ma.masked_invalid(a), b)


def test_an_encoder_stays_loaded_and_gives_the_same(captions, encoder):
    kept = pyfgd.Encoder(encoder, cache=False)
    first = pyfgd.score(captions / "good.csv", captions / "references.csv", encoder=kept)
    second = pyfgd.score(captions / "good.csv", captions / "references.csv", encoder=kept)
    assert first.results == second.results
    with pytest.raises(pyfgd.UsageError, match="its own engine"):
        pyfgd.score(captions / "good.csv", captions / "references.csv", encoder=kept, engine="int12")


def test_compare_and_leaderboard_take_systems_by_name(captions, encoder):
    systems = {"good": captions / "good.csv", "poor": captions / "poor.csv"}
    compared = pyfgd.compare(systems, captions / "references.csv", encoder=encoder, gate="fgd_paired<=good")
    assert [system.name for system in compared.results.systems] == ["good", "poor"]
    assert [gate.passed for gate in compared.gates] == [False]
    board = pyfgd.leaderboard(systems, captions / "references.csv", encoder=encoder)
    assert [standing.name for standing in board.standings] == ["good", "poor"]


def test_systems_are_called_as_the_command_calls_them(place, captions, encoder, command):
    for file in ("good.csv", "a/good.csv", "b.d/good.csv", "c/poor.csv", "c/LAST.CSV", "c/.hidden.csv", "c/x.record.json", "c/notes.txt"):
        (place / file).parent.mkdir(exist_ok=True)
        shutil.copy(captions / ("poor.csv" if "poor" in file else "good.csv"), place / file)
    shutil.copy(captions / "references.csv", place / "c")
    given = ["a/good.csv", "b.d/good.csv", "c"]
    done = command("leaderboard", *given, "--references", "c/references.csv", "--encoder", encoder, "--format", "json")
    board = pyfgd.leaderboard(given, "c/references.csv", encoder=encoder)
    same_numbers(board, done.stdout)
    assert {standing.name for standing in board.standings} == {"a/good.csv", "b.d/good.csv", "poor", "LAST"}
    (place / "empty").mkdir()
    with pytest.raises(pyfgd.UsageError, match="holds no caption file"):
        pyfgd.leaderboard("empty", "c/references.csv", encoder=encoder)
    for systems in (["good.csv", "good.csv"], {1: "good.csv", "1": "a/good.csv"}):
        with pytest.raises(pyfgd.UsageError, match="two systems are called"):
            pyfgd.compare(systems, "c/references.csv", encoder=encoder)
    with pytest.raises(pyfgd.UsageError, match="by name"):
        pyfgd.compare([["a dog"], ["a cat"]], ["a dog"], encoder=encoder)
    long = pyfgd.compare({"ä" * 300: ["a dog", "a cat"], "a/b\0": ["a cat", "a dog"]}, ["a dog", "a dog"], encoder=encoder)
    assert [system.name for system in long.systems] == ["ä" * 300, "a/b\0"]


def test_settings_are_numbers_of_numpy_and_sets_too(captions, encoder):
    plain = {"seed": 3, "population": 500, "metrics": ["bleu", "cider"], "worst": 1}
    other = {"seed": numpy.int64(3), "population": numpy.uint16(500), "metrics": {"cider", "bleu"}, "worst": numpy.int8(1)}
    wanted, found = (pyfgd.score(captions / "good.csv", captions / "references.csv", encoder=encoder, **one) for one in (plain, other))
    assert found.results == wanted.results and found.settings == wanted.settings
    with pytest.raises(pyfgd.UsageError, match="not JSON"):
        pyfgd.score(captions / "good.csv", captions / "references.csv", population=float("nan"))
    with pytest.raises(pyfgd.UsageError, match="is no setting"):
        pyfgd.score(captions / "good.csv", captions / "references.csv", seed=object())


def test_keywords_are_the_flags(captions, encoder, place, command):
    judged = [{"image_id": at, "caption": text, "rating": rating} for at, text, rating in
              [(1, "a dog", 3), (1, "a cat", 1), (2, "a red bus", 2), (2, "a bird", 1), (3, "a tree", 3), (3, "snow", 1)]]
    references = {1: ["a dog", "a dog runs"], 2: ["a bus"], 3: ["a tall tree"]}
    settings = {"rating": {"rating"}, "encoder": encoder, "replicates": 100}
    kept, left = (pyfgd.agreement(judged, references, keep_references=keep, **settings) for keep in (True, False))
    assert kept.results != left.results
    systems = [captions / "good.csv", captions / "poor.csv"]
    chosen = pyfgd.select(systems, place / "chosen.csv", references=captions / "references.csv", encoder=encoder, seed=1)
    command(
        "ensemble", *systems, "-o", "told.csv", "--references", captions / "references.csv", "--encoder", encoder, "--seed", 1,
    )
    assert chosen.results.by == "mbr-weighted" and (place / "chosen.csv").read_text() == (place / "told.csv").read_text()
    assert chosen.settings.metrics == ["cider"]


def test_the_other_jobs_answer_records(captions, encoder, place):
    chosen = pyfgd.ensemble([captions / "good.csv", captions / "poor.csv"], place / "chosen.csv", encoder=encoder)
    assert chosen.kind == "select" and (place / "chosen.csv").is_file()
    speed = pyfgd.bench("encoder", encoding={"encoder": str(encoder)}, load={"scenario": "offline", "min_queries": 2, "duration": 0.1})
    assert speed.kind == "bench"
    assert pyfgd.job({"job": "score", "submission": captions / "good.csv", "references": {"path": captions / "references.csv"},
                      "encoding": {"encoder": str(encoder)}}).kind == "score"


def test_captions_are_made(checkpoint, pictures, place):
    captioning = {"generation": {"max_new_tokens": 4}}
    record = pyfgd.caption(checkpoint, pictures, place / "captions.csv", captioning=captioning)
    assert record.kind == "caption" and (place / "captions.csv").read_text().count("\n") == 3
    half = pyfgd.caption(checkpoint, pictures, place / "half.csv", shard="2/2", captioning=captioning)
    assert half.results.captions == 1
    assert (place / "half.csv").read_text().splitlines()[1] == (place / "captions.csv").read_text().splitlines()[2]


def test_captions_are_curated(place):
    written = [{"image_id": 1, "caption": "a red car in the street"}, {"image_id": 1, "caption": "A red car  in the street"}]
    model = {1: ["the car is red", "a car"], 2: "two people"}
    record = pyfgd.curate(written, place / "train.csv", synthetic={"model": model}, dropped=place / "dropped.csv")
    assert record.kind == "curate" and (record.results.captions, record.results.kept) == (5, 2)
    assert (place / "train.csv").read_text().splitlines()[1:] == ["1,a red car in the street,real", "1,the car is red,synthetic"]
    dropped = (place / "dropped.csv").read_text()
    assert (dropped.count(",repeated,"), dropped.count(",surplus,")) == (1, 2)
    with pytest.raises(pyfgd.UsageError, match="of images that are to be learned"):
        pyfgd.curate(written, place / "train.csv", validation=written[:1])


def test_a_checkpoint_is_trained(checkpoint, pictures, place):
    made = pyfgd.features(checkpoint, pictures, place / "features", batch_size=1)
    assert (made.images, made.known, made.broken) == (2, 0, [])
    (pictures / "broken.png").write_bytes(b"no picture")
    made = pyfgd.features(checkpoint, pictures, place / "features", on_error="skip")
    assert made.images == made.known == 2 and made.broken[0][0] == "broken"
    (pictures / "broken.png").unlink()
    learned = {image.stem: "a red car in the street" for image in pictures.iterdir()}
    record = pyfgd.train(
        checkpoint,
        place / "features",
        learned,
        place / "run",
        objective="ce",
        learning={"lora": {"r": 2, "alpha": 2.0}},
        order={"batch_size": 2, "accumulation": 1, "epochs": 2.0},
    )
    assert record.kind == "train" and record.results.steps == 2
    assert (place / "run" / "last" / "adapter_model.safetensors").is_file()
    with pytest.raises(pyfgd.UsageError, match="--select-by"):
        pyfgd.train(checkpoint, place / "features", learned, place / "other", objective="scst")


def test_validate_lists_every_problem(captions):
    found = pyfgd.validate([{"image_id": 7, "caption": ""}, {"image_id": 7, "caption": "a dog"}])
    assert not found.valid and {finding.row for finding in found.findings if finding.severity == "error"} >= {1}
    assert pyfgd.validate(captions / "good.csv", captions / "template.csv").valid


def test_a_night_runs_and_its_steps_are_processes(place, encoder, command):
    command("nightly", "init", place / "suite.toml")
    text = (place / "suite.toml").read_text()
    current = tomllib.loads(text).get("encoder")
    line = f"encoder = {json.dumps(str(encoder))}"
    text = text.replace(f'encoder = "{current}"', line) if current else f"{line}\n{text}"
    (place / "suite.toml").write_text(text)
    record = pyfgd.nightly(place / "suite.toml")
    assert record.kind == "nightly" and record.results.steps
    assert all(step.outcome == "done" for step in record.results.steps), record.results.steps
    with pytest.raises(pyfgd.FgdError, match="none.toml"):
        pyfgd.nightly(place / "none.toml")


def test_a_record_is_kept_shown_and_pickled(captions, encoder, place):
    record = pyfgd.score(captions / "good.csv", captions / "references.csv", encoder=encoder)
    for name in ("r.json", "r.csv", "r.md", "r.html", "r.svg", "r.txt", "site/"):
        shown = record.save(place / name if not name.endswith("/") else f"{place}/{name}")
        assert shown.stat().st_size > 100
    assert pyfgd.Record.load(place / "r.json").to_json() == record.to_json()
    assert pickle.loads(pickle.dumps(record)) == record
    assert pyfgd.report([record], place / "all.html").is_file()
    assert "<iframe" in record._repr_html_() and "&lt;svg" in record._repr_html_()
    assert "fgd\\_paired" in record.to_markdown()
    assert record.n == record.to_dict()["results"]["n"] and "fgd_paired" in dir(record)
    with pytest.raises(pyfgd.UsageError, match="'.doc'"):
        record.save("r.doc")
    with pytest.raises(AttributeError, match="no field nothing"):
        record.nothing
    if _there("pandas"):
        assert "fgd_paired" in set(record.to_pandas()["metric"])


def test_the_command_has_its_manual_and_completions(command, place):
    assert "score" in command("completions", "bash").stdout
    command("man", "--help")
    assert command("--version").stdout.split() == ["fgd", pyfgd.__version__]
    assert "error: " in command("score", "none.csv", "--references", "none.csv", code=1).stderr
    # Threads of two calls in one process: no pool of the whole process is taken.
    twice = "from pyfgd._native import main\nfor _ in range(2): assert main(['fgd', '--threads', '1', 'doctor', '--help']) == 0"
    subprocess.run([sys.executable, "-c", twice], check=True, stdout=subprocess.DEVNULL)


def test_ids_in_the_index_of_a_frame_count(encoder):
    pandas = pytest.importorskip("pandas")
    said = pandas.DataFrame({"image_id": [7, 8, 9], "caption": ["a red bus", "two dogs", "the sea"]})
    wanted = pyfgd.score(said.iloc[::-1], said, encoder=encoder)
    by_index, reversed_rows = said.set_index("image_id"), said.iloc[::-1].set_index("image_id")
    assert wanted.fgd_paired.value == 0.0
    for submission, references in ((reversed_rows, by_index), (reversed_rows.caption, by_index.caption)):
        assert pyfgd.score(submission, references, encoder=encoder).fgd_paired.value == 0.0
    gathered = pyfgd.FGD(encoder)
    with pytest.raises(pyfgd.UsageError, match="other indexes"):
        gathered.update(said.caption, said.caption.iloc[::-1])
    gathered.update(said.caption, said.caption)
    for table in (said, dict(enumerate(said.caption))):
        with pytest.raises(pyfgd.UsageError, match="no list of captions"):
            gathered.update(table, table)
        with pytest.raises(pyfgd.UsageError, match="no list of captions"):
            gathered.encoder.encode(table)
    assert len(gathered) == 3


def test_what_was_added_outlives_a_computation_that_fails(encoder):
    evaluation = pyfgd.load(encoder)
    evaluation.add_batch(predictions=["a dog", "a cat"], references=["a dog", "a cat"])
    with pytest.raises(pyfgd.UsageError, match="always or never"):
        evaluation.compute(predictions=["a bus"], references=["a bus"], ids=[7])
    assert evaluation.compute()["fgd_paired"] == 0.0
    for make in (lambda: pyfgd.load(encoder, metric="cider"), lambda: pyfgd.FGD(encoder, metric="cider")):
        with pytest.raises(pyfgd.UsageError, match="metrics is"):
            make()


def test_tables_keep_names_as_they_are(encoder, tmp_path):
    pytest.importorskip("pandas")
    names = ["001", "NA", "=a"]
    record = pyfgd.compare({name: ["a dog", "a cat", "a bus"] for name in names}, ["a dog", "a cat", "a car"], encoder=encoder)
    table = record.to_pandas()
    assert set(table.system) == set(names) and table.value.dtype == float
    assert len(list(record.results)) == len(dict(record.results)) > 0
    pyfgd.report(record, tmp_path / "one.html")
    with pytest.raises(pyfgd.UsageError, match="no systems"):
        pyfgd.compare({}, ["a dog"], encoder=encoder)
    with pytest.raises(pyfgd.UsageError, match="format says"):
        pyfgd.score(["a dog"], ["a dog"], encoder=encoder, format="csv")


def test_a_place_that_cannot_be_written_is_a_usage_error(encoder):
    model = pyfgd.Encoder(encoder)
    out = numpy.zeros((1, model.dim), numpy.float32)
    frozen = out.copy()
    frozen.flags.writeable = False
    for wrong in (frozen, out.astype(float), out[0]):
        with pytest.raises(pyfgd.UsageError, match="out"):
            model.encode(["a dog"], out=wrong)
    with pytest.raises(pyfgd.UsageError, match="no text"):
        model.encode(["a dog", None])
    for threads in (-1, 10**6):
        with pytest.raises(pyfgd.UsageError, match="threads"):
            pyfgd.Encoder(encoder, threads=threads).encode("a dog")
