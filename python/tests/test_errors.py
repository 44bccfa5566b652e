"""Errors that say where, and progress that is told."""

import pytest

import pyfgd
from pyfgd import _progress


def test_an_invalid_submission_names_file_row_and_id(place, captions, encoder):
    file = place / "broken.csv"
    good = (captions / "good.csv").read_text().splitlines()
    good[3] = good[3].split(",")[0] + ","
    file.write_text("\n".join(good) + "\n")
    with pytest.raises(pyfgd.InvalidSubmission) as caught:
        pyfgd.score(file, captions / "references.csv", encoder=encoder)
    error = caught.value
    assert (error.file, error.row, error.id) == (str(file), 3, good[3].split(",")[0])
    assert "row 3" in str(error) and error.findings[0]["kind"]
    assert isinstance(error, (pyfgd.FgdError, ValueError))


def test_captions_in_memory_are_named_as_the_caller_knows_them(encoder):
    with pytest.raises(pyfgd.InvalidSubmission) as caught:
        pyfgd.score({1: "a dog", 2: ""}, {1: "a dog", 2: "a cat"}, encoder=encoder)
    error = caught.value
    assert (error.file, error.row, error.id) == ("submission.jsonl", 2, "2") and str(error).startswith("submission.jsonl: ")
    record = pyfgd.score({1: "a dog", 2: "two cats"}, {1: "a dog", 2: "a cat"}, encoder=encoder)
    assert [given.path for given in record.inputs] == ["submission.jsonl", "references.jsonl"]


@pytest.mark.parametrize("nothing", [None, "", 5, float("nan"), []])
def test_references_in_memory_are_named_by_row_and_id(encoder, nothing):
    pandas, good = pytest.importorskip("pandas"), {"a": "a dog", "b": "a cat"}
    frame = pandas.DataFrame({"image_id": ["a", "b"], "caption": ["a dog", nothing]})
    for references in ({"a": "a dog", "b": nothing}, frame, frame.set_index("image_id")["caption"], frame.to_dict("records")):
        with pytest.raises(pyfgd.FgdError, match=r"^references.jsonl: .* in row 2, id b\)"):
            pyfgd.score(good, references, encoder=encoder)
    with pytest.raises(pyfgd.FgdError, match=r"row 3, id 1\)"):
        pyfgd.score(["a dog", "a cat"], [["a dog", "dogs"], nothing], encoder=encoder)
    assert pyfgd.validate({"a": "a dog", "b": nothing}, role="references").findings[0].row == 2


def test_data_without_captions_is_named(encoder):
    pandas = pytest.importorskip("pandas")
    for nothing in ([], {}, pandas.DataFrame({"image_id": [], "caption": []})):
        with pytest.raises(pyfgd.UsageError, match=f"^references: this {type(nothing).__name__} is empty"):
            pyfgd.score(["a dog"], nothing, encoder=encoder)


def test_half_of_a_character_is_found(encoder):
    with pytest.raises(pyfgd.InvalidSubmission, match="half of a character") as caught:
        pyfgd.score(["a dog", "a cat \ud83d"], ["a dog", "a cat"], encoder=encoder)
    assert caught.value.row == 2
    with pytest.raises(pyfgd.UsageError, match="half of a character"):
        pyfgd.Encoder(encoder).encode(["a cat \ud83d"])


@pytest.mark.parametrize("data", [b"", b"\x00\x01\x02" * 100, b"PAR1 and then nothing", b'{"images": [', b"\x1f\x8b broken"])
def test_broken_files_are_errors_that_name_them(place, captions, encoder, data):
    (place / "broken").write_bytes(data)
    with pytest.raises(pyfgd.FgdError, match="broken"):
        pyfgd.score(place / "broken", captions / "references.csv", encoder=encoder)


def test_what_makes_no_sense_is_said(captions, encoder):
    good, references = captions / "good.csv", captions / "references.csv"
    with pytest.raises(pyfgd.UsageError, match="but metrics is"):
        pyfgd.score(good, references, metric="cider")
    with pytest.raises(pyfgd.UsageError, match="nosuch"):
        pyfgd.score(good, references, encoder=encoder, metrics="nosuch")
    with pytest.raises(pyfgd.UsageError, match="unknown variant"):
        pyfgd.score(good, references, encoder=encoder, engine="fast")
    with pytest.raises(pyfgd.UsageError, match="at least one thread"):
        pyfgd.Encoder(encoder, threads=0)
    with pytest.raises(pyfgd.UsageError, match="int is nothing that holds captions"):
        pyfgd.score(7, references)
    with pytest.raises(pyfgd.UsageError, match="set is nothing that holds captions"):
        pyfgd.score({"a dog", "a cat"}, references)
    with pytest.raises(pyfgd.UsageError, match="keys must be"):
        pyfgd.score([{("image", "id"): 1}], references)
    with pytest.raises(pyfgd.FgdError, match="none.csv"):
        pyfgd.score("none.csv", references, encoder=encoder)
    with pytest.raises(pyfgd.FgdError):
        pyfgd.Encoder("nowhere").encode(["a dog"])
    with pytest.raises(pyfgd.UsageError, match="not a record"):
        pyfgd.Record("{}")


def test_progress_is_told(encoder, monkeypatch):
    told = []

    class Told(_progress.Lines):
        def begin(self, bar, what, unit, total):
            told.append((what, unit, total))

        def advance(self, bar, count):
            told.append(count)

        def end(self, bar):
            told.append("end")

    monkeypatch.setattr("pyfgd._encoder.listener", lambda _: Told())
    pyfgd.Encoder(encoder, cache=False).encode(["a dog", "a cat", "a dog"])
    assert told[0] == ("embedding", "captions", 3) and told[-1] == "end"
    assert sum(count for count in told if isinstance(count, int)) == 3


def test_a_listener_that_fails_ends_the_job(encoder, monkeypatch):
    class Failing(_progress.Lines):
        def begin(self, bar, what, unit, total):
            raise RuntimeError("the screen is gone")

    monkeypatch.setattr("pyfgd._encoder.listener", lambda _: Failing())
    with pytest.raises(RuntimeError, match="the screen is gone"):
        pyfgd.Encoder(encoder, cache=False).encode(["a dog"])


def test_bars_of_tqdm():
    tqdm = pytest.importorskip("tqdm.auto")
    bars = _progress.Bars(tqdm.tqdm)
    bars.begin(0, "embedding", "captions", 3)
    bars.advance(0, 1)
    bars.set(0, 3, 3)
    bars.end(0)
    bars.say("done")
