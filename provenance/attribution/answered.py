"""The answers of a library's models to prompts that many of them were asked, as sketches.

A store keeps a copy of it, as of `enrolled.Enrolled`, so that whoever verifies a study needs no
library. Where a library has no sketches there is none, and nothing is compared prompt by prompt.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from provenance.attribution.gathering import kinds_of
from provenance.attribution.matched import Alike, cosine_weights, draws_alike
from provenance.attribution.own_draws import OwnDraws
from provenance.canonical import digest
from provenance.errors import EvidenceError
from provenance.library.population import Bundle, Library, answers
from provenance.library.relations import Relations
from provenance.library.sketches import CHANNELS, DIMENSIONS, scheme

__all__ = ["FEWEST_PROMPTS", "Answered", "AnsweredModel", "Battery"]

FEWEST_PROMPTS = 5
MOST = 45_000  # answers in a copy: 50 MB
_FEWEST_KEPT = 16  # prompts, however many the models
_SHARE = 0.5  # of the models of a kind that must have answered a prompt

Rows = NDArray[np.float32]
Codes = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class AnsweredModel:
    """One model, a version of it, and the kind of prompts that it answered.

    ``kind`` is that of `gathering.kinds_of`, ``genre`` what its bundles state.
    """

    name: str
    version: str
    unit: str
    genre: str
    kind: str

    @property
    def key(self) -> tuple[str, str, str]:
        """As models of `Enrolled` are told apart."""
        return self.name, self.version, self.genre


@dataclass(frozen=True, slots=True)
class Battery:
    """Prompts that half of the models of a kind answered or more, and who these models are."""

    kind: str
    prompts: tuple[str, ...]
    models: tuple[int, ...]

    @property
    def digest(self) -> str:
        """SHA-256 over the prompts."""
        return digest({"matched": list(self.prompts)})


@dataclass(frozen=True, slots=True)
class Answered:
    """Answers of many models.

    Attributes
    ----------
    scheme
        Digest of what the sketches are.
    models
        Who they are.
    prompts
        Digests of the prompts.
    model, prompt, session
        Shape (answers,): codes of the model, the prompt, and the model's session, the oldest 0.
    sketches
        Shape (answers, d). Draws of one prompt stand in the order in which they are used.
    """

    scheme: str
    models: tuple[AnsweredModel, ...]
    prompts: tuple[str, ...]
    model: Codes
    prompt: Codes
    session: Codes
    sketches: NDArray[np.int8]

    @classmethod
    def of(
        cls,
        library: Library,
        *,
        relations: Relations | None = None,
        bundles: Sequence[Bundle] | None = None,
        genre: str = "",
    ) -> Answered | None:
        """Take the sketches of a library; None where it has none.

        Parameters
        ----------
        relations
            Labels over those of the library.
        bundles
            Of these only.
        genre
            Of bundles that do not state theirs, for ``kind``.
        """
        wanted = library.bundles() if bundles is None else bundles
        found = answers.load(library, wanted)
        there = [b for b in wanted if b.id in found]
        if not there:
            return None
        labels = library.relations()
        if relations is not None:
            labels = Relations(models={**labels.models, **relations.models})
        kinds = kinds_of(library, there, genre)
        grouped: dict[tuple[str, str, str, str], list[Bundle]] = {}
        for b in there:
            grouped.setdefault((b.model, b.version, b.genre, kinds[b.id]), []).append(b)
        codes = {p: i for i, p in enumerate(sorted({p for a in found.values() for p in a.prompts}))}
        model, prompt, session = [], [], []
        for k, (_, own) in enumerate(sorted(grouped.items())):
            for s, b in enumerate(sorted(own, key=lambda b: (b.date_utc, b.id))):
                asked = found[b.id].prompts
                model += [k] * len(asked)
                session += [s] * len(asked)
                prompt += [codes[p] for p in asked]
        ordered = [
            found[b.id].sketches
            for _, own in sorted(grouped.items())
            for b in sorted(own, key=lambda b: (b.date_utc, b.id))
        ]
        made = cls(
            scheme(),
            tuple(
                AnsweredModel(name, version, labels.unit_of(name), stated, kind)
                for name, version, stated, kind in sorted(grouped)
            ),
            tuple(codes),
            np.array(model, dtype=np.int64),
            np.array(prompt, dtype=np.int64),
            np.array(session, dtype=np.int64),
            np.concatenate(ordered),
        )
        return made._bounded()

    def _bounded(self) -> Answered:
        """At most about `MOST` answers: fewer draws a prompt first, then fewer prompts.

        Which ones hangs on digests and counts alone, so that a calibration finds them again.
        """
        made = self if len(self.model) <= MOST else self._only(self._turns() < 2)
        if len(made.model) > MOST:
            fewer = max(_FEWEST_KEPT, len(made.prompts) * MOST // len(made.model))
            made = made._only(made.prompt < fewer)
        return made

    def _only(self, kept: NDArray[np.bool_]) -> Answered:
        return replace(
            self,
            model=self.model[kept],
            prompt=self.prompt[kept],
            session=self.session[kept],
            sketches=self.sketches[kept],
        )

    def _turns(self) -> Codes:
        """Number of each answer among those of its model to its prompt, sessions in order."""
        group = self.model * len(self.prompts) + self.prompt
        order = np.lexsort((self.session, group))  # stable: draws keep their order
        starts = np.flatnonzero(np.diff(group[order], prepend=-1))
        turn = np.empty(len(group), dtype=np.int64)
        sizes = np.diff(np.append(starts, len(group)))
        turn[order] = np.arange(len(group)) - np.repeat(starts, sizes)
        return turn

    def batteries(self) -> list[Battery]:
        """Of each kind; those of fewer than `FEWEST_PROMPTS` prompts are left out."""
        found = []
        for kind in sorted({m.kind for m in self.models}):
            own = [k for k, m in enumerate(self.models) if m.kind == kind]
            pairs = np.unique(np.stack([self.model, self.prompt]), axis=1)
            counts = np.bincount(pairs[1][np.isin(pairs[0], own)], minlength=len(self.prompts))
            common = np.flatnonzero(counts >= max(2, _SHARE * len(own)))
            if len(common) >= FEWEST_PROMPTS:
                asked = tuple(self.prompts[i] for i in common)
                found.append(Battery(kind, asked, tuple(own)))
        return found

    def within(self, battery: Battery) -> Answered:
        """The models of one battery and its prompts only, in their order."""
        place = {p: i for i, p in enumerate(self.prompts)}
        prompts = np.full(len(self.prompts), -1)
        prompts[[place[p] for p in battery.prompts]] = np.arange(len(battery.prompts))
        models = np.full(len(self.models), -1)
        models[list(battery.models)] = np.arange(len(battery.models))
        kept = (prompts[self.prompt] >= 0) & (models[self.model] >= 0)
        return replace(
            self,
            models=tuple(self.models[k] for k in battery.models),
            prompts=battery.prompts,
            model=models[self.model[kept]],
            prompt=prompts[self.prompt[kept]],
            session=self.session[kept],
            sketches=self.sketches[kept],
        )

    def __len__(self) -> int:
        return len(self.models)

    @property
    def units(self) -> Codes:
        """Shape (models,): codes of their units."""
        codes = {u: i for i, u in enumerate(dict.fromkeys(m.unit for m in self.models))}
        return np.array([codes[m.unit] for m in self.models], dtype=np.int64)

    def everything(self) -> Rows:
        """Mean answer of each model to each prompt, shape (models, prompts, d); NaN where none."""
        return self._means(np.ones(len(self.model), dtype=bool))

    def weights(self) -> Floats:
        """How much each channel counts at each prompt; it hangs on the models alone."""
        return cosine_weights(self.everything(), self.units, CHANNELS)

    def own_draws(self) -> OwnDraws:
        """How alike draws of each model are, prompt by prompt."""
        enrolled, _ = self._split()
        held = self._only(enrolled)
        everything, weights = self.everything(), self.weights()

        def alike(these: Answered) -> Alike:
            turns = these._turns()
            return draws_alike(
                these._means(turns == 0),
                these._means(turns == 1),
                everything,
                own=self.units,
                units=self.units,
                channels=CHANNELS,
                weights=weights,
            )

        times = np.bincount(
            held.model * len(self.prompts) + held.prompt, minlength=len(self) * len(self.prompts)
        ).reshape(len(self), -1)
        draws = [float(np.median(own[own > 0])) if own.any() else 1.0 for own in times]
        return OwnDraws(alike(held), alike(self), np.array(draws))

    def first(self, draws: int) -> Rows:
        """Mean of the first draws of each model and prompt, shape (models, prompts, d)."""
        return self._means(self._turns() < draws)

    def halves(self, draws: int) -> tuple[Rows, Rows]:
        """Answers that are enrolled, and answers that stand in for a suspect's; no draw is in both.

        Of a prompt that a model answered in several sessions the oldest is enrolled, and the second
        stands in. Of one in a single session half of the draws are enrolled, the larger half where
        their number is odd.

        Parameters
        ----------
        draws
            A prompt, of what stands in, at most.
        """
        enrolled, place = self._split()
        return self._means(enrolled), self._means(~enrolled & (place >= 0) & (place < draws))

    def spare(self) -> int:
        """Draws a prompt that half of the models or more have to stand in for a suspect."""
        enrolled, place = self._split()
        left = np.where(enrolled, 0, place + 1)
        return int(np.median([left[self.model == k].max(initial=0) for k in range(len(self))]))

    def seconds(self) -> int:
        """How many models have draws that stand in for a suspect's."""
        enrolled, place = self._split()
        return len(np.unique(self.model[~enrolled & (place >= 0)]))

    def sessions(self) -> bool:
        """Whether every model's stand-in is of another session than what is enrolled of it."""
        enrolled, place = self._split()
        second = ~enrolled & (place == 0)
        return bool(second.any()) and bool((self.session[second] > 0).all())

    def _split(self) -> tuple[NDArray[np.bool_], Codes]:
        """Of each answer: whether it is enrolled, and its place among those that stand in.

        The place is negative where it is neither, as in a third session.
        """
        group = self.model * len(self.prompts) + self.prompt
        order = np.lexsort((self.session, group))  # stable: draws keep their order
        enrolled = np.zeros(len(group), dtype=bool)
        place = np.full(len(group), -1, dtype=np.int64)
        cuts = np.flatnonzero(np.diff(group[order])) + 1
        for own in np.split(order, cuts) if len(order) else []:
            sessions = np.unique(self.session[own])
            first = own[: (len(own) + 1) // 2]
            rest = own[len(first) :]
            if len(sessions) > 1:
                first = own[self.session[own] == sessions[0]]
                rest = own[self.session[own] == sessions[1]]
            enrolled[first] = True
            place[rest] = np.arange(len(rest))
        return enrolled, place

    def _means(self, chosen: NDArray[np.bool_]) -> Rows:
        shape = (len(self.models), len(self.prompts))
        place = (self.model * shape[1] + self.prompt)[chosen]
        total = np.zeros((shape[0] * shape[1], self.sketches.shape[1]), dtype=np.float32)
        np.add.at(total, place, self.sketches[chosen].astype(np.float32))
        times = np.bincount(place, minlength=len(total))
        total[times > 0] /= times[times > 0, None]
        total[times == 0] = np.nan
        return total.reshape(*shape, -1)

    def to_json(self) -> dict[str, Any]:
        """As kept in the evidence of a study."""
        return {
            "scheme": self.scheme,
            "models": [[m.name, m.version, m.unit, m.genre, m.kind] for m in self.models],
            "prompts": list(self.prompts),
            "model": self.model.tolist(),
            "prompt": self.prompt.tolist(),
            "session": self.session.tolist(),
            "sketches": base64.b64encode(self.sketches.tobytes()).decode("ascii"),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Answered:
        """Read back `to_json`.

        Raises
        ------
        EvidenceError
            If it is not what `to_json` writes, or holds sketches of another scheme.
        """
        try:
            raw = base64.b64decode(content["sketches"], validate=True)
            made = cls(
                scheme=str(content["scheme"]),
                models=tuple(AnsweredModel(*map(str, row)) for row in content["models"]),
                prompts=tuple(map(str, content["prompts"])),
                model=np.array(content["model"], dtype=np.int64),
                prompt=np.array(content["prompt"], dtype=np.int64),
                session=np.array(content["session"], dtype=np.int64),
                sketches=np.frombuffer(raw, dtype=np.int8).reshape(-1, DIMENSIONS),
            )
            made._require_whole()
        except (KeyError, TypeError, ValueError) as error:
            raise EvidenceError(f"the copy of the library's answers: {error}") from None
        return made

    def _require_whole(self) -> None:
        if self.scheme != scheme():
            raise ValueError(
                f"its sketches are of the scheme {self.scheme[:12]}…, of another version"
            )
        lengths = {len(self.model), len(self.prompt), len(self.session), len(self.sketches)}
        if len(lengths) != 1:
            raise ValueError(f"its columns hold {sorted(lengths)} answers")
        for name, codes, many in (
            ("model", self.model, len(self.models)),
            ("prompt", self.prompt, len(self.prompts)),
        ):
            if len(codes) and (codes.min() < 0 or codes.max() >= many):
                raise ValueError(f"a code of a {name} is out of range")
