"""One Markdown table out of the JSON lines of the peers: python benches/peers/table.py LINES.jsonl > table.md

Ratios are taken round by round, as everybody had a turn in each: the median over the rounds is shown with the smallest and
the largest. A ratio above 1 means that fgd is faster.
"""

import json
import statistics
import sys

lines = [json.loads(line) for name in sys.argv[1:] for line in open(name, encoding="utf-8") if line.strip()]


def digits(x: float) -> str:
    return f"{x:,.0f}" if x >= 100 else f"{x:.3g}"


def seconds(x: float) -> str:
    return f"{digits(1e3 * x)} ms" if x < 1 else f"{digits(x)} s"


def shown(line: dict) -> str:
    return seconds(1 / line["rate"]) if line["unit"] == "1/s" else f"{digits(line['rate'])} {line['unit']}"


def rows(job: str):
    """A row per engine: name, median speed, ratio of ours to it with its range."""
    here = [line for line in lines if line["job"] == job]
    names = list(dict.fromkeys(line["engine"] for line in here))
    ours = [name for name in names if name.startswith("fgd")]
    for name in names:
        by_round = {line["round"]: line for line in here if line["engine"] == name}
        rates = sorted(line["rate"] for line in by_round.values())
        middle = {**next(iter(by_round.values())), "rate": statistics.median(rates)}
        # An integer engine is held against ours.
        own = [n for n in ours if ("int" in n) == name.endswith("int8")]
        ratio = ""
        if own and name not in ours:
            mine = {line["round"]: line["rate"] for line in here if line["engine"] == own[0]}
            ratios = sorted(mine[r] / line["rate"] for r, line in by_round.items() if r in mine)
            if ratios:
                ratio = f"{statistics.median(ratios):.2f}× ({ratios[0]:.2f}–{ratios[-1]:.2f})"
        yield [job, name, shown(middle), ratio or "–", str(len(by_round))]


print("| job | engine | speed, median | fgd is faster by (range of the rounds) | rounds |")
print("|---|---|---:|---:|---:|")
for job in dict.fromkeys(line["job"] for line in lines):
    for row in rows(job):
        print("| " + " | ".join(row) + " |")
