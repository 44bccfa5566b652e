"""Computes Fréchet distances and covariances as Python users do, in turns with ours, and prints the times as JSON lines.

    python benches/peers/distance_peers.py --ours target/release/examples/distance_speed

Needs numpy, scipy and torch. The same inputs for all: two covariances of each dimension in --dims, made of embeddings with
a seed, and --rows embeddings of 384 dimensions for mean and covariance. The fastest of three repeats counts in each round.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--dims", type=int, nargs="+", default=[384, 1024])
parser.add_argument("--rows", type=int, default=100_000)
parser.add_argument("--threads", type=int, default=os.cpu_count())
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--ours", help="the built example distance_speed")
args = parser.parse_args()
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"):
    os.environ[name] = str(args.threads)

import numpy as np  # noqa: E402
import scipy.linalg  # noqa: E402
import torch  # noqa: E402

torch.set_num_threads(args.threads)
REPEATS = 3


def embeddings(rows: int, dim: int, seed: int) -> np.ndarray:
    """Unit vectors with a common direction and columns of unequal spread."""
    rng = np.random.default_rng(seed)
    x = (0.3 + rng.uniform(-1, 1, (rows, dim))) / (1 + np.arange(dim) / 32)
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def moments(x: np.ndarray):
    """Mean and covariance as pytorch-fid computes them, in f64."""
    x = x.astype(np.float64)
    return x.mean(0), np.cov(x, rowvar=False)


def by_scipy(m1, s1, m2, s2):
    """pytorch-fid: the square root of the product."""
    root = scipy.linalg.sqrtm(s1 @ s2)
    return float(((m1 - m2) ** 2).sum() + np.trace(s1) + np.trace(s2) - 2 * np.trace(root.real))


def by_numpy(m1, s1, m2, s2):
    """The eigenvalues of the product."""
    trace = np.sqrt(np.linalg.eigvals(s1 @ s2).astype(complex)).real.sum()
    return float(((m1 - m2) ** 2).sum() + np.trace(s1) + np.trace(s2) - 2 * trace)


def by_torch(m1, s1, m2, s2):
    """torchmetrics: the same in torch."""
    m1, s1, m2, s2 = (torch.from_numpy(x) for x in (m1, s1, m2, s2))
    trace = torch.linalg.eigvals(s1 @ s2).sqrt().real.sum()
    return float(((m1 - m2) ** 2).sum() + s1.trace() + s2.trace() - 2 * trace)


def fastest(work) -> dict:
    best = None
    for _ in range(REPEATS):
        start = time.perf_counter()
        value = work()
        seconds = time.perf_counter() - start
        best = min(best or (seconds, value), (seconds, value))
    return {"seconds": best[0], "value": best[1]}


def our_turn(files: list) -> dict:
    command = [args.ours, *map(str, files), str(REPEATS)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def rounds(job: str, turns: list) -> None:
    for number in range(args.rounds):
        for name, turn in turns:
            answer = turn()
            line = {"job": job, "engine": name, "round": number, "unit": "1/s", "rate": 1 / answer["seconds"], **answer}
            print(json.dumps({**line, "engine": name, "threads": args.threads}), flush=True)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        for dim in args.dims:
            sides = [moments(embeddings(4 * dim, dim, seed)) for seed in (1, 2)]
            files = [scratch / f"{dim}-{side}.npz" for side in (0, 1)]
            for file, (mu, sigma) in zip(files, sides):
                np.savez(file, mu=mu, sigma=sigma, n=4 * dim)
            given = (*sides[0], *sides[1])
            turns = [
                ("scipy sqrtm (pytorch-fid)", lambda: fastest(lambda: by_scipy(*given))),
                ("numpy eigvals", lambda: fastest(lambda: by_numpy(*given))),
                ("torch eigvals (torchmetrics)", lambda: fastest(lambda: by_torch(*given))),
            ]
            if args.ours:
                turns.append(("fgd", lambda: our_turn(files)))
            rounds(f"distance, d = {dim}", turns)
        if args.rows:
            x = embeddings(args.rows, 384, 3)
            file = scratch / "embeddings.npy"
            np.save(file, x)
            turns = [("numpy mean and cov", lambda: fastest(lambda: float(moments(x)[0][0])))]
            if args.ours:
                turns.append(("fgd", lambda: our_turn([file])))
            rounds(f"moments of {args.rows:,} × 384", turns)


if __name__ == "__main__":
    main()
