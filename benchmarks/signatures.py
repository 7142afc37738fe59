"""What each signature is worth, and what is left of it when the suspect changes its texts.

    OMP_NUM_THREADS=1 python benchmarks/signatures.py [--models 80] [--seed 1] [--corpora DIR]

Same model or not: two bundles of N outputs on disjoint prompts, one the reference's and one the
suspect's, scored by the cosine of their mean rows, centred on the mean of a population. Weights
(idf, mean and standard deviation, word table, centre) are fitted on other families of models and
on prompts that occur in no bundle. Rows of the table: the suspect as it is; re-formatted by an
independent stripper; cut to two sentences; re-formatted, and both sides in the canonical view.

Reads the corpora in place and keeps no text of them. Prints tables and writes
``benchmarks/results/signatures.json``. The figures rank signatures; they are no error rates: pairs
share models, thresholds at 1% are read off the very negatives, models are a subsample.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _corpora import reformatted

from provenance.signatures import (
    DEFAULT,
    Bundle,
    CanonicalView,
    LogTfIdf,
    Signature,
    Standardised,
    WordTable,
    blocks,
    bundles,
    lexical,
    log_odds,
    named,
)

RESULTS = Path(__file__).parent / "results" / "signatures.json"
CORPORA = Path(__file__).parents[1] / ".." / "shared" / "corpora"
STEP, MOST = 25, 100
FIT_PROMPTS = 30
# A plain cosine does better on few columns; what weighs columns by what they tell takes more.
KEEP = 10_000

Change = Callable[[str], str]


def as_it_is(text: str) -> str:
    return text


def terse(text: str) -> str:
    return " ".join(re.split(r"(?<=[.!?])\s+", text.strip())[:2])


def without_comments(text: str) -> str:
    text = re.sub(r'"""(?:.|\n)*?"""|\'\'\'(?:.|\n)*?\'\'\'', "", text)
    return re.sub(r"(?m)[ \t]*#[^\n'\"]*$", "", text)


@dataclass(frozen=True)
class Condition:
    """How both sides are seen, and what only the suspect has done."""

    name: str
    change: Change = as_it_is
    view: CanonicalView | None = None


CONDITIONS = (
    Condition("raw"),
    Condition("re-formatted", reformatted),
    Condition("terse", terse),
    Condition("canonical", reformatted, CanonicalView()),
    Condition("canonical, joined", reformatted, CanonicalView(join_lines=True)),
)
FOR_CODE = (
    Condition("raw"),
    Condition("no comments", without_comments),
    Condition("canonical", without_comments, CanonicalView(lower=False)),
)


@dataclass
class Fitted:
    """What is learnt on one half of the families for testing the other, under one view."""

    signatures: tuple[Signature, ...]
    weights: dict[str, LogTfIdf | Standardised | None]
    centre: dict[str, np.ndarray]
    table: WordTable

    def vector(self, name: str, made: Bundle) -> np.ndarray:
        if name == "lexical":
            total = made.total if isinstance(made.total, np.ndarray) else made.total.toarray()
            return log_odds(total[0], self.table)
        return (made.mean - self.centre[name]).astype(np.float32)


def fit(signatures: Sequence[Signature], texts: list[str], view: CanonicalView | None) -> Fitted:
    shown = texts if view is None else [view.text(t) for t in texts]
    table = WordTable.of(shown)
    every = (*signatures, lexical(table))
    kept: dict[str, list[Any]] = {s.name: [] for s in every}
    for part in blocks(every, texts, view=view):
        for name, rows in part.items():
            kept[name].append(rows)
    weights: dict[str, LogTfIdf | Standardised | None] = {"lexical": None}
    centre: dict[str, np.ndarray] = {}
    for signature in signatures:
        rows = kept[signature.name]
        hashed = not isinstance(rows[0], np.ndarray)
        weighting: Any = LogTfIdf.fitted(rows, keep=KEEP) if hashed else Standardised.fitted(rows)
        weights[signature.name] = weighting
        sums = sum(np.asarray(weighting.apply(r).sum(axis=0)).ravel() for r in rows)
        centre[signature.name] = sums / len(texts)
    return Fitted(every, weights, centre, table)


@dataclass
class Scores:
    """Scores of same-model and different-model pairs, by signature and bundle size."""

    same: dict[tuple[str, int], list[np.ndarray]] = field(default_factory=dict)
    different: dict[tuple[str, int], list[np.ndarray]] = field(default_factory=dict)

    def add(self, key: tuple[str, int], a: np.ndarray, b: np.ndarray) -> None:
        a = a / np.maximum(np.linalg.norm(a, axis=1, keepdims=True), 1e-12)
        b = b / np.maximum(np.linalg.norm(b, axis=1, keepdims=True), 1e-12)
        cosine = a @ b.T
        self.same.setdefault(key, []).append(np.diag(cosine))
        self.different.setdefault(key, []).append(cosine[~np.eye(len(cosine), dtype=bool)])

    def figures(self, key: tuple[str, int]) -> dict[str, float]:
        same, different = np.concatenate(self.same[key]), np.concatenate(self.different[key])
        ranked = np.sort(different)
        below = np.searchsorted(ranked, same, side="left")
        ties = np.searchsorted(ranked, same, side="right") - below
        threshold = np.quantile(different, 0.99, method="higher")
        return {
            "auc": float((below + ties / 2).mean() / len(different)),
            "tpr": float((same > threshold).mean()),
            "same": len(same),
            "different": len(different),
        }


def quarters(
    fitted: Fitted, texts: list[str], view: CanonicalView | None
) -> list[dict[str, Bundle]]:
    """Bundles of 25 texts; sums of them are the bundle of 100."""
    return [
        bundles(fitted.signatures, texts[i : i + STEP], view=view, weightings=fitted.weights)
        for i in range(0, len(texts) - STEP + 1, STEP)
    ]


def verification(
    texts: pd.Series,
    folds: list[list[str]],
    prompts: dict[str, list[Any]],
    signatures: Sequence[Signature],
    conditions: Iterable[Condition],
) -> dict[str, Scores]:
    """``texts`` by (model, prompt); a fold's models are tested with what the other fold fits."""
    done: dict[str, Scores] = {c.name: Scores() for c in conditions}
    for number, tested in enumerate(folds):
        other = [m for i, fold in enumerate(folds) if i != number or len(folds) == 1 for m in fold]
        corpus = [t for m in other for p in prompts["fit"] if (t := texts.get((m, p))) is not None]
        fits: dict[str, Fitted] = {}
        sides: dict[str, list[list[dict[str, Bundle]]]] = {}
        for condition in conditions:
            view = str(condition.view)
            if view not in fits:
                fits[view] = fit(signatures, corpus, condition.view)
                sides[view] = [
                    quarters(fits[view], pick(texts, m, prompts["a"]), condition.view)
                    for m in tested
                ]
            suspects = [
                quarters(
                    fits[view],
                    [condition.change(t) for t in pick(texts, m, prompts["b"])],
                    condition.view,
                )
                for m in tested
            ]
            for name in fits[view].weights:
                score(done[condition.name], fits[view], name, sides[view], suspects)
            say(f"fold {number + 1}, {condition.name}")
    return done


def score(
    scores: Scores,
    fitted: Fitted,
    name: str,
    a: list[list[dict[str, Bundle]]],
    b: list[list[dict[str, Bundle]]],
) -> None:
    count = min(len(parts) for parts in (*a, *b))
    for i in range(count):
        scores.add(
            (name, STEP),
            np.stack([fitted.vector(name, parts[i][name]) for parts in a]),
            np.stack([fitted.vector(name, parts[i][name]) for parts in b]),
        )
    if count * STEP >= MOST:
        scores.add((name, MOST), *(np.stack([whole(fitted, name, p) for p in s]) for s in (a, b)))


def whole(fitted: Fitted, name: str, parts: list[dict[str, Bundle]]) -> np.ndarray:
    made = parts[0][name]
    for part in parts[1 : MOST // STEP]:
        made = made + part[name]
    return fitted.vector(name, made)


def pick(texts: pd.Series, model: str, prompts: list[Any]) -> list[str]:
    return [t for p in prompts if (t := texts.get((model, p))) is not None]


def split(texts: pd.Series, models: list[str], rng: np.random.Generator) -> dict[str, list[Any]]:
    """Disjoint prompts for the reference, the suspect and the weights; all models answered each."""
    answered = texts[texts.index.isin(models, level=0)].groupby(level=1).size()
    ids = rng.permutation(sorted(answered.index[answered == len(models)])).tolist()
    return {"a": ids[:MOST], "b": ids[MOST : 2 * MOST], "fit": ids[2 * MOST :][-FIT_PROMPTS:]}


def halves(models: list[str], family: Callable[[str], str]) -> list[list[str]]:
    """Two folds without a common family, about as large; families in a fixed random order."""
    groups: dict[str, list[str]] = {}
    for model in models:
        groups.setdefault(family(model), []).append(model)
    folds: list[list[str]] = [[], []]
    for name in sorted(groups, key=lambda f: (-len(groups[f]), zlib.crc32(f.encode()))):
        min(folds, key=len).extend(groups[name])
    return folds


def chat(corpora: Path, models: int, seed: int) -> dict[str, Scores]:
    about = pd.read_csv(corpora / "models.csv")
    about = about[(about.corpus == "alpaca_eval") & about.kind.isin(["model", "merge"])]
    rng = np.random.default_rng(seed)
    chosen = sorted(rng.permutation(sorted(about.model))[:models])
    family = dict(zip(about.model, about.family.fillna(about.model), strict=True))
    frame = pd.read_parquet(corpora / "alpaca_eval.parquet")
    texts = frame.assign(output=frame.output.str.strip()).set_index(["model", "prompt_id"]).output
    prompts = split(texts, chosen, rng)
    say(f"alpaca_eval: {len(chosen)} models of {len({family[m] for m in chosen})} families")
    return verification(texts, halves(chosen, family.__getitem__), prompts, DEFAULT, CONDITIONS)


def sums(corpora: Path, seed: int) -> dict[str, Scores]:
    """Worked arithmetic in JSON: what the reasoning moves are for."""
    frame = pd.read_parquet(corpora / "reasoning_gsm.parquet")
    texts = frame.set_index(["model", "prompt_id"]).output
    rng = np.random.default_rng(seed)

    def maker(model: str) -> str:
        return re.split(r"[-_@\d. ]", model.lower().removeprefix("meta-"))[0]

    # The same weights on three hosts are one model.
    models = [m for m in sorted(frame.model.unique()) if "@" not in m]
    prompts = split(texts, models, rng)
    say(f"reasoning_gsm: {len(models)} models")
    wanted = named("reasoning", "skeleton", "function_words", "format_habits", "stance", "length")
    return verification(texts, halves(models, maker), prompts, wanted, (CONDITIONS[0],))


def code(corpora: Path, seed: int) -> dict[str, Scores]:
    """Four models: no families to keep apart; weights come from prompts that no bundle has."""
    frame = pd.read_parquet(corpora / "code.parquet")
    rng = np.random.default_rng(seed)
    frame = frame.iloc[rng.permutation(len(frame))].drop_duplicates(["model", "prompt_id"])
    texts = frame.set_index(["model", "prompt_id"]).output
    ids = rng.permutation(sorted(frame.prompt_id.unique())).tolist()
    prompts = {"a": ids[:50], "b": ids[50:100], "fit": ids[100:]}
    models = sorted(frame.model.unique())
    say(f"code: {len(models)} models")
    wanted = named("code_style", "code_tree", "skeleton", "char_ngrams")
    return verification(texts, [models], prompts, wanted, FOR_CODE)


def speed(corpora: Path, seed: int) -> dict[str, float]:
    """Megabytes (10⁶ characters) a minute of processor time; each alone, then all together."""
    frame = pd.read_parquet(corpora / "alpaca_eval.parquet")
    texts = frame.output.sample(2_000, random_state=seed).tolist()
    size = sum(map(len, texts)) / 1e6
    view = CanonicalView()

    def rate(signatures: Sequence[Signature], shown: CanonicalView | None = None) -> float:
        began = time.process_time()
        for _ in blocks(signatures, texts, view=shown):
            pass
        return 60 * size / (time.process_time() - began)

    rate(DEFAULT)  # warms the caches, as a long stream would
    made = {s.name: rate((s,)) for s in (*DEFAULT, lexical(WordTable.of(texts)))}
    return made | {"all": rate(DEFAULT), "all, canonical": rate(DEFAULT, view)}


def say(text: str) -> None:
    print(f"  [{time.process_time():5.0f} s] {text}", file=sys.stderr, flush=True)


def table(title: str, done: dict[str, Scores], sizes: Sequence[int]) -> dict[str, Any]:
    first = next(iter(done.values()))
    names = list(dict.fromkeys(name for name, _ in first.same))
    written: dict[str, Any] = {}
    for n in sizes:
        pairs = first.figures((names[0], n))
        print(
            f"\n{title}, {n} outputs a bundle: AUC / TPR at 1% FPR"
            f" ({pairs['same']:.0f} same pairs, {pairs['different']:.0f} different)"
        )
        print(f"{'signature':20}" + "".join(f"{c:>20}" for c in done))
        for name in names:
            figures = {c: s.figures((name, n)) for c, s in done.items()}
            written[f"{name} {n}"] = figures
            cells = "".join(f"{f['auc']:>14.3f} {f['tpr']:.2f} " for f in figures.values())
            print(f"{name:20}{cells}")
    return written


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=int, default=80, help="of alpaca_eval, drawn at random")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--corpora", type=Path, default=CORPORA)
    parser.add_argument("--only", choices=["speed", "chat", "sums", "code"])
    options = parser.parse_args()
    if not (options.corpora / "alpaca_eval.parquet").exists():
        print(f"no corpora at {options.corpora}: nothing was measured")
        return
    written: dict[str, Any] = {"models": options.models, "seed": options.seed}
    if options.only in (None, "speed"):
        rates = speed(options.corpora, options.seed)
        print("MB of text a minute of one core")
        for name, rate in rates.items():
            print(f"{name:20}{rate:8.0f}")
        written["megabytes_a_minute"] = rates
    if options.only in (None, "chat"):
        done = chat(options.corpora, options.models, options.seed)
        written["alpaca_eval"] = table("alpaca_eval", done, (STEP, MOST))
    if options.only in (None, "sums"):
        done = sums(options.corpora, options.seed)
        written["reasoning_gsm"] = table("reasoning_gsm", done, (STEP, MOST))
    if options.only in (None, "code"):
        done = code(options.corpora, options.seed)
        written["code"] = table("code (4 models: ranks at best)", done, (STEP,))
    if options.only is None:
        RESULTS.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
