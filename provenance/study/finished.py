"""A finished study: the document, where its evidence lies, and what was written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from provenance import dossier
from provenance.errors import UsageError
from provenance.evidence.store import Store
from provenance.findings import Finding, StudyDocument, Verdict
from provenance.transcript import Transcript

if TYPE_CHECKING:
    import pandas as pd

FrameName = Literal["cells", "findings", "completions"]


@dataclass(frozen=True, slots=True)
class Study:
    """A finished study.

    Attributes
    ----------
    document
        Everything that a reader may see; the same as ``study.json``.
    store
        The folder with the evidence.
    written
        The dossiers, by format.
    """

    document: StudyDocument
    store: Path
    written: Mapping[str, Path] = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        """The label, its null hypothesis, and the reasons."""
        return self.document.verdict

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All tests and measures."""
        return self.document.findings

    @property
    def unanswered(self) -> tuple[str, ...]:
        """Sides that were asked and gave no answer; where texts are compared, no text."""
        coverage = self.document.coverage
        asked = ("suspect",) if self.document.question == "identify" else ("reference", "suspect")
        reasons = self.document.verdict.reasons
        empty = {r.values["side"] for r in reasons if r.code == "only_empty_answers"}
        return tuple(role for role in asked if getattr(coverage, role) == 0 or role in empty)

    def frame(self, name: FrameName = "cells") -> pd.DataFrame:
        """A pandas frame: ``cells`` (a row a category), ``findings``, or ``completions``."""
        import pandas as pd

        if name == "findings":
            return pd.DataFrame([f.model_dump() for f in self.findings])
        if name == "cells":
            rows = [
                {"cell": cell.id, "family": cell.family, "side": side, "category": c, "count": n}
                for cell in self.document.cells
                for side, counts in (("reference", cell.reference), ("suspect", cell.suspect))
                for c, n in counts.items()
            ]
            columns = ["cell", "family", "side", "category", "count"]
            return pd.DataFrame(rows, columns=columns)
        if name == "completions":
            return pd.DataFrame(completion_rows(self.store))
        raise UsageError(f"no frame {name!r}: cells, findings or completions")

    def write(self, path: str | Path) -> Path:
        """Write the dossier; the ending decides the format (.md .pdf .html .json)."""
        path = Path(path)
        return dossier.write(self.document, path, path.suffix.lstrip("."))


def completion_rows(path: Path) -> list[dict[str, Any]]:
    """One row a recorded draw, with its text or how it failed."""
    with Store.open(path) as store:
        return [
            {
                "role": r.role,
                "cell": r.cell,
                "draw": r.draw,
                "block": r.block,
                "started_utc": r.started_utc,
                "text": r.completion.text if r.completion else None,
                "finish_reason": r.completion.finish_reason if r.completion else None,
                "failure": r.failure.kind if r.failure else None,
            }
            for r in Transcript(store.records())
        ]
