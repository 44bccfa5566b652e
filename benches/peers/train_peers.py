"""Trains LoRA factors of a T5 of base size with transformers + peft, in turns with ours, and prints the speeds as JSON lines.

    cargo build --release --bin fgd --example random_blip2
    python benches/peers/train_peers.py DIR --ours target/release/fgd --random target/release/examples/random_blip2

Needs torch, transformers, peft, safetensors, Pillow. The checkpoint in DIR is made once: random weights in f32, flan-t5-base's shape, a
vision tower of nothing. Both train q, k and v with rank 128, batches of 8 without dropout, gradient checkpointing, on the same
captions of 18 to 42 tokens behind 43 rows of the encoder, each caption of an image of its own. Frozen weights are in --dtype, factors
in f32. Speed is label tokens per second of the steps behind the first; memory is what the process held at most beside the weights,
which both hold once.
"""

import argparse
import json
import os
import pathlib
import random
import resource
import subprocess
import sys
import time

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("dir", type=pathlib.Path)
parser.add_argument("--ours", help="the built fgd")
parser.add_argument("--random", help="the built example random_blip2")
parser.add_argument("--threads", type=int, default=os.cpu_count())
parser.add_argument("--steps", type=int, default=4, help="steps that count; one more comes first")
parser.add_argument("--dtype", choices=["f32", "bf16"], default="f32", help="of the frozen weights")
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--turn", choices=["ours", "peft"], help="take one turn of this one only, as round --round")
parser.add_argument("--round", type=int, default=0)
args = parser.parse_args()

BATCH, QUERIES, ROWS, RANK = 8, 32, 43, 128
SHAPE = dict(d_model=768, d_ff=2048, num_layers=12, num_decoder_layers=12, num_heads=12, d_kv=64, vocab_size=32128)
WORDS = "a and blue building car cat child close dog food green holding in man next of on people red sitting sky street table".split()
PROMPT = "provide a detailed caption for this photo of the street"


def lengths(steps: int) -> list[int]:
    """Tokens of each caption with its </s>; those of one batch follow one another."""
    draw = random.Random(1)
    return [draw.randint(18, 42) for _ in range(BATCH * steps)]


def prepare(dir: pathlib.Path) -> None:
    import torch
    from PIL import Image
    from safetensors.torch import load_file, save_file

    base = json.loads(pathlib.Path("fixtures/tiny-blip2/base/config.json").read_text())
    base["num_query_tokens"] = QUERIES
    base["text_config"].update(SHAPE, tie_word_embeddings=False)
    base["text_config"].pop("scale_decoder_outputs", None)
    dir.mkdir(parents=True, exist_ok=True)
    (dir / "shape.json").write_text(json.dumps(base))
    subprocess.run([args.random, dir / "base", "--config", dir / "shape.json"], check=True, stdout=sys.stderr)
    for shard in (dir / "base").glob("*.safetensors"):
        save_file({name: tensor.to(torch.float32) for name, tensor in load_file(shard).items()}, shard)
    (dir / "images").mkdir(exist_ok=True)
    draw, rows = random.Random(2), ["image_id,caption\n"]
    for at, length in enumerate(lengths(args.steps + 1)):
        Image.new("RGB", (8, 8), (at % 256, at // 256, 90)).save(dir / "images" / f"{at}.png")
        rows.append(f"{at},{' '.join(draw.choice(WORDS) for _ in range(length - 1))}\n")
    (dir / "captions.csv").write_text("".join(rows))


def line(engine: str, number: int, rate: float, memory: float) -> None:
    print(json.dumps(dict(job="train", engine=engine, round=number, rate=rate, unit="tokens/s", peak_memory_bytes=memory)), flush=True)


def features() -> pathlib.Path:
    to = args.dir / f"features-{args.dtype}"
    command = [args.ours, "features", "--checkpoint", args.dir / "base", "--images", args.dir / "images", "-o", to, "--dtype", args.dtype]
    if not (to / "images.csv").exists():
        subprocess.run(command, check=True)
    return to


def ours(number: int) -> None:
    run = args.dir / f"run-{os.getpid()}-{number}"
    command = [args.ours, "train", "--checkpoint", args.dir / "base", "--features", features(), "--dtype", args.dtype]
    command += ["--captions", args.dir / "captions.csv", "-o", run, "--threads", str(args.threads), "--lenient", "--prompt", PROMPT]
    command += ["--batch-size", str(BATCH), "--accumulation", "1", "--epochs", "1", "--dropout", "0", "--save-every", "1000"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    lines = [json.loads(text) for text in (run / "metrics.jsonl").read_text().splitlines()][1:]
    tokens = sum(text["train/tokens"] for text in lines)
    seconds = sum(text["train/tokens"] / text["train/tokens_per_second"] for text in lines)
    record = json.loads((run / "record.json").read_text())
    line(f"fgd {args.dtype}", number, tokens / seconds, record["results"]["peak_memory_bytes"] - weights())


def weights() -> int:
    """Bytes of the language model as both hold it."""
    return sum(shard.stat().st_size for shard in (args.dir / "base").glob("*.safetensors")) // (2 if args.dtype == "bf16" else 1)


def peft_turn(number: int) -> None:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import T5Config, T5ForConditionalGeneration

    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    config = T5Config(
        **SHAPE, feed_forward_proj="gated-gelu", dropout_rate=0.0, decoder_start_token_id=0, pad_token_id=0, eos_token_id=1, tie_word_embeddings=False
    )
    # PEFT keeps factors in f32 beside weights in bf16.
    dtype = torch.bfloat16 if args.dtype == "bf16" else torch.float32
    model = T5ForConditionalGeneration(config).to(dtype)
    wrapped = get_peft_model(model, LoraConfig(r=RANK, lora_alpha=RANK, lora_dropout=0.0, target_modules=["q", "k", "v"]))
    wrapped.enable_input_require_grads()
    wrapped.gradient_checkpointing_enable()
    wrapped.train()
    factors = [p for p in wrapped.parameters() if p.requires_grad]
    frozen = sum(p.numel() * p.element_size() for p in wrapped.parameters() if not p.requires_grad)
    optimizer = torch.optim.AdamW(factors, lr=3e-5, weight_decay=0.0)
    all_lengths, tokens, seconds = lengths(args.steps + 1), 0, 0.0
    for step in range(args.steps + 1):
        here = all_lengths[BATCH * step : BATCH * (step + 1)]
        inputs = torch.randn(BATCH, ROWS, SHAPE["d_model"], dtype=dtype)
        labels = torch.randint(3, 32000, (BATCH, max(here)))
        for row, length in enumerate(here):
            labels[row, length:] = -100
        start = time.perf_counter()
        mask = torch.ones(BATCH, ROWS, dtype=torch.long)
        loss = wrapped.get_base_model()(inputs_embeds=inputs.requires_grad_(), attention_mask=mask, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(factors, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if step:
            seconds += time.perf_counter() - start
            tokens += sum(here)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    line(f"torch + peft {args.dtype}", number, tokens / seconds, peak - frozen)


os.environ["OMP_NUM_THREADS"] = str(args.threads)
os.environ["HF_HUB_OFFLINE"] = "1"
if not (args.dir / "captions.csv").exists():
    prepare(args.dir)
if args.turn == "peft":
    peft_turn(args.round)
elif args.turn == "ours":
    ours(args.round)
else:
    for number in range(args.rounds):
        ours(number)
        again = [sys.executable, __file__, args.dir, "--turn", "peft", "--round", str(number)]
        subprocess.run([*again, "--threads", str(args.threads), "--steps", str(args.steps), "--dtype", args.dtype], check=True)
