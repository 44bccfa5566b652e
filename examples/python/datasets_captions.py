"""Scores a column of captions of a Hugging Face data set, batch by batch:

    python examples/python/datasets_captions.py DATASET [--split test] [--prediction COLUMN] [--references COLUMN] [--encoder DIR]

DATASET is a hub id or a file (.csv, .jsonl, .parquet). The references of an image may be one text or a list of texts.
"""

import argparse

import datasets
import pyfgd

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("dataset")
parser.add_argument("--split", default="train")
parser.add_argument("--prediction", default="prediction")
parser.add_argument("--references", default="references")
parser.add_argument("--encoder", default="thenlper/gte-small")
args = parser.parse_args()

kinds = {"csv": "csv", "jsonl": "json", "json": "json", "parquet": "parquet"}
kind = kinds.get(args.dataset.rsplit(".", 1)[-1])
rows = datasets.load_dataset(kind, data_files=args.dataset, split="train") if kind else datasets.load_dataset(args.dataset, split=args.split)

fgd = pyfgd.FGD(args.encoder)
for batch in rows.iter(batch_size=1024):
    fgd.update(batch[args.prediction], batch[args.references])
print(fgd.compute())
