"""One Markdown table out of the JSON lines of the peers: python benches/peers/table.py LINES.jsonl > table.md

Ratios are taken round by round, as everybody had a turn in each: the median over the rounds is shown with the smallest and
the largest. A ratio above 1 means that fgd is faster. The rows of fgd hold it against the fastest rival of each round.
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


def spread(ratios: list) -> str:
    return f"{statistics.median(ratios):.2f}× ({min(ratios):.2f}–{max(ratios):.2f})" if ratios else "–"


def memory(lines: list) -> str:
    peaks = [line["peak_memory_bytes"] for line in lines if line.get("peak_memory_bytes")]
    return f"{statistics.median(peaks) / 1e9:.1f} GB" if peaks else "–"


def rows(job: str):
    """A row per engine: name, median speed, how much faster ours is, peak memory, rounds."""
    here = [line for line in lines if line["job"] == job]
    names = list(dict.fromkeys(line["engine"] for line in here))
    rates = {name: {line["round"]: line["rate"] for line in here if line["engine"] == name} for name in names}
    for name in names:
        # Integer engines are held against integer engines.
        integers = "int" in name
        others = [n for n in names if n.startswith("fgd") != name.startswith("fgd") and ("int" in n) == integers]
        ratios = []
        for number, rate in rates[name].items():
            against = [rates[n][number] for n in others if number in rates[n]]
            if against:
                ratios.append(rate / max(against) if name.startswith("fgd") else against[0] / rate)
        mine = [line for line in here if line["engine"] == name]
        middle = {**mine[0], "rate": statistics.median(rates[name].values())}
        yield [job, name, shown(middle), spread(ratios), memory(mine), str(len(mine))]


print("| job | engine | speed, median | fgd is faster by (range of the rounds) | peak memory | rounds |")
print("|---|---|---:|---:|---:|---:|")
for job in dict.fromkeys(line["job"] for line in lines):
    for row in rows(job):
        print("| " + " | ".join(row) + " |")
