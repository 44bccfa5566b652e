"""Captions images with transformers, in turns with ours, and prints the speeds as JSON lines.

    cargo run --release --example random_blip2 -- /data/random-blip2
    python benches/peers/caption_peers.py /data/random-blip2 IMAGES --ours target/release/fgd

Needs torch, transformers, Pillow. One batch of the images in IMAGES, so many forced tokens, greedy, from the files to the
texts; loading is not counted. Both are loaded at once unless --fresh loads transformers anew for each of its turns: the
checkpoint of full size takes 16 GB in f32. Ours takes a turn in each of the precisions of --ours-dtypes.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from functools import partial


def fastest_dtype(device: str) -> str:
    """bf16 where there are instructions for it: on a GPU, and on processors with AVX512-BF16 or AMX."""
    flags = open("/proc/cpuinfo").read().split() if device == "cpu" and os.path.exists("/proc/cpuinfo") else []
    return "bfloat16" if device != "cpu" or {"avx512_bf16", "amx_bf16"} & set(flags) else "float32"


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("checkpoint")
parser.add_argument("images")
parser.add_argument("--dtype", choices=["float32", "bfloat16"], help="of transformers; by default what is fastest here")
parser.add_argument("--ours-dtypes", default="f32,bf16,q8", help="precisions of ours, separated by commas")
parser.add_argument("--device", default="cpu")
parser.add_argument("--threads", type=int, default=os.cpu_count())
parser.add_argument("--tokens", type=int, default=30)
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--prompt", default="Provide a detailed caption for this photo.")
parser.add_argument("--ours", help="the built fgd")
parser.add_argument("--fresh", action="store_true", help="load transformers for each turn, in a process of its own")
args = parser.parse_args()
args.dtype = args.dtype or fastest_dtype(args.device)
os.environ["OMP_NUM_THREADS"] = str(args.threads)
os.environ.setdefault("HF_HUB_OFFLINE", "1")
EXTENSIONS = (".png", ".jpg", ".jpeg")


def transformers_turn():
    """A function that captions all images once and answers the seconds and the ids."""
    import torch
    from PIL import Image
    from tokenizers import Tokenizer
    from transformers import Blip2ForConditionalGeneration
    from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil

    torch.set_num_threads(args.threads)
    dtype = getattr(torch, args.dtype)
    model = Blip2ForConditionalGeneration.from_pretrained(args.checkpoint, dtype=dtype).eval().to(args.device)
    size = model.config.vision_config.image_size
    processor = BlipImageProcessorPil(size={"height": size, "width": size})
    names = sorted(n for n in os.listdir(args.images) if n.lower().endswith(EXTENSIONS))
    text = Tokenizer.from_file(f"{args.checkpoint}/tokenizer.json").encode(args.prompt).ids
    ids = [model.config.image_token_index] * model.config.num_query_tokens + text

    def turn() -> dict:
        start = time.perf_counter()
        images = [Image.open(f"{args.images}/{n}").convert("RGB") for n in names]
        pixels = processor(images, return_tensors="pt")["pixel_values"].to(args.device, dtype)
        batch = torch.tensor([ids] * len(names), device=args.device)
        with torch.no_grad():
            out = model.generate(
                pixel_values=pixels, input_ids=batch, attention_mask=torch.ones_like(batch), do_sample=False,
                max_new_tokens=args.tokens, min_new_tokens=args.tokens,
            ).tolist()
        return {"seconds": time.perf_counter() - start, "images": len(names), "ids": out}

    # The first pass allocates and warms up, as ours does.
    turn()
    return turn


def our_turn(dtype: str) -> dict:
    command = [
        args.ours, "bench", "captioner", "--checkpoint", args.checkpoint, "--images", args.images, "--scenario", "offline",
        "--dtype", dtype, "--device", args.device, "--threads", str(args.threads), "--max-new-tokens", str(args.tokens),
        "--prompt", args.prompt, "--duration", "0.001", "--min-queries", "1", "--format", "json", "--quiet",
        # On a GPU libraries and kernels are made ready by the first pass, as they are for transformers.
        "--warm-up", "0" if args.device == "cpu" else "0.001",
    ]
    results = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["results"]
    queries = results["queries"]
    return {
        "seconds": queries["seconds"] / queries["issued"], "images": queries["items_per_query"],
        "peak_memory_bytes": results["peak_memory_bytes"],
    }


def in_own_process() -> dict:
    command = [sys.executable, __file__, args.checkpoint, args.images, "--rounds", "1"]
    for flag in ("dtype", "device", "threads", "tokens", "prompt"):
        command += [f"--{flag}", str(getattr(args, flag))]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    turns = [("transformers", in_own_process if args.fresh else transformers_turn())]
    if args.ours:
        turns += [(f"fgd {dtype}", partial(our_turn, dtype)) for dtype in args.ours_dtypes.split(",")]
    for number in range(args.rounds):
        for name, turn in turns:
            answer = turn()
            if name == "transformers" and not args.fresh:
                answer["peak_memory_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            line = {
                **answer, "job": f"caption images, transformers in {args.dtype}", "engine": name, "round": number, "unit": "images/s",
                "rate": answer["images"] / answer["seconds"], "threads": args.threads,
            }
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
