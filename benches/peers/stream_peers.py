"""Fréchet distance of two streams of embeddings in batches, torchmetrics in turns with pyfgd; prints JSON lines.

    python benches/peers/stream_peers.py

Needs torch, torchmetrics and pyfgd. Every turn is a process of its own, whose time is told from start to exit, and that of update and
compute alone; the memory is the whole process's.
"""

import argparse
import json
import os
import subprocess
import sys
import time

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--count", type=int, default=100_000)
parser.add_argument("--dim", type=int, default=384)
parser.add_argument("--batches", default="64,4096", help="rows of an update, separated by commas")
parser.add_argument("--threads", type=int, default=os.cpu_count())
parser.add_argument("--rounds", type=int, default=5)
args = parser.parse_args()

STREAM = """
import json, resource, sys, time
import numpy
count, dim, batch, threads = map(int, sys.argv[1:])
random = numpy.random.default_rng(0)
blocks = (random.normal(size=(2, 4, batch, dim)) / dim**0.5).astype(numpy.float32)
def batches(side):
    for at in range(0, count, batch):
        yield blocks[side, at // batch % 4, : count - at]
"""
TORCHMETRICS = STREAM + """
import torch
from torchmetrics.image.fid import FrechetInceptionDistance
torch.set_num_threads(threads)
class Embedded(torch.nn.Module):
    num_features = dim
    def forward(self, rows):
        return rows
start = time.perf_counter()
metric = FrechetInceptionDistance(feature=Embedded(), input_img_size=(dim,)).set_dtype(torch.float64)
for side in (0, 1):
    for rows in batches(side):
        metric.update(torch.from_numpy(rows), real=bool(side))
value = float(metric.compute())
"""
PACKAGE = STREAM + """
import pyfgd
start = time.perf_counter()
sides = [pyfgd.Moments(dim), pyfgd.Moments(dim)]
for side, moments in enumerate(sides):
    for rows in batches(side):
        moments.update(rows)
value = sides[0].distance(sides[1])
"""
TOLD = """
print(json.dumps({"inner": time.perf_counter() - start, "value": value,
                  "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))
"""


def main() -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": str(args.threads)}
    for batch in map(int, args.batches.split(",")):
        size = [str(number) for number in (args.count, args.dim, batch, args.threads)]
        job = f"two streams of {args.count:,} × {args.dim} in batches of {batch:,}, and their distance"
        for number in range(args.rounds):
            values = []
            for engine, script in (("torchmetrics", TORCHMETRICS), ("fgd from Python", PACKAGE)):
                start = time.perf_counter()
                done = subprocess.run([sys.executable, "-c", script + TOLD, *size], check=True, stdout=subprocess.PIPE, env=environment)
                whole = time.perf_counter() - start
                turn = json.loads(done.stdout)
                values.append(turn["value"])
                line = {**turn, "engine": engine, "round": number, "unit": "1/s", "threads": args.threads}
                for part, seconds in (("from start to exit", whole), ("update and compute alone", turn["inner"])):
                    print(json.dumps({**line, "job": f"{job}, {part}", "seconds": seconds, "rate": 1 / seconds}), flush=True)
            if abs(values[0] - values[1]) > 1e-6:
                raise SystemExit(f"{values}: these are not the same job")


if __name__ == "__main__":
    main()
