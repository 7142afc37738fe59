"""Task: spaces without a signature, and of one alone, when the suspect changes its texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from _corpora import CHANGES, Corpus, corpus
from _pairs import (
    OTHER,
    RELATIVE,
    SAME,
    Found,
    auc,
    compared,
    described,
    drawn,
    halves,
    judged,
    scored,
    splits,
    summaries,
    threshold,
)

from provenance.library.space import Sizes, Space, fit
from provenance.library.space.channels import Channel
from provenance.library.space.fitting import channel_of
from provenance.library.space.space import HASHED, NAMED
from provenance.signatures import named

CORPUS = "alpaca_eval"
OUTPUTS = (25, 100)
REPEATS = 3
Coordinates = dict[str, np.ndarray]  # by signature, shape (outputs, columns)
Rows = dict[str, dict[str, Any]]


def ablations(folder: Path) -> Rows:
    """TPR at 1% FPR and AUC, raw view, by what the space reads and what the suspect alone did.

    Folds, prompts and bundles are those of `held_out`. The directions of each hashed signature are
    found once a fold; the discriminants and spreads are fitted anew without each signature, and on
    each alone. ``tpr``: at the threshold of pairs whose texts are as they are, frozen on the other
    folds. ``tpr_known``: at that of pairs changed alike, so where one knows what the suspect did:
    what is left to be told, not what a reader gets. ``auc``: of pairs changed alike, against other
    units. *Other words*: an upper limit of what a change of language leaves (`other_words`).
    """
    data = {change: corpus(folder, CORPUS, change=change) for change in ("", *CHANGES)}
    plain = data[""]
    made: dict[tuple[str, int, str], list[Found]] = {}
    for split in splits(plain, plain.unit, np.random.default_rng(0)):
        channels = _channels(plain, split.train)
        train = _coordinates(plain, split.train, channels)
        test = {c: _coordinates(own, split.test, channels) for c, own in data.items()}
        for label, chosen in _families().items():
            space = _space(plain, split.train, train, chosen, split.number)
            rows = {c: _rows(space, own, chosen) for c, own in test.items()}
            for repeat in range(REPEATS):
                one, two, g = halves(plain, split.test, repeat)
                for n in OUTPUTS:
                    a, b = (drawn(plain, split.test, p, n, g) for p in (one, two))
                    references = summaries(rows[""], a)
                    for change, own in rows.items():
                        score, _ = scored(references, summaries(own, b), space)
                        pairs = compared(score, plain.unit, list(a), list(b), split.number)
                        made.setdefault((label, n, change), []).append(pairs)
    found = {key: Found.joined(parts) for key, parts in made.items()}
    rows_: Rows = {}
    for (label, n, change), pairs in found.items():
        own = found[label, n, ""]
        row = _told(own, pairs)
        if not change:
            row["cllr_unclipped"] = described(own)["cllr_unclipped"]
        rows_[f"{label}, {change or 'as it is'}, {n}"] = row
    return rows_


def _families() -> dict[str, tuple[str, ...]]:
    every = (*HASHED, *NAMED)
    return {
        "all": every,
        **{f"without {n}": tuple(m for m in every if m != n) for n in every},
        **{f"{n} alone": (n,) for n in every},
    }


def _channels(data: Corpus, train: np.ndarray) -> dict[str, Channel]:
    sizes, training = Sizes(), data.training.only(train)
    return {
        name: channel_of(training, name, sizes=sizes, rng=np.random.default_rng(0))
        for name in HASHED
    }


def _coordinates(
    data: Corpus, documents: np.ndarray, channels: Mapping[str, Channel]
) -> Coordinates:
    """A column that the corpus never has is empty."""
    training = data.training
    found: Coordinates = {}
    for name, channel in channels.items():
        own = training.columns[name]
        place = np.minimum(np.searchsorted(own, channel.columns), len(own) - 1)
        there = (own[place] == channel.columns).astype(np.float32)
        kept = training.counts[name][documents][:, place] @ sp.diags_array(there)
        kept = sp.csr_array(kept)
        kept.eliminate_zeros()
        found[name] = channel.of_kept(kept)
    ends = np.cumsum([0, *(s.width for s in named(*NAMED))])
    for name, a, b in zip(NAMED, ends, ends[1:], strict=False):
        found[name] = training.measures[documents, a:b]
    return found


def _space(
    data: Corpus, train: np.ndarray, coordinates: Coordinates, chosen: tuple[str, ...], seed: int
) -> Space:
    """Fitted on coordinates as if they were measures; a direction that never varies is left out."""
    rows = np.concatenate([coordinates[n] for n in chosen], axis=1).astype(np.float32)
    bare = replace(data.training, counts={}, columns={}, measures=data.training.measures[:, :0])
    units = data.unit[np.unique(data.model[train])]
    training = replace(bare.only(train), measures=rows, units=units)
    space = fit(training, rng=np.random.default_rng(seed))
    varies = space.within > 1e-9
    finish = replace(
        space.finish, turn=space.finish.turn[:, varies], origin=space.finish.origin[varies]
    )
    return replace(space, finish=finish, between=space.between[varies], within=space.within[varies])


def _rows(space: Space, coordinates: Coordinates, chosen: tuple[str, ...]) -> np.ndarray:
    rows = np.concatenate([coordinates[n] for n in chosen], axis=1).astype(np.float32)
    return space.finish.apply(rows).astype(np.float64)


def _told(plain: Found, found: Found) -> dict[str, float]:
    above, _ = judged(plain, found)
    known = []
    for fold in np.unique(found.fold):
        inside = found.fold == fold
        known.append(found.only(inside).of(SAME) > threshold(found.only(~inside), 0.01))
    return {
        "auc": auc(found.of(SAME), found.of(OTHER)),
        "auc_related": auc(found.of(SAME), found.of(RELATIVE)),
        "tpr": float(above[found.kind == SAME].mean()),
        "tpr_known": float(np.concatenate(known).mean()),
    }
