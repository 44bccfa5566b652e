"""Scores captions against references in whole processes, the shortest Python script in turns with ours; prints JSON lines.

    python benches/peers/score_peers.py ENCODER_DIR CAPTIONS.csv --ours target/release/fgd

Needs torch, sentence-transformers, numpy, pandas. The first COUNT captions of CAPTIONS.csv are the submission, the next COUNT
the references. Wall time is from start to exit, with nothing cached, and for ours once more with the embeddings cached.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("encoder")
parser.add_argument("captions")
parser.add_argument("--count", type=int, help="3,771 by default, or half of the captions if they are fewer")
parser.add_argument("--threads", type=int, default=os.cpu_count())
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--ours", help="the built fgd")
parser.add_argument("--package", action="store_true", help="this Python has pyfgd: score with it too")
args = parser.parse_args()
os.environ["OMP_NUM_THREADS"] = str(args.threads)
os.environ.setdefault("HF_HUB_OFFLINE", "1")

PYTHON = """
import sys
import numpy as np
import pandas
from sentence_transformers import SentenceTransformer

model = SentenceTransformer(sys.argv[1], device="cpu", model_kwargs={"dtype": "float32"})
x, y = (model.encode(pandas.read_csv(file).caption.tolist(), normalize_embeddings=True).astype(float) for file in sys.argv[2:])
(m1, s1), (m2, s2) = ((z.mean(0), np.cov(z, rowvar=False)) for z in (x, y))
trace = np.sqrt(np.linalg.eigvals(s1 @ s2).astype(complex)).real.sum()
print(((x - y) ** 2).sum(1).mean(), (m1 - m2) @ (m1 - m2) + np.trace(s1) + np.trace(s2) - 2 * trace)
"""

PACKAGE = """
import sys
import pyfgd

results = pyfgd.score(*sys.argv[2:], encoder=sys.argv[1], cache=False).results
print(results.fgd_paired.value, results.fgd_set.value)
"""


def in_own_process(command: list, **environment: str) -> tuple:
    """What the command printed, its wall time and peak memory."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment})
    out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command[0]} failed")
    return out, {"seconds": time.perf_counter() - start, "peak_memory_bytes": usage.ru_maxrss * 1024}


def main() -> None:
    import pandas

    table = pandas.read_csv(args.captions)[["caption"]].dropna().drop_duplicates()
    count = args.count or min(3771, len(table) // 2)
    if len(table) < 2 * count:
        raise SystemExit(f"{args.captions} has {len(table)} different captions, and {2 * count} are needed; see --count")
    with tempfile.TemporaryDirectory() as folder:
        files = [str(Path(folder) / name) for name in ("submission.csv", "references.csv")]
        for number, file in enumerate(files):
            part = table.iloc[number * count : (number + 1) * count].reset_index(drop=True)
            part.to_csv(file, index_label="image_id")

        def python(script: str = PYTHON) -> dict:
            out, turn = in_own_process([sys.executable, "-c", script, args.encoder, *files])
            return {**turn, "values": [float(value) for value in out.split()]}

        def fgd(*flags: str) -> dict:
            command = [
                args.ours, "score", files[0], "--references", files[1], "--encoder", args.encoder, *flags,
                "--threads", str(args.threads), "--format", "json", "--quiet",
            ]
            out, turn = in_own_process(command, FGD_CACHE_DIR=str(Path(folder) / "cache"))
            results = json.loads(out)["results"]
            return {**turn, "values": [results["fgd_paired"]["value"], results["fgd_set"]["value"]]}

        turns = {"cold": [("sentence-transformers and numpy", python)]}
        if args.ours:
            fgd()
            turns["cold"].append(("fgd", lambda: fgd("--no-cache")))
            turns["warm"] = [("fgd, embeddings cached", fgd)]
        if args.package:
            turns["cold"].append(("fgd from Python", lambda: python(PACKAGE)))
        size = f"score {count:,} captions against {count:,}"
        values = None
        for number in range(args.rounds):
            for state, engines in turns.items():
                for name, turn in engines:
                    answer = turn()
                    values = values or answer["values"]
                    if any(abs(a - b) > 1e-5 for a, b in zip(values, answer["values"])):
                        raise SystemExit(f"{name} says {answer['values']}, not {values}: these are not the same job")
                    line = {
                        **answer, "job": f"{size}, {state}", "engine": name, "round": number, "unit": "1/s",
                        "rate": 1 / answer["seconds"], "threads": args.threads,
                    }
                    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
