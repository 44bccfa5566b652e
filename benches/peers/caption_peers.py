#!/usr/bin/env python3
"""The same job in transformers: the peer that `fgd caption` is timed against.

    cargo run --release --example random_blip2 -- /data/random-blip2
    python benches/peers/caption_peers.py /data/random-blip2 IMAGES --dtype float32 --threads 2
    fgd caption --checkpoint /data/random-blip2 --images IMAGES -o out.csv --ignore-eos --batch-size 4 --threads 2 --dtype f32

One batch of all images in IMAGES, 30 forced tokens, greedy. Prints one JSON object: seconds without loading, images per
second, the ids, and the peak resident memory of the process. Run one at a time on a quiet machine.
"""
import argparse, json, os, resource, time

parser = argparse.ArgumentParser()
parser.add_argument("checkpoint")
parser.add_argument("images")
parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
parser.add_argument("--device", default="cpu")
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--tokens", type=int, default=30)
parser.add_argument("--repeats", type=int, default=1)
parser.add_argument("--prompt", default="Provide a detailed caption for this photo.")
args = parser.parse_args()

os.environ["OMP_NUM_THREADS"] = str(args.threads)
os.environ.setdefault("HF_HUB_OFFLINE", "1")
import torch
from PIL import Image
from tokenizers import Tokenizer
from transformers import Blip2ForConditionalGeneration
from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil

torch.set_num_threads(args.threads)
start = time.time()
model = Blip2ForConditionalGeneration.from_pretrained(args.checkpoint, dtype=getattr(torch, args.dtype)).eval().to(args.device)
loading = time.time() - start
size = model.config.vision_config.image_size
processor = BlipImageProcessorPil(size={"height": size, "width": size})
names = sorted(n for n in os.listdir(args.images) if n.lower().endswith((".png", ".jpg", ".jpeg")))
text = Tokenizer.from_file(f"{args.checkpoint}/tokenizer.json").encode(args.prompt).ids
ids = [model.config.image_token_index] * model.config.num_query_tokens + text
seconds = []
for _ in range(args.repeats):
    start = time.time()
    images = [Image.open(f"{args.images}/{n}").convert("RGB") for n in names]
    pixels = processor(images, return_tensors="pt")["pixel_values"].to(args.device, getattr(torch, args.dtype))
    batch = torch.tensor([ids] * len(names), device=args.device)
    with torch.no_grad():
        out = model.generate(pixel_values=pixels, input_ids=batch, attention_mask=torch.ones_like(batch), do_sample=False,
                             max_new_tokens=args.tokens, min_new_tokens=args.tokens)
    out = out.tolist()
    seconds.append(time.time() - start)
print(json.dumps(dict(dtype=args.dtype, device=args.device, threads=args.threads, images=len(names), loading_seconds=loading,
                      seconds=seconds, images_per_second=len(names) / min(seconds), ids=out,
                      peak_memory_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
                      torch=torch.__version__)))
