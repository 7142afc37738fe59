"""Recorded outputs as a benchmark reads them: cached counts, units, splits by unit, prompt."""

from __future__ import annotations

import codecs
import hashlib
import re
import sys
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp

from provenance.attribution.known_pairs import rows_of
from provenance.library.space import VIEWS, Formats, Labelled, Space, Training, read
from provenance.library.space.space import HASHED, NAMED
from provenance.signatures import identity, named

CACHE = Path(".cache/attribution")
FOLDS = 3


@dataclass
class Corpus:
    """Outputs read once.

    Codes: ``prompt`` by output; ``unit`` (models that share a base) and ``family`` by model.
    ``formats`` by output: which of `CLASSES` it has, and its length.
    """

    training: Training
    prompt: np.ndarray
    names: list[str]
    unit: np.ndarray
    family: np.ndarray
    formats: np.ndarray

    @property
    def model(self) -> np.ndarray:
        return self.training.models

    def formats_of(self, documents: np.ndarray) -> Formats:
        total = self.formats[documents].sum(axis=0)
        return Formats(len(documents), tuple(total[:-1].tolist()), int(total[-1]))


def reformatted(text: str) -> str:
    """What a gateway or a careful suspect does; written apart from the canonical view."""
    text = re.sub(r"```[a-zA-Z]*\n?", "", text)
    text = re.sub(r"(?m)^#{1,6} +", "", text)
    text = re.sub(r"\*\*|__|`", "", text)
    text = re.sub(r"(?m)^[ \t]*[*+•-] +", "- ", text)
    text = re.sub(r"\*(\S[^*\n]*)\*", r"\1", text)
    text = text.replace("“", '"').replace("”", '"').replace("’", "'").replace("‘", "'")
    text = re.sub(r"[ \t]+", " ", text)
    return re.sub(r"\s*\n\s*", "\n", text).strip().lower()


def terse(text: str) -> str:
    """The first two sentences."""
    return " ".join(re.split(r"(?<=[.!?])\s+", text.strip())[:2])


def other_words(text: str) -> str:
    """Each word another one of the same length (rot13): what a change of language leaves, at most.

    Layout, punctuation, digits, capitals and the lengths of words stay, which a translation changes
    too.
    """
    return codecs.encode(text, "rot13")


# What a suspect may do to its texts; the empty name is nothing.
CHANGES = {"re-formatted": reformatted, "terse": terse, "other words": other_words}


def frame_of(folder: Path, name: str) -> pd.DataFrame:
    """Outputs that hold something, without white space around them."""
    frame = pd.read_parquet(folder / f"{name}.parquet").dropna(subset=["output"])
    frame["output"] = frame["output"].str.strip()
    return frame[frame.output != ""].reset_index(drop=True)


def labels_of(folder: Path, name: str) -> pd.DataFrame:
    """models.csv of one corpus; a model without a family is one of its own."""
    labels = pd.read_csv(folder / "models.csv")
    labels = labels[labels.corpus == name].set_index("model")
    labels["family"] = labels.family.fillna(labels.vendor).fillna(labels.index.to_series())
    return labels


def corpus(folder: Path, name: str, view: str = "raw", *, change: str = "") -> Corpus:
    """A corpus in a view, one of `CHANGES` made first; from the cache where it is there."""
    frame, labels = frame_of(folder, name), labels_of(folder, name)
    signatures = hashlib.sha256(identity(named(*HASHED, *NAMED), VIEWS[view]).encode()).hexdigest()
    made = f"-{change.replace(' ', '_')}" if change else ""
    key = f"{name}-{view}{made}-{signatures[:8]}"
    if not (CACHE / f"{key}.npz").is_file():
        _read(frame, labels, key, view, change)
    with np.load(CACHE / f"{key}.npz") as z:
        columns = {n: z[f"columns.{n}"] for n in HASHED}
        counts = {n: sp.csr_array(sp.load_npz(CACHE / f"{key}.{n}.npz")) for n in HASHED}
        training = Training(counts, columns, z["measures"], z["models"], z["units"], view)
        formats = z["formats"]
    names = sorted(frame.model.unique())
    known = labels.loc[names]
    codes = [pd.factorize(known[c])[0] for c in ("supergroup", "family")]
    return Corpus(training, pd.factorize(frame.prompt_id)[0], names, *codes, formats)


@cache
def undone(folder: Path, name: str, view: str, sample: int = 3_000) -> float:
    """Share of a sample of outputs of which the view makes the same text, re-formatted or not."""
    chosen = VIEWS[view]
    texts = frame_of(folder, name).output
    drawn = texts.sample(min(sample, len(texts)), random_state=1)
    if chosen is None:
        return float(np.mean([reformatted(t) == t for t in drawn]))
    return float(np.mean([chosen.text(reformatted(t)) == chosen.text(t) for t in drawn]))


def _read(frame: pd.DataFrame, labels: pd.DataFrame, key: str, view: str, change: str) -> None:
    print(f"reading {key} …", file=sys.stderr, flush=True)
    unit = labels.supergroup.to_dict()
    formats = []

    def documents():
        for m, p, t in zip(frame.model, frame.prompt_id, frame.output, strict=True):
            text = CHANGES[change](t) if change else t
            found = Formats.of([text])
            formats.append((*found.having, found.characters))
            yield Labelled(m, str(unit[m]), str(p), text)

    made = read(documents(), view=view)
    CACHE.mkdir(parents=True, exist_ok=True)
    for n, counts in made.counts.items():
        sp.save_npz(CACHE / f"{key}.{n}.npz", counts, compressed=False)
    # Last: a file that is there says that the others are.
    np.savez(
        CACHE / f"{key}.npz",
        measures=made.measures,
        models=made.models,
        units=made.units,
        formats=np.array(formats),
        **{f"columns.{n}": c for n, c in made.columns.items()},
    )


def folds_of(unit: np.ndarray, rng: np.random.Generator, folds: int = FOLDS) -> np.ndarray:
    """Fold of each unit; folds hold about as many models."""
    sizes, filled = np.bincount(unit), np.zeros(folds)
    fold = np.zeros(len(sizes), dtype=int)
    for u in sorted(rng.permutation(len(sizes)), key=lambda u: -sizes[u]):
        fold[u] = filled.argmin()
        filled[fold[u]] += sizes[u]
    return fold


def space_rows(space: Space, data: Corpus, documents: np.ndarray) -> np.ndarray:
    """Rows in a space that was fitted on other texts: columns that are not there are empty."""
    training = data.training
    counts, columns = {}, {}
    for name, channel in space.channels.items():
        own = training.columns[name]
        missing = np.setdiff1d(channel.columns, own)
        every = np.concatenate([own, missing])
        order = np.argsort(every)
        empty = sp.csr_array((len(documents), len(missing)), dtype=np.float32)
        whole = sp.hstack([training.counts[name][documents], empty], format="csr")
        # Only what the space reads, in its order.
        place = order[np.searchsorted(every[order], channel.columns)]
        counts[name] = sp.csr_array(whole[:, place])
        columns[name] = channel.columns
    read_ = replace(training, counts=counts, columns=columns, measures=training.measures[documents])
    return rows_of(read_, np.arange(len(documents)), space)


__all__ = [
    "CHANGES",
    "FOLDS",
    "Corpus",
    "corpus",
    "folds_of",
    "frame_of",
    "labels_of",
    "other_words",
    "reformatted",
    "space_rows",
    "terse",
    "undone",
]
