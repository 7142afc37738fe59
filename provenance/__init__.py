"""Compare language-model endpoints with exact tests, and write down the evidence.

>>> import provenance
>>> study = provenance.compare("simulated:models.toml,model=a", "simulated:models.toml,model=b",
...                            seed=1, formats=[])           # doctest: +SKIP
>>> study.verdict.label                                      # doctest: +SKIP
'different'

Names are loaded when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from provenance.battery import Battery, Cell, Probe
    from provenance.endpoint import Endpoint
    from provenance.errors import (
        BudgetExhausted,
        EvidenceError,
        ProvenanceError,
        ProviderError,
        ReferenceStale,
        StoreFinished,
        TamperedEvidence,
        UsageError,
    )
    from provenance.evidence.store import Store
    from provenance.findings import Finding, StudyDocument, Verdict
    from provenance.providers.base import Provider
    from provenance.sampling.runner import Progress
    from provenance.settings import Settings
    from provenance.study import (
        Study,
        acompare,
        analyse,
        attribute,
        compare,
        identify,
        report,
        sample,
    )
    from provenance.transcript import Completion, Failure
    from provenance.verification import verify

__version__ = "0.1.0"

_HOMES = {
    "Battery": "battery",
    "BudgetExhausted": "errors",
    "Cell": "battery",
    "Completion": "transcript",
    "Endpoint": "endpoint",
    "EvidenceError": "errors",
    "Failure": "transcript",
    "Finding": "findings",
    "Probe": "battery",
    "Progress": "sampling.runner",
    "ProvenanceError": "errors",
    "Provider": "providers.base",
    "ProviderError": "errors",
    "ReferenceStale": "errors",
    "Settings": "settings",
    "Store": "evidence.store",
    "StoreFinished": "errors",
    "Study": "study",
    "StudyDocument": "findings",
    "TamperedEvidence": "errors",
    "UsageError": "errors",
    "Verdict": "findings",
    "acompare": "study",
    "analyse": "study",
    "attribute": "study",
    "compare": "study",
    "identify": "study",
    "report": "study",
    "sample": "study",
    "verify": "verification",
}

__all__ = [
    "Battery",
    "BudgetExhausted",
    "Cell",
    "Completion",
    "Endpoint",
    "EvidenceError",
    "Failure",
    "Finding",
    "Probe",
    "Progress",
    "ProvenanceError",
    "Provider",
    "ProviderError",
    "ReferenceStale",
    "Settings",
    "Store",
    "StoreFinished",
    "Study",
    "StudyDocument",
    "TamperedEvidence",
    "UsageError",
    "Verdict",
    "acompare",
    "analyse",
    "attribute",
    "compare",
    "identify",
    "report",
    "sample",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"provenance.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'provenance' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
