"""Habits that a reader can see: which of them a suspect shares with a model and few others have.

Descriptive and chosen after looking. No number of a verdict rests on them; they show what a
likeness looks like, with the suspect's own words as examples.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from provenance.canonical import digest
from provenance.evidence.files import write_atomically
from provenance.findings import Habit
from provenance.library.population import Library
from provenance.transcript import Completion

__all__ = ["HABITS", "Habits", "between", "rates", "shared_habits"]

Floats = NDArray[np.float64]
_LINES = re.MULTILINE
# What is looked for, as a share of outputs; the line that shows it is quoted.
HABITS: Mapping[str, re.Pattern[str]] = {
    "a heading": re.compile(r"^#{1,6} .{0,80}", _LINES),
    "bold text": re.compile(r"\*\*[^*\n]{1,80}\*\*"),
    "a bold lead-in with the colon inside": re.compile(r"\*\*[^*\n]{1,60}:\*\*"),
    "a bold lead-in with the colon outside": re.compile(r"\*\*[^*\n]{1,60}\*\*:"),
    "dash bullets": re.compile(r"^\s{0,8}- .{0,80}", _LINES),
    "star bullets": re.compile(r"^\s{0,8}\* .{0,80}", _LINES),
    "bullet signs": re.compile(r"^\s{0,8}[•·▪] .{0,80}", _LINES),
    "a numbered list": re.compile(r"^\s{0,8}\d{1,3}\. .{0,80}", _LINES),
    "numbers with a bracket": re.compile(r"^\s{0,8}\d{1,3}\) .{0,80}", _LINES),
    "a table": re.compile(r"^\|.{1,120}\|\s*$", _LINES),
    "a horizontal rule": re.compile(r"^(?:---+|\*\*\*+|___+)\s*$", _LINES),
    "a code fence": re.compile(r"^```.{0,40}", _LINES),
    "a formula in brackets": re.compile(r"\\[\[(].{0,80}"),
    "a formula between dollars": re.compile(r"\$[^$\n]{1,80}\$"),
    "an emoji": re.compile("[\U0001f300-\U0001faff\u2600-\u27bf]"),
    "an em dash without spaces": re.compile(r"\w{1,20}—\w{1,20}"),
    "an em dash with spaces": re.compile(r"\w{1,20} — \w{1,20}"),
    "a spaced hyphen as a dash": re.compile(r"\w{1,20} - \w{1,20}"),
    "curly quotes": re.compile(r"[“”][^\n“”]{0,60}"),
    "a curly apostrophe": re.compile(r"\w{1,20}’\w{1,10}"),
    "an ellipsis sign": re.compile(r".{0,30}…"),
    "two spaces after a full stop": re.compile(r"\w{1,20}\.  [A-Z]\w{0,20}"),
    "an opening that agrees": re.compile(
        r"\A\s*(?:Sure|Certainly|Of course|Absolutely|Great|Yes)\b.{0,80}"
    ),
    "an opening with Here": re.compile(r"\A\s*Here(?:'s|’s| is| are)\b.{0,80}"),
    "an opening with a heading": re.compile(r"\A\s*(?:#{1,6} |\*\*).{0,80}"),
    "an opening with the question restated": re.compile(r"\A\s*To \w{1,20}.{0,80}"),
    "an apology": re.compile(r"(?i)\b(?:I apologi[sz]e|I'm sorry|sorry for)\b.{0,60}"),
    "self-reference as a model": re.compile(
        r"(?i)\bas an? (?:AI|language model|assistant)\b.{0,60}"
    ),
    "an offer of more help": re.compile(
        r"(?i)\b(?:let me know if|feel free to|I hope this helps|would you like me to)\b.{0,60}"
    ),
    "a closing question": re.compile(r"[^\n.!?]{0,80}\?\s*\Z"),
    "a closing summary": re.compile(
        r"(?i)^(?:in (?:conclusion|summary)|overall|ultimately|to summari[sz]e)\b.{0,80}", _LINES
    ),
    "a warning to consult": re.compile(r"(?i)\bconsult (?:a|an|with|your)\b.{0,60}"),
    "It's important to note": re.compile(
        r"(?i)\bit(?:'s|’s| is) (?:important|worth|crucial|essential) (?:to|noting)\b.{0,60}"
    ),
    "not only … but also": re.compile(r"(?i)\bnot only\b.{0,80}"),
    "a step label": re.compile(r"(?i)^\W{0,6}step \d.{0,80}", _LINES),
    "an exclamation at the end": re.compile(r"[^\n.!?]{0,80}!\s*\Z"),
    "First, Second, Finally": re.compile(
        r"^(?:First|Firstly|Second|Finally|Lastly),.{0,80}", _LINES
    ),
}
OUTPUTS = 40  # of a model
MOST_MODELS = 200
_SHOWN = 8
_READ = 20_000  # characters of a text
_FEWEST_OTHERS = 8


@dataclass(frozen=True, slots=True)
class Habits:
    """Rates of the habits in a library.

    Attributes
    ----------
    models
        Names, with units.
    rates
        Shape (models, habits): shares of outputs, in the order of `HABITS`.
    """

    models: tuple[str, ...]
    units: tuple[str, ...]
    rates: Floats

    @classmethod
    def of(cls, library: Library) -> Habits | None:
        """Measure them once and keep them in the library; None where texts are not at hand.

        A library that was shared without texts may hold what was measured where they were.
        """
        models = [m for m in library.models() if m.label.kind == "model"][:MOST_MODELS]
        key = digest({"bundles": sorted(i for m in models for i in m.bundles), "v": list(HABITS)})
        cache = library.path / "habits.json"
        known = _read(cache, key)
        if known is not None:
            return known
        bundles = {b.id: b for b in library.bundles() if b.has_texts}
        models = [m for m in models if any(i in bundles for i in m.bundles)]
        if len(models) < _FEWEST_OTHERS:
            return None
        relations = library.relations()
        rows = []
        for model in models:
            texts: list[str] = []
            for bundle in (bundles[i] for i in model.bundles if i in bundles):
                for output in library.outputs(bundle):
                    if len(texts) < OUTPUTS:
                        texts.append(output.output)
            rows.append(rates(texts))
        made = cls(
            tuple(m.name for m in models),
            tuple(relations.unit_of(m.name) for m in models),
            np.array(np.round(rows, 4), dtype=np.float64),
        )
        content = json.dumps({"key": key, **made.to_json()}, ensure_ascii=True)
        write_atomically(cache, content.encode("ascii"))
        return made

    def only(self, names: Collection[str]) -> Habits:
        """Of some models."""
        kept = [i for i, name in enumerate(self.models) if name in names]
        return Habits(
            tuple(self.models[i] for i in kept),
            tuple(self.units[i] for i in kept),
            self.rates[kept],
        )

    def to_json(self) -> dict[str, Any]:
        """As kept in the evidence of a study."""
        return {
            "models": list(self.models),
            "units": list(self.units),
            "rates": self.rates.tolist(),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Habits:
        """Read back `to_json`."""
        return cls(
            tuple(content["models"]), tuple(content["units"]), np.array(content["rates"], float)
        )


def _read(cache: Any, key: str) -> Habits | None:
    try:
        content = json.loads(cache.read_bytes())
        return Habits.from_json(content) if content["key"] == key else None
    except (OSError, ValueError, KeyError):
        return None


def rates(texts: Sequence[str]) -> Floats:
    """Share of texts with each habit, shape (habits,)."""
    if not texts:
        return np.zeros(len(HABITS))
    cut = [t[:_READ] for t in texts]
    return np.array([np.mean([p.search(t) is not None for t in cut]) for p in HABITS.values()])


def shared_habits(
    completions: Sequence[Completion], known: Habits, model: str
) -> tuple[Habit, ...]:
    """Habits in which suspect and model stand on one side of the models of other units.

    Parameters
    ----------
    completions
        The suspect's.
    known
        Rates in the library.
    model
        The one to compare with, by its name there.

    Returns
    -------
    tuple
        The most unusual first, at most eight; none where the model is not in ``known``.
    """
    rows = [i for i, name in enumerate(known.models) if name == model]
    if not rows or not completions:
        return ()
    others = known.rates[[u != known.units[rows[0]] for u in known.units]]
    return between(completions, known.rates[rows[0]], model, others)


def between(
    completions: Sequence[Completion], own: Floats, model: str, others: Floats
) -> tuple[Habit, ...]:
    """Habits in which a suspect and a model with these rates stand on one side of others.

    Parameters
    ----------
    completions
        The suspect's.
    own
        Shape (habits,): rates of the model.
    model
        How it is to be called.
    others
        Shape (models, habits): rates of unrelated models.
    """
    if not completions or len(others) < _FEWEST_OTHERS:
        return ()
    texts = [c.text[:_READ] for c in completions]
    suspect = rates(texts)
    below = np.mean(others < suspect, axis=0) + np.mean(others == suspect, axis=0) / 2
    own_below = np.mean(others < own, axis=0) + np.mean(others == own, axis=0) / 2
    # On one side of the middle, by the weaker of the two.
    unusual = np.minimum(np.abs(below - 0.5), np.abs(own_below - 0.5))
    unusual[np.sign(below - 0.5) != np.sign(own_below - 0.5)] = 0
    names = list(HABITS)
    found = []
    for i in np.argsort(-unusual)[:_SHOWN]:
        if unusual[i] < 0.25:
            break
        found.append(
            Habit(
                name=names[i],
                model=model,
                unit="share of outputs",
                suspect=float(suspect[i]),
                of_model=float(own[i]),
                population=float(np.median(others[:, i])),
                share_below=float(below[i]),
                quote=_quote(HABITS[names[i]], texts) if below[i] > 0.5 else "",
            )
        )
    return tuple(found)


def _quote(pattern: re.Pattern[str], texts: Sequence[str]) -> str:
    match = next((m for t in texts if (m := pattern.search(t)) is not None), None)
    return "" if match is None else match.group().strip()[:160]
