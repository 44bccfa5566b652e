#!/usr/bin/env python3
"""The statistics that `cargo bench -p fgd-metrics` times, done by numpy.

    python benches/peers/statistics_peers.py [--threads 2] [--rounds 5] [--only NAME …]

Needs numpy. The medians of the rounds are printed as one JSON object a
line: job, peer, median_ms, and the fastest and slowest round. The rows are unit vectors with a common direction and columns of
unequal spread, as in the benchmark. Run it alone on a quiet machine.

Jobs: `set_distance` (3,771 × 21,367 rows), `bootstrap` (1,000 paired replicates of the difference of
two systems in both distances at N = 3,771: numpy needs a decomposition for each replicate and system, so 5 replicates are timed
and the time is multiplied by 200).
"""
import argparse
import json
import os
import statistics
import time

parser = argparse.ArgumentParser()
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--only", nargs="*", help="names of jobs")
args = parser.parse_args()
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = str(args.threads)

import numpy as np  # noqa: E402

TIMED_REPLICATES = 5
REPLICATES = 1_000


def embeddings(n, seed, d=384):
    rng = np.random.default_rng(seed)
    rows = (0.3 + rng.uniform(-1, 1, (n, d))) / (1 + np.arange(d) / 32)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def traces(mu1, s1, mu2, s2):
    return ((mu1 - mu2) ** 2).sum() + np.trace(s1) + np.trace(s2)


def numpy_distance(mu1, s1, mu2, s2):
    """torchmetrics' way, the fastest in numpy: the eigenvalues of the product."""
    return traces(mu1, s1, mu2, s2) - 2 * np.sqrt(np.linalg.eigvals(s1 @ s2).astype(complex)).real.sum()


def moments(rows):
    return rows.mean(0, dtype=np.float64), np.cov(rows, rowvar=False, dtype=np.float64)


def bootstrap(a, b, references):
    """Replicates of the difference in both distances, as anyone would write them."""
    rng, n = np.random.default_rng(1), len(a)
    paired = ((a - references) ** 2).sum(1) - ((b - references) ** 2).sum(1)
    differences = []
    for _ in range(TIMED_REPLICATES):
        drawn = rng.integers(0, n, n)
        of_references = moments(references[drawn])
        of_a, of_b = (numpy_distance(*moments(rows[drawn]), *of_references) for rows in (a, b))
        differences.append((paired[drawn].mean(), of_a - of_b))
    return differences


def set_jobs():
    a, b = embeddings(3_771, 1), embeddings(21_367, 6)
    return {"numpy": lambda: numpy_distance(*moments(a), *moments(b))}


def bootstrap_jobs():
    a, b, references = (embeddings(3_771, seed) for seed in (1, 2, 3))
    return {"numpy": lambda: bootstrap(a, b, references)}


JOBS = {
    "set_distance": (set_jobs, 1),
    "bootstrap": (bootstrap_jobs, REPLICATES // TIMED_REPLICATES),
}

for job, (make, times) in JOBS.items():
    if args.only and job not in args.only:
        continue
    peers = make()
    taken = {peer: [] for peer in peers}
    for peer in peers.values():
        peer()
    for _ in range(args.rounds):
        for name, peer in peers.items():
            start = time.perf_counter()
            peer()
            taken[name].append(1e3 * times * (time.perf_counter() - start))
    for name, rounds in taken.items():
        line = {
            "job": job,
            "peer": name,
            "median_ms": round(statistics.median(rounds), 2),
            "fastest_ms": round(min(rounds), 2),
            "slowest_ms": round(max(rounds), 2),
        }
        print(json.dumps(line), flush=True)
