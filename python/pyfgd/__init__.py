"""How good are these image captions, and how sure can one be? The Fréchet GTE Distance from Python.

    import pyfgd

    print(pyfgd.score("submission.csv", references="references.csv"))

Every job of the command ``fgd`` is a function here: it takes paths, data frames (pandas, polars, Arrow), lists or dicts, and
answers a :class:`Record`. Importing this package loads no model, no torch, and asks no network.
"""

from ._call import Options
from ._captioner import caption, curate, ensemble, features, select, train
from ._data import Captions, Images
from ._documents import Document, Record, report
from ._encoder import Encoder
from ._errors import FgdError, InvalidSubmission, UsageError
from ._evaluate import Evaluation, load
from ._fgd import FGD
from ._jobs import agreement, bench, compare, job, leaderboard, nightly, score, validate
from ._native import VERSION as __version__
from ._native import Moments
from ._numbers import PairedDistance, frechet_distance, paired_distance, set_distance

__all__ = [
    "FGD",
    "Captions",
    "Document",
    "Encoder",
    "Evaluation",
    "FgdError",
    "Images",
    "InvalidSubmission",
    "Moments",
    "Options",
    "PairedDistance",
    "Record",
    "UsageError",
    "__version__",
    "agreement",
    "bench",
    "caption",
    "compare",
    "curate",
    "ensemble",
    "features",
    "frechet_distance",
    "job",
    "leaderboard",
    "load",
    "nightly",
    "paired_distance",
    "report",
    "score",
    "select",
    "set_distance",
    "train",
    "validate",
]
