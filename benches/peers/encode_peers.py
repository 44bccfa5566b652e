"""Encodes captions with the engines that Python users have, in turns with ours, and prints their speed as JSON lines.

    python benches/peers/encode_peers.py ENCODER_DIR CAPTIONS.txt --ours target/release/examples/encode_speed

Needs torch, sentence-transformers, onnx, onnxruntime, openvino (--integers: nncf). CAPTIONS.txt has one caption per line.
Tokenisation is not counted on either side (but for ours in the row of single captions); captions are sorted by length and
batched by a budget of padded tokens, the best of several budgets counts for each engine. Then one caption after the other. All engines take turns for --rounds rounds after the choice of the budget.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("encoder")
parser.add_argument("captions")
parser.add_argument("--count", type=int, help="encode the first COUNT captions only")
parser.add_argument("--threads", type=int, default=os.cpu_count())
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--ours", help="the built example encode_speed")
parser.add_argument("--integers", action="store_true", help="add the integer engines: their 8 bits, our 12")
args = parser.parse_args()
os.environ["OMP_NUM_THREADS"] = str(args.threads)
os.environ.setdefault("HF_HUB_OFFLINE", "1")
warnings.filterwarnings("ignore")

import numpy as np  # noqa: E402
import torch  # noqa: E402
from sentence_transformers import SentenceTransformer  # noqa: E402
from transformers import AutoTokenizer, BertModel  # noqa: E402

torch.set_num_threads(args.threads)
BUDGETS = [512, 1024, 2048, 4096]
# Captions from which each engine's budget is chosen.
SAMPLE = 256
captions = Path(args.captions).read_text(encoding="utf-8").splitlines()[: args.count]
tokenizer = AutoTokenizer.from_pretrained(args.encoder)
ids = sorted(tokenizer(captions, truncation=True, max_length=512)["input_ids"], key=len, reverse=True)


def batches(budget: int, ids: list) -> list:
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


def engines(scratch: Path) -> tuple[dict, dict]:
    """Name → function of (tokens, mask), or that and one to wait for what it started: for batches, and for single captions."""
    import onnxruntime
    import openvino

    torch_model = SentenceTransformer(args.encoder, device="cpu", model_kwargs={"dtype": torch.float32})
    bert = BertModel.from_pretrained(args.encoder, dtype=torch.float32, attn_implementation="eager").eval()
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
        options.intra_op_num_threads = args.threads
        # Threads that go on spinning would slow down whoever has the next turn.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        return lambda tokens, mask: session.run(None, {"input_ids": tokens, "attention_mask": mask})

    core = openvino.Core()
    settings = {"INFERENCE_NUM_THREADS": args.threads, "INFERENCE_PRECISION_HINT": "f32"}

    def one_by_openvino(model):
        request = core.compile_model(model, "CPU", {**settings, "PERFORMANCE_HINT": "LATENCY"}).create_infer_request()
        return lambda tokens, mask: request.infer({"input_ids": tokens, "attention_mask": mask})

    def by_openvino(model):
        compiled = core.compile_model(model, "CPU", {**settings, "PERFORMANCE_HINT": "THROUGHPUT"})
        streams = int(compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        queue = openvino.AsyncInferQueue(compiled, streams)
        return lambda tokens, mask: queue.start_async({"input_ids": tokens, "attention_mask": mask}), queue.wait_all

    single = {"sentence-transformers": by_torch, "ONNX Runtime": by_onnx(path)}
    out = {**single, "OpenVINO": by_openvino(core.read_model(path))}
    single["OpenVINO"] = one_by_openvino(core.read_model(path))
    if args.integers:
        from onnxruntime.quantization import QuantType, quantize_dynamic

        small = str(scratch / "model-int8.onnx")
        quantize_dynamic(path, small, weight_type=QuantType.QInt8, per_channel=True)
        out["ONNX Runtime int8"] = by_onnx(small)
        import nncf

        sample = nncf.Dataset(batches(2048, ids)[::10], lambda pair: {"input_ids": pair[0], "attention_mask": pair[1]})
        quantized = nncf.quantize(core.read_model(path), sample, model_type=nncf.ModelType.TRANSFORMER)
        out["OpenVINO int8"] = by_openvino(quantized)
    return out, single


def once(engine, budget: int, ids: list) -> float:
    """Seconds of one pass."""
    run, finish = engine if isinstance(engine, tuple) else (engine, lambda: None)
    work = batches(budget, ids)
    start = time.perf_counter()
    for tokens, mask in work:
        run(tokens, mask)
    finish()
    return time.perf_counter() - start


def alone(run, ids: list) -> dict:
    """Median and 99th percentile of the seconds of one caption."""
    seconds = []
    for caption in ids:
        [(tokens, mask)] = batches(1, [caption])
        start = time.perf_counter()
        run(tokens, mask)
        seconds.append(time.perf_counter() - start)
    return {"p50": float(np.percentile(seconds, 50)), "p99": float(np.percentile(seconds, 99))}


def our_turn(file: str, name: str) -> dict:
    """Seconds, and the share of the multiply-add rate that the same process measured just before."""
    command = [args.ours, args.encoder, file, str(args.threads), "1", name]
    answer = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return {key: answer[key] for key in ("seconds", "gflops", "fma_peak", "share_of_peak", "p50", "p99")}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        file = scratch / "captions.txt"
        file.write_text("\n".join(captions), encoding="utf-8")
        # Some of them chat on stdout, where our lines go.
        with contextlib.redirect_stdout(sys.stderr):
            rivals, single = engines(scratch)
        spread = ids[:: max(1, len(ids) // SAMPLE)]
        best = {name: min(BUDGETS, key=lambda b: once(engine, b, spread)) for name, engine in rivals.items()}
        turns = [
            (name, lambda e=engine, n=name: {"seconds": once(e, best[n], ids)}) for name, engine in rivals.items()
        ]
        if args.ours:
            names = ["packed", "int12"] if args.integers else ["packed"]
            turns += [(f"fgd, {name}", lambda n=name: our_turn(str(file), n)) for name in names]
        for number in range(args.rounds):
            for name, turn in turns:
                answer = turn()
                line = {
                    **answer, "job": "encode captions", "engine": name, "round": number, "unit": "captions/s",
                    "rate": len(ids) / answer["seconds"], "threads": args.threads, "captions": len(ids),
                    "budget": best.get(name),
                }
                print(json.dumps(line), flush=True)
                if name in single or "p50" in answer:
                    answer = answer if "p50" in answer else alone(single[name], spread)
                    line = {
                        "job": "encode one caption", "engine": name, "round": number, "unit": "1/s", "rate": 1 / answer["p50"],
                        "p99": answer["p99"], "threads": args.threads,
                    }
                    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
