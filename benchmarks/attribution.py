"""Free text beside baselines: same model or not, closed sets, re-formatted suspects, other corpora.

    python benchmarks/attribution.py             about 25 minutes on one core; extraction is cached
    python benchmarks/attribution.py --only same

Reads recorded outputs beside the checkout (../shared/corpora), which do not belong to the project;
without them it says so and ends. Units (``supergroup``) are left out of the fit in three folds, and
bundles are made of prompts that the fit did not see, half of them for each side. Thresholds are
frozen on the scores of the other folds. Negatives are weighted: 92% of other units, 8% related.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

sys.path.insert(0, str(Path(__file__).parent))

from signatures import reformatted

from provenance.attribution.calibration import Pairs, effective_different, metrics, validated
from provenance.attribution.known_pairs import rows_of
from provenance.attribution.same_source import scores
from provenance.library.space import Labelled, Sizes, Space, Summary, Training, fit, read
from provenance.signatures import LogTfIdf, blocks, named

CACHE = Path(".cache/attribution")
OUT = Path(__file__).parent / "results" / "attribution.json"
RELATED = 0.08
FOLDS, REPEATS = 3, 3
TARGETS = {25: (0.55, 0.22), 100: (0.95, 0.06)}  # TPR at 1% FPR, Cllr
LARGE = Sizes(columns=30_000, rank=160, between=60, ridge=2.0)


@dataclass
class Corpus:
    """Outputs read once: codes of prompts; names, units and families of models."""

    training: Training
    prompt: np.ndarray
    names: list[str]
    unit: np.ndarray
    family: np.ndarray

    @property
    def model(self) -> np.ndarray:
        return self.training.models


def corpus(folder: Path, name: str, view: str = "raw", *, changed: bool = False) -> Corpus:
    """A corpus in a view, re-formatted first if ``changed``; from the cache where it is there."""
    frame = pd.read_parquet(folder / f"{name}.parquet").dropna(subset=["output"])
    frame["output"] = frame["output"].str.strip()
    frame = frame[frame.output != ""].reset_index(drop=True)
    labels = pd.read_csv(folder / "models.csv")
    labels = labels[labels.corpus == name].set_index("model")
    training = _read(frame, labels, f"{name}-{view}{'-changed' if changed else ''}", view, changed)
    names = sorted(frame.model.unique())
    known = labels.loc[names]
    return Corpus(
        training,
        pd.factorize(frame.prompt_id)[0],
        names,
        pd.factorize(known.supergroup)[0],
        pd.factorize(known.family)[0],
    )


def _read(
    frame: pd.DataFrame, labels: pd.DataFrame, key: str, view: str, changed: bool
) -> Training:
    path = CACHE / f"{key}.npz"
    if not path.is_file():
        print(f"reading {key} …", file=sys.stderr, flush=True)
        unit = labels.supergroup.to_dict()
        made = read(
            (
                Labelled(m, str(unit[m]), str(p), reformatted(t) if changed else t)
                for m, p, t in zip(frame.model, frame.prompt_id, frame.output, strict=True)
            ),
            view=view,
        )
        CACHE.mkdir(parents=True, exist_ok=True)
        arrays = {f"columns.{n}": c for n, c in made.columns.items()}
        np.savez(path, measures=made.measures, models=made.models, units=made.units, **arrays)
        for n, counts in made.counts.items():
            sp.save_npz(CACHE / f"{key}.{n}.npz", counts, compressed=False)
    with np.load(path) as z:
        columns = {n.split(".")[1]: z[n] for n in z.files if n.startswith("columns.")}
        counts = {n: sp.csr_array(sp.load_npz(CACHE / f"{key}.{n}.npz")) for n in columns}
        return Training(counts, columns, z["measures"], z["models"], z["units"], view)


def folds_of(unit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Fold of each unit; folds hold about as many models."""
    sizes, filled = np.bincount(unit), np.zeros(FOLDS)
    fold = np.zeros(len(sizes), dtype=int)
    for u in sorted(rng.permutation(len(sizes)), key=lambda u: -sizes[u]):
        fold[u] = filled.argmin()
        filled[fold[u]] += sizes[u]
    return fold


def space_rows(space: Space, data: Corpus, documents: np.ndarray) -> np.ndarray:
    """Rows in a space that was fitted on another corpus: columns that are not there are empty."""
    training = data.training
    counts, columns = dict(training.counts), dict(training.columns)
    for name, channel in space.channels.items():
        missing = np.setdiff1d(channel.columns, columns[name])
        if len(missing):
            every = np.concatenate([columns[name], missing])
            empty = sp.csr_array((counts[name].shape[0], len(missing)), dtype=np.float32)
            order = np.argsort(every)
            counts[name] = sp.csr_array(sp.hstack([counts[name], empty], format="csr")[:, order])
            columns[name] = every[order]
    full = Training(
        counts, columns, training.measures, training.models, training.units, training.view
    )
    return rows_of(full, documents, space)


def bundles(
    rows: np.ndarray, data: Corpus, documents: np.ndarray, prompts: np.ndarray, n: int, rng: Any
) -> dict[int, Summary]:
    """A bundle of ``n`` outputs a model, on some prompts; models with fewer have none."""
    made = {}
    model, prompt = data.model[documents], data.prompt[documents]
    for m in np.unique(model):
        own = np.flatnonzero((model == m) & np.isin(prompt, prompts))
        if len(own) >= n:
            made[int(m)] = Summary.of_rows(rows[rng.permutation(own)[:n]], "")
    return made


@dataclass
class Found:
    """Scores of pairs with what they are."""

    score: np.ndarray
    kind: np.ndarray  # 0 the same, 1 related, 2 other units
    a: np.ndarray
    b: np.ndarray
    fold: np.ndarray

    @classmethod
    def joined(cls, parts: list[Found]) -> Found:
        return cls(*(np.concatenate([getattr(p, f) for p in parts]) for f in cls.__annotations__))


def compared(found: np.ndarray, data: Corpus, a: list[int], b: list[int], fold: int) -> Found:
    i, j = np.array(a)[:, None], np.array(b)[None, :]
    kind = np.where(i == j, 0, np.where(data.unit[i] == data.unit[j], 1, 2))
    one, two = np.broadcast_arrays(data.unit[i], data.unit[j])
    return Found(found.ravel(), kind.ravel(), one.ravel(), two.ravel(), np.full(found.size, fold))


def auc(high: np.ndarray, low: np.ndarray) -> float:
    low = np.sort(low)
    both = sum(np.searchsorted(low, high, side=s).mean() for s in ("left", "right"))
    return float(both / 2 / len(low))


def threshold(found: Found, rate: float = 0.01) -> float:
    """The score that a share ``rate`` of negatives of the stated composition exceeds."""
    others, related = found.score[found.kind == 2], found.score[found.kind == 1]
    weights = np.concatenate(
        [
            np.full(len(others), (1 - RELATED) / max(1, len(others))),
            np.full(len(related), RELATED / max(1, len(related))),
        ]
    )
    values = np.concatenate([others, related])
    order = np.argsort(-values)
    return float(values[order][np.searchsorted(np.cumsum(weights[order]), rate * weights.sum())])


def described(found: Found, units: int) -> dict[str, float]:
    """AUC, TPR and realised FPR at thresholds of the other folds, Cllr by units."""
    same, related, other = (found.score[found.kind == k] for k in (0, 1, 2))
    hits, false, weights = [], [], []
    for fold in np.unique(found.fold):
        inside = found.fold == fold
        rest = Found(*(getattr(found, f)[~inside] for f in Found.__annotations__))
        limit = threshold(rest)
        hits.append(found.score[inside & (found.kind == 0)] > limit)
        for kind, share in ((2, 1 - RELATED), (1, RELATED)):
            values = found.score[inside & (found.kind == kind)] > limit
            if len(values):
                false.append(share * values.mean())
                weights.append(share)
    row = {
        "auc": auc(same, other),
        "tpr": float(np.concatenate(hits).mean()),
        "fpr": float(sum(false) / sum(weights)),
        "auc_related": auc(same, related) if len(related) else float("nan"),
        "tpr_related_5": float(np.mean(same > np.quantile(related, 0.95))) if len(related) else 0.0,
    }
    kept = found.kind != 1
    pairs = Pairs(found.score[kept], found.kind[kept] == 0, found.a[kept], found.b[kept])
    fold_of = {int(u): int(f) for u, f in zip(found.a, found.fold, strict=True)}
    tested = validated(pairs, fold_of)
    if tested is not None:
        row["cllr"] = metrics.cllr(*tested)
        row["cllr_min"] = metrics.cllr_min(*tested)
        row["floor"] = metrics.cllr_floor(units, effective_different(pairs))
    return row


def same_model(folder: Path, sizes: Sizes | None, view: str = "raw") -> dict[str, Any]:
    """Same model or not, on disjoint prompts and models that the fit did not see."""
    data = corpus(folder, "alpaca_eval", view)
    changed = corpus(folder, "alpaca_eval", view, changed=True)
    rng = np.random.default_rng(0)
    fold, seen = folds_of(data.unit, rng), rng.permutation(int(data.prompt.max()) + 1)
    fitted = np.isin(data.prompt, seen[: len(seen) // 2])
    unit = data.unit[data.model]
    found: dict[Any, list[Found]] = {}
    for f in range(FOLDS):
        train = np.flatnonzero((fold[unit] != f) & fitted)
        space = fit(data.training.only(train), rng=np.random.default_rng(f), sizes=sizes)
        test = np.flatnonzero((fold[unit] == f) & ~fitted)
        rows = rows_of(data.training, test, space)
        altered = space_rows(space, changed, test)
        for repeat in range(REPEATS):
            g = np.random.default_rng(100 + repeat)
            prompts = g.permutation(np.unique(data.prompt[test]))
            halves = prompts[: len(prompts) // 2], prompts[len(prompts) // 2 :]
            for n in TARGETS:
                a = bundles(rows, data, test, halves[0], n, g)
                b = bundles(rows, data, test, halves[1], n, g)
                c = bundles(altered, data, test, halves[1], n, g)
                for key, other in ((n, b), (f"{n} re-formatted", c)):
                    made = scores(list(a.values()), list(other.values()), space)
                    found.setdefault(key, []).append(compared(made, data, list(a), list(other), f))
    result: dict[str, Any] = {}
    plain = {}
    for key, parts in found.items():
        whole = Found.joined(parts)
        if isinstance(key, int):
            plain[key] = whole
            result[str(key)] = described(whole, len(fold))
        else:
            limit = threshold(plain[int(key.split()[0])])
            same, other = whole.score[whole.kind == 0], whole.score[whole.kind == 2]
            result[key] = {
                "tpr": float((same > limit).mean()),
                "fpr": float((other > limit).mean()),
            }
    return result


def baselines(folder: Path) -> dict[str, Any]:
    """Cosine of character and of word n-grams, Burrows' and cosine Delta, on the same bundles."""
    frame = pd.read_parquet(folder / "alpaca_eval.parquet").dropna(subset=["output"])
    frame["output"] = frame["output"].str.strip()
    frame = frame[frame.output != ""].reset_index(drop=True)
    data = corpus(folder, "alpaca_eval")
    rng = np.random.default_rng(0)
    fold, seen = folds_of(data.unit, rng), rng.permutation(int(data.prompt.max()) + 1)
    test = np.flatnonzero(~np.isin(data.prompt, seen[: len(seen) // 2]))
    rows: dict[str, Any] = {}
    for name in ("char_ngrams", "word_ngrams"):
        parts = [b[name] for b in blocks(named(name), frame.output.iloc[test])]
        weights = LogTfIdf.fitted(parts, keep=30_000)
        rows[name] = sp.csr_array(sp.vstack([weights.apply(p) for p in parts], format="csr"))
    parts = [
        np.asarray(b["function_words"])
        for b in blocks(named("function_words"), frame.output.iloc[test])
    ]
    rows["function_words"] = np.concatenate(parts)
    result: dict[str, Any] = {}
    model, prompt, unit = data.model[test], data.prompt[test], data.unit
    for n in TARGETS:
        found: dict[str, list[Found]] = {}
        for repeat in range(REPEATS):
            g = np.random.default_rng(100 + repeat)
            prompts = g.permutation(np.unique(prompt))
            halves = prompts[: len(prompts) // 2], prompts[len(prompts) // 2 :]
            chosen = [
                [
                    g.permutation(np.flatnonzero((model == m) & np.isin(prompt, h)))[:n]
                    for m in range(len(data.names))
                ]
                for h in halves
            ]
            for name, values in rows.items():
                a, b = (
                    np.array([np.asarray(values[c].mean(axis=0)).ravel() for c in side])
                    for side in chosen
                )
                for label, made in _distances(name, a, b):
                    for f in range(FOLDS):
                        own = np.flatnonzero(fold[unit] == f)
                        part = made[np.ix_(own, own)]
                        found.setdefault(label, []).append(
                            compared(part, data, own.tolist(), own.tolist(), f)
                        )
        for label, parts in found.items():
            result[f"{label}, {n}"] = described(Found.joined(parts), len(fold))
    return result


def _distances(name: str, a: np.ndarray, b: np.ndarray) -> list[tuple[str, np.ndarray]]:
    def cosine(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
        y = y / np.maximum(np.linalg.norm(y, axis=1, keepdims=True), 1e-12)
        return x @ y.T

    if name != "function_words":
        centre = np.concatenate([a, b]).mean(axis=0)
        kind = "character" if name == "char_ngrams" else "word"
        return [(f"{kind} TF-IDF, centred cosine", cosine(a - centre, b - centre))]
    both = np.concatenate([a, b])
    spread = both.std(axis=0)
    kept = spread > 0
    x, y = ((v - both.mean(axis=0))[:, kept] / spread[kept] for v in (a, b))
    burrows = -np.abs(x[:, None, :] - y[None, :, :]).mean(axis=-1)
    return [("Burrows' Delta", burrows), ("cosine Delta", cosine(x, y))]


def closed_set(folder: Path) -> dict[str, Any]:
    """Top-1 among all models and the share of right families, at 1, 10 and 100 outputs."""
    data = corpus(folder, "alpaca_eval")
    rng = np.random.default_rng(0)
    seen = rng.permutation(int(data.prompt.max()) + 1)
    half, third = len(seen) // 2, 3 * len(seen) // 4
    train = np.flatnonzero(np.isin(data.prompt, seen[:half]))
    space = fit(data.training.only(train), rng=np.random.default_rng(1))
    test = np.flatnonzero(np.isin(data.prompt, seen[half:]))
    rows = rows_of(data.training, test, space)
    known = bundles(rows, data, test, seen[half:third], 60, rng)
    result = {}
    for n in (1, 10, 100):
        right, family, tried = 0, 0, 0
        for repeat in range(20 if n == 1 else 5):
            g = np.random.default_rng(200 + repeat)
            suspects = bundles(rows, data, test, seen[third:], n, g)
            made = scores(list(suspects.values()), list(known.values()), space)
            best = np.array(list(known))[made.argmax(axis=1)]
            own = np.array(list(suspects))
            right += int((best == own).sum())
            family += int((data.family[best] == data.family[own]).sum())
            tried += len(own)
        result[str(n)] = {"top1": right / tried, "family": family / tried, "tried": tried}
    return result


def transfer(folder: Path) -> dict[str, Any]:
    """A space fitted on one corpus, used on others: unseen models, prompts and genres."""
    result = {}
    data = {n: corpus(folder, n) for n in ("alpaca_eval", "stories", "misguided", "reasoning_gsm")}
    for source in ("alpaca_eval", "reasoning_gsm"):
        space = fit(data[source].training, rng=np.random.default_rng(1))
        for target, own in data.items():
            if target == source:
                continue
            every = np.arange(len(own.model))
            rows = space_rows(space, own, every)
            for n in (25, 40) if target == "misguided" else (25, 60, 100):
                g, parts = np.random.default_rng(7), []
                for _ in range(REPEATS):
                    prompts = g.permutation(np.unique(own.prompt))
                    a = bundles(rows, own, every, prompts[: len(prompts) // 2], n, g)
                    b = bundles(rows, own, every, prompts[len(prompts) // 2 :], n, g)
                    if len(a) < 8 or len(b) < 8:
                        continue
                    made = scores(list(a.values()), list(b.values()), space)
                    parts.append(compared(made, own, list(a), list(b), 0))
                if parts:
                    whole = Found.joined(parts)
                    same, other = whole.score[whole.kind == 0], whole.score[whole.kind == 2]
                    result[f"{source} → {target}, {n}"] = {
                        "auc": auc(same, other),
                        "tpr": float(np.mean(same > np.quantile(other, 0.99))),
                        "models": len(a),
                    }
    return result


def show(title: str, rows: dict[str, dict[str, float]]) -> None:
    print(f"\n{title}")
    for name, row in rows.items():
        cells = "  ".join(
            f"{k} {v:.3f}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()
        )
        print(f"  {name:34s} {cells}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--corpora", type=Path, default=Path("../shared/corpora"))
    tasks = ("same", "canonical", "large", "baselines", "closed", "transfer")
    parser.add_argument("--only", choices=tasks)
    arguments = parser.parse_args()
    if not (arguments.corpora / "alpaca_eval.parquet").is_file():
        print(f"no corpora at {arguments.corpora}: nothing was measured", file=sys.stderr)
        return 1
    results = json.loads(OUT.read_text(encoding="utf-8")) if OUT.is_file() else {}
    runs = {
        "same": ("same model or not, raw view", lambda c: same_model(c, None)),
        "canonical": ("the same, canonical view", lambda c: same_model(c, None, "canonical")),
        "large": ("the same, a large space", lambda c: same_model(c, LARGE)),
        "baselines": ("baselines", baselines),
        "closed": ("closed set", closed_set),
        "transfer": ("other corpora", transfer),
    }
    for name, (title, run) in runs.items():
        if arguments.only in (None, name):
            results[name] = run(arguments.corpora)
            show(title, results[name])
            OUT.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print("\nTargets at 25 / 100 outputs: TPR at 1% FPR .55 / .95, Cllr .22 / .06; related at 100:")
    print("TPR at 5% .85, AUC .975; closed set of 91 at 1/10/100: .30 / .73 / .90, family .98;")
    print("re-formatted suspect at 100, canonical view: TPR .85.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
