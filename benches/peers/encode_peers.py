"""Encodes the captions of a text file with the engines that Python users have, and prints their speed as JSON.

    python benches/peers/encode_peers.py ENCODER_DIR CAPTIONS.txt [THREADS] [ROUNDS] [OURS] [INT8]

Needs torch, sentence-transformers, onnx, onnxruntime, openvino (int8: nncf). Tokenisation is not counted; captions are
sorted by length and batched by a budget of padded tokens, the best of several budgets counts for each engine. Engines
take turns for ROUNDS rounds after the choice of the budget, and the last lines give medians. OURS is the path of the
built example `encode_speed`, which then takes its turn in every round; INT8 = 1 adds the integer engines:
their 8 bits, our 12.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

directory, file = sys.argv[1:3]
threads = int(sys.argv[3]) if len(sys.argv) > 3 else 2
rounds = int(sys.argv[4]) if len(sys.argv) > 4 else 5
ours = sys.argv[5] if len(sys.argv) > 5 else ""
int8 = len(sys.argv) > 6 and sys.argv[6] == "1"
os.environ["OMP_NUM_THREADS"] = str(threads)
warnings.filterwarnings("ignore")

import numpy as np  # noqa: E402
import torch  # noqa: E402
from sentence_transformers import SentenceTransformer  # noqa: E402
from transformers import AutoTokenizer, BertModel  # noqa: E402

torch.set_num_threads(threads)
BUDGETS = [512, 1024, 2048, 4096]
captions = Path(file).read_text(encoding="utf-8").splitlines()
tokenizer = AutoTokenizer.from_pretrained(directory)
ids = sorted(tokenizer(captions, truncation=True, max_length=512)["input_ids"], key=len, reverse=True)


def batches(budget: int) -> list:
    """Sorted captions, padded to the longest of their batch, at most `budget` padded tokens each."""
    out, start = [], 0
    while start < len(ids):
        size = max(1, budget // len(ids[start]))
        part, width = ids[start : start + size], len(ids[start])
        tokens = np.zeros((len(part), width), dtype=np.int64)
        mask = np.zeros_like(tokens)
        for row, caption in enumerate(part):
            tokens[row, : len(caption)] = caption
            mask[row, : len(caption)] = 1
        out.append((tokens, mask))
        start += size
    return out


class MeanPooled(torch.nn.Module):
    """BERT, mean over the mask, unit length: what the exported graphs compute."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask):
        states = self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        weights = attention_mask.unsqueeze(-1).to(states.dtype)
        mean = (states * weights).sum(1) / weights.sum(1)
        return torch.nn.functional.normalize(mean, dim=1)


def engines(scratch: Path) -> dict:
    """Name → function of (tokens, mask)."""
    import onnxruntime
    import openvino

    torch_model = SentenceTransformer(directory, device="cpu", model_kwargs={"dtype": torch.float32})
    bert = BertModel.from_pretrained(directory, dtype=torch.float32, attn_implementation="eager").eval()
    path = str(scratch / "model.onnx")
    example = (torch.ones(2, 8, dtype=torch.int64), torch.ones(2, 8, dtype=torch.int64))
    axes = {name: {0: "batch", 1: "tokens"} for name in ("input_ids", "attention_mask")}
    torch.onnx.export(
        MeanPooled(bert), example, path, input_names=list(axes), output_names=["embedding"],
        dynamic_axes={**axes, "embedding": {0: "batch"}}, opset_version=17, dynamo=False,
    )

    def by_torch(tokens, mask):
        with torch.inference_mode():
            torch_model({"input_ids": torch.from_numpy(tokens), "attention_mask": torch.from_numpy(mask)})

    def by_onnx(model: str):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        return lambda tokens, mask: session.run(None, {"input_ids": tokens, "attention_mask": mask})

    core = openvino.Core()
    settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "THROUGHPUT"}

    def by_openvino(model):
        compiled = core.compile_model(model, "CPU", settings)
        streams = int(compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        queue = openvino.AsyncInferQueue(compiled, streams)
        return lambda tokens, mask: queue.start_async({"input_ids": tokens, "attention_mask": mask}), queue.wait_all

    out = {"torch": by_torch, "onnxruntime": by_onnx(path), "openvino": by_openvino(core.read_model(path))}
    if int8:
        from onnxruntime.quantization import QuantType, quantize_dynamic

        small = str(scratch / "model-int8.onnx")
        quantize_dynamic(path, small, weight_type=QuantType.QInt8, per_channel=True)
        out["onnxruntime-int8"] = by_onnx(small)
        import nncf

        sample = nncf.Dataset(batches(2048)[::10], lambda pair: {"input_ids": pair[0], "attention_mask": pair[1]})
        quantized = nncf.quantize(core.read_model(path), sample, model_type=nncf.ModelType.TRANSFORMER)
        out["openvino-int8"] = by_openvino(quantized)
    return out


def once(engine, budget: int) -> dict:
    """One pass over all captions."""
    run, finish = engine if isinstance(engine, tuple) else (engine, lambda: None)
    work = batches(budget)
    wall, cpu = time.perf_counter(), time.process_time()
    for tokens, mask in work:
        run(tokens, mask)
    finish()
    seconds = time.perf_counter() - wall
    return {"seconds": seconds, "cpu_seconds": time.process_time() - cpu, "captions_per_second": len(ids) / seconds}


def our_turn(name: str) -> dict:
    answer = subprocess.run(
        [ours, directory, file, str(threads), "1", name], check=True, capture_output=True, text=True
    ).stdout
    return json.loads(answer)


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        rivals = engines(Path(scratch))
        best = {name: min(BUDGETS, key=lambda b: once(engine, b)["seconds"]) for name, engine in rivals.items()}
        results: dict = {}
        for _ in range(rounds):
            turns = [(name, lambda e=engine, n=name: once(e, best[n])) for name, engine in rivals.items()]
            if ours:
                turns += [(f"fgd-{name}", lambda n=name: our_turn(n)) for name in ["packed", *(["int12"] if int8 else [])]]
            for name, turn in turns:
                answer = {"engine": name, "threads": threads, "captions": len(ids), "budget": best.get(name), **turn()}
                results.setdefault(name, []).append(answer)
                print(json.dumps(answer), flush=True)
        for name, answers in results.items():
            medians = {
                key: statistics.median(answer[key] for answer in answers)
                for key in ("seconds", "cpu_seconds", "captions_per_second")
            }
            print(json.dumps({"median": name, "rounds": rounds, **medians}), flush=True)


if __name__ == "__main__":
    main()
