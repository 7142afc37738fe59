"""Studies of a tiny battery through the whole pipeline, in memory: from records to the label.

Answers of a chunk of simulated studies are laid out by the plan that the sampler uses, read,
watched by the sequential test, which may stop the study, tested by family and against a panel,
examined for order and failures, and judged: `analyse_transcript` and nothing else decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from _null_studies import CATEGORIES, Chunk, texts_of
from numpy.typing import NDArray

from provenance.attribution.assemble import analyse_transcript
from provenance.attribution.betting import Betting
from provenance.attribution.observations import CellObservations, Observations
from provenance.battery import Cell
from provenance.findings import StudyDocument
from provenance.library.panel import Member, Panel
from provenance.sampling.plan import RULES, make_plan
from provenance.stats.layout import CellDraws
from provenance.transcript import ROLES, Completion, Failure, Message, Record, Transcript

# α = .01 over two families, the panel and a fifth for the sequential test needs 374.
RESAMPLES = 399
DIGEST = "0" * 64
LEVELS = (0.05, 0.01)
_WHO = {False: "reference", True: "suspect"}


def cells_of(number: int, texts: bool) -> list[Cell]:
    """A battery: short answers, and texts in the last cell if asked for."""
    return [
        Cell(
            id=f"cell-{c}",
            probe=f"cell-{c}",
            family="prose" if texts and c == number - 1 else "one_token",
            reading="text",
            messages=(Message(role="user", content=f"question {c}"),),
            max_visible_tokens=8,
        )
        for c in range(number)
    ]


def panel_of(rng: np.random.Generator, cells: list[Cell]) -> Panel:
    """One substitute with random tables of 100 draws in the cells with short answers."""
    tables = {}
    for cell in cells:
        if cell.family == "one_token":
            counts = np.bincount(rng.choice(CATEGORIES, 100, p=rng.dirichlet(np.ones(CATEGORIES))))
            tables[cell.id] = {f"a{k}": int(n) for k, n in enumerate(counts) if n}
    member = Member(name="other", source="simulated", licence="none", cells=tables)
    return Panel(name="simulated", measured_utc="2026-11-25", members=(member,))


class Way:
    """Studies of one shape.

    Parameters
    ----------
    texts
        Whether the last cell has texts.
    sequential
        Whether the study may stop early; there is a panel then too.
    permute
        Whether answers are permuted over the sides within blocks (cells, without blocks) before
        they are laid out: then the null holds whatever they were drawn from.
    """

    def __init__(self, *, texts: bool = False, sequential: bool = False, permute: bool = False):
        self.texts, self.sequential, self.permute = texts, sequential, permute

    def documents(
        self, rng: np.random.Generator, chunk: Chunk, i: int
    ) -> Mapping[float, StudyDocument | None]:
        """The study's document at each level; None where a larger level already said no."""
        state = int(rng.integers(2**62))
        first = self.document(np.random.default_rng(state), chunk, i, LEVELS[0])
        # Draws, tests and relabellings are the same at all levels: what .05 lets pass, .01 does.
        rejected = first.verdict.label == "different"
        return {LEVELS[0]: first} | {
            alpha: self.document(np.random.default_rng(state), chunk, i, alpha)
            if rejected
            else None
            for alpha in LEVELS[1:]
        }

    def document(
        self, rng: np.random.Generator, chunk: Chunk, i: int, alpha: float
    ) -> StudyDocument:
        """The study's document at one level."""
        cells = cells_of(chunk.shape.cells, self.texts)
        answers, kept = self._answers(rng, chunk, i)
        panel = panel_of(np.random.default_rng(5), cells) if self.sequential else None
        seed = int(rng.integers(2**31))
        return self._study(chunk, cells, answers, kept, panel, seed, alpha)

    def _answers(
        self, rng: np.random.Generator, chunk: Chunk, i: int
    ) -> tuple[list[list[str]], NDArray[np.bool_]]:
        codes, kept = chunk.codes[i], chunk.kept[i]
        if self.permute:
            size = 1 + chunk.shape.ratio if chunk.shape.blocked else chunk.shape.n
            units = codes.reshape(-1, size)
            codes = rng.permuted(units, axis=1).reshape(codes.shape)
        answers = [[f"a{k}" for k in row] for row in codes.tolist()]
        if self.texts:
            answers[-1] = [f"{t} and so on and so on" for t in texts_of(codes[-1], rng)]
        return answers, kept

    def _study(
        self,
        chunk: Chunk,
        cells: list[Cell],
        answers: list[list[str]],
        kept: NDArray[np.bool_],
        panel: Panel | None,
        seed: int,
        alpha: float,
    ) -> StudyDocument:
        shape = chunk.shape
        header: dict[str, Any] = {
            "rules": dict(RULES) | {"minimum_resamples": RESAMPLES, "halvings": 2},
            "settings": {"alpha": alpha, "delta": 0.1, "sequential": self.sequential},
            "blocked": shape.blocked,
            "question": "compare",
            "declaration": {},
            "endpoints": {r: f"simulated:models.toml,model={r}" for r in ROLES},
            "battery": {"name": "tiny", "digest": DIGEST},
            "created_utc": "2026-11-25T00:00:00+00:00",
            "environment": {},
            "notes": [],
            "prices": dict.fromkeys(ROLES),
        }
        draws = {
            "reference": [shape.draws * shape.ratio] * shape.cells,
            "suspect": [shape.draws] * shape.cells,
        }
        plan = make_plan(header, cells, draws, seed=seed, blocked=shape.blocked)
        as_json = plan.to_json()
        places = {_WHO[s]: np.flatnonzero(shape.suspect == s) for s in (False, True)}
        betting = Betting(as_json, cells, panel) if self.sequential else None
        records, events = [], []
        for slot in plan.slots:
            place = int(places[slot.role][slot.draw])
            # Without blocks the sides are recorded one after the other.
            second = slot.index + (0 if shape.blocked or slot.role == "reference" else 10_000)
            record = _record(
                slot, cells[slot.cell].id, second, answers[slot.cell][place], kept[slot.cell, place]
            )
            records.append(record)
            if betting is not None and betting.watch(record):
                if slot.index + 1 < len(plan.slots):
                    events = [{"kind": "stopped_early", "values": {"slots": slot.index + 1}}]
                break
        return analyse_transcript(
            as_json,
            cells,
            Transcript(records),
            events,
            plan_digest=DIGEST,
            root=None,
            panel=panel,
        )


def timed_observations(chunk: Chunk, i: int, rng: np.random.Generator) -> Observations:
    """A study of texts as it is read: the sides in turn, cell after cell in each round.

    Texts of one beginning are one category, so that a category has many texts.
    """
    observed = []
    answers = [texts_of(codes, rng) for codes in chunk.codes[i]]
    nothing = CellDraws(np.zeros(0, np.intp), (), np.zeros(0, np.bool_), None)
    counted = dict.fromkeys(ROLES, 0)
    for number, (cell, texts) in enumerate(zip(cells_of(len(answers), True), answers, strict=True)):
        records = tuple(
            Record.model_construct(
                slot=place * len(answers) + number,
                role=_WHO[bool(side)],
                started_utc=f"{place:04d}",
                completion=Completion.model_construct(text=text),
            )
            for place, (side, text) in enumerate(zip(chunk.shape.suspect, texts, strict=True))
        )
        draws = replace(nothing, texts=texts)
        observed.append(
            CellObservations(
                cell=cell,
                records=records,
                categories=tuple(text[0] for text in texts),
                texts=texts,
                draws=draws,
                available=draws,
                answered=counted,
                failed=counted,
                asked_again=counted,
            )
        )
    return Observations(tuple(observed), blocked=True, blocks_out_of_time=0)


def _record(slot: Any, cell: str, second: int, answer: str, answered: bool) -> Record:
    time = f"2026-11-25T{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}+00:00"
    failure = Failure(kind="server_error", message="simulated")
    return Record(
        slot=slot.index,
        role=slot.role,
        cell=cell,
        draw=slot.draw,
        block=slot.block,
        attempt=0,
        final=True,
        started_utc=time,
        elapsed_s=0.1,
        request_sha256=DIGEST,
        response_sha256=DIGEST,
        completion=Completion(text=answer) if answered else None,
        failure=None if answered else failure,
    )


def diagnosed(document: StudyDocument) -> bool:
    """Whether a diagnostic speaks at the level that the rules of the plan give it."""
    rules = document.settings["rules"]
    for finding in document.findings:
        kind = finding.name.split("/")[0]
        p = finding.p_value if finding.p_adjusted is None else finding.p_adjusted
        if p is None:
            continue
        if kind in ("repeats", "drift") and p <= rules["serial_alpha"]:
            return True
        if kind == "failure_rates" and p <= rules["failure_alpha"]:
            return True
    return False


def rejects(document: StudyDocument, alpha: float) -> bool:
    """Whether a family rejects, whatever the diagnostics say."""
    found = [f.p_adjusted for f in document.findings if f.name.startswith("equality/")]
    return any(p is not None and p <= alpha for p in found)
