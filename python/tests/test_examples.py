"""What the examples show works. Libraries that are not installed skip theirs, and script/test says so."""

import json
import multiprocessing
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy
import pytest

import pyfgd

from conftest import FIXTURES

EXAMPLES = FIXTURES.parent / "examples" / "python"
WORDS = ["a dog runs", "two people at a table", "a red bus", "a bird in the snow"]
REFERENCES = [["a dog on a beach"], ["people eat", "a meal"], ["a bus"], ["a bird"]]


def test_the_notebook_runs(encoder, place, monkeypatch):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    pytest.importorskip("pandas")
    monkeypatch.setenv("FGD_ENCODER", str(encoder))
    monkeypatch.setenv("CAPTIONS", str(FIXTURES / "captions"))
    notebook = nbformat.read(EXAMPLES / "captions.ipynb", as_version=4)
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(place)}}).execute()
    shown = [output for cell in notebook.cells for output in cell.get("outputs", []) if "data" in output]
    assert any("<iframe" in output["data"].get("text/html", "") for output in shown)


def test_a_data_set_is_scored(encoder, place):
    pytest.importorskip("datasets")
    rows = [{"prediction": word, "references": of} for word, of in zip(WORDS, REFERENCES)]
    (place / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    script = [sys.executable, EXAMPLES / "datasets_captions.py", "rows.jsonl", "--encoder", encoder]
    environment = {**os.environ, "HF_HOME": str(place / "hf")}
    done = subprocess.run(script, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert "fgd_paired" in done.stdout


def test_load_and_compute(encoder):
    metric = pyfgd.load(encoder)
    wanted = metric.compute(predictions=WORDS, references=REFERENCES)
    for word, of in zip(WORDS[:2], REFERENCES[:2]):
        metric.add(prediction=word, reference=of)
    metric.add_batch(predictions=WORDS[2:], references=REFERENCES[2:])
    assert metric.compute() == wanted and wanted["fgd_paired"] > 0
    assert metric.compute(predictions=WORDS, references=numpy.array(["a dog"] * 4))["fgd_paired"] > 0
    with pytest.raises(pyfgd.UsageError, match="nothing was gathered"):
        metric.compute()


def test_a_metric_of_torchmetrics(encoder):
    pytest.importorskip("torchmetrics")
    from pyfgd.torchmetrics import FrechetGteDistance

    metric = FrechetGteDistance(pyfgd.FGD(encoder))
    metric.update(WORDS[:2], REFERENCES[:2])
    metric.update(WORDS[2:], REFERENCES[2:])
    wanted = pyfgd.load(encoder).compute(predictions=WORDS, references=REFERENCES)
    assert float(metric.compute()["fgd_paired"]) == pytest.approx(wanted["fgd_paired"])
    metric.reset()
    metric.update(WORDS[:1], REFERENCES[:1])
    assert metric.compute()["fgd_paired_low"].isnan()


def test_a_callback_of_the_trainer(encoder, place):
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    pytest.importorskip("accelerate")
    from pyfgd.transformers import FGDCallback

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(1))

        def forward(self, x, labels=None):
            return {"loss": (self.weight * x - 1).square().mean(), "logits": x}

    data = [{"x": torch.ones(1), "labels": torch.ones(1)}] * 2
    arguments = transformers.TrainingArguments(str(place / "run"), report_to=[], use_cpu=True, disable_tqdm=True)
    trainer = transformers.Trainer(Model(), arguments, eval_dataset=data)
    trainer.add_callback(FGDCallback(trainer, lambda model: WORDS, REFERENCES, pyfgd.FGD(encoder)))
    metrics = trainer.evaluate()
    assert 0 <= metrics["eval_fgd_paired_low"] <= metrics["eval_fgd_paired"] <= metrics["eval_fgd_paired_high"]
    assert any("eval_fgd_paired" in entry for entry in trainer.state.log_history)


def process_of_a_run(process, place, encoder, failing, queue):
    from torch import distributed

    from pyfgd.transformers import FGDCallback

    distributed.init_process_group("gloo", init_method=f"file://{place}/meeting", rank=process, world_size=2)

    def describe(model):
        # Only the first process's captions count.
        return WORDS if process == 0 else []

    def fail(model):
        raise RuntimeError("the model is gone")

    logged, metrics = [], {}
    state = SimpleNamespace(is_world_process_zero=process == 0)
    trainer = SimpleNamespace(log=logged.append)
    callback = FGDCallback(trainer, fail if process == failing else describe, REFERENCES, pyfgd.FGD(encoder))
    try:
        callback.on_evaluate(None, state, None, metrics, model=None)
        queue.put((process, metrics, logged))
    except Exception as error:
        queue.put((process, type(error).__name__, str(error)))


@pytest.mark.parametrize("failing", [None, 0, 1])
def test_a_callback_tells_every_process(encoder, place, failing):
    pytest.importorskip("torch"), pytest.importorskip("transformers")
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    processes = [context.Process(target=process_of_a_run, args=(at, place, encoder, failing, queue)) for at in range(2)]
    for process in processes:
        process.start()
    told = sorted(queue.get(timeout=120) for _ in processes)
    for process in processes:
        process.join(120)
    if failing is None:
        wanted = pyfgd.load(encoder).compute(predictions=WORDS, references=REFERENCES)
        for _, metrics, logged in told:
            assert metrics["eval_fgd_paired"] == wanted["fgd_paired"] and logged == [metrics]
    else:
        assert told[failing][1:] == ("RuntimeError", "the model is gone")
        assert told[1 - failing][1] == "FgdError" and f"process {failing} " in told[1 - failing][2]
