"""The way of a study, on one page: prepare → record → analyse → write.

``sides.py`` reads what the caller names, ``recording.py`` asks, ``analysis.py`` concludes,
``finished.py`` is what comes back; ``comparison.py`` puts them together. It runs forward only:
`analyse` is a function of the store alone, which is what lets a stranger recompute the verdict.
"""

from __future__ import annotations

from provenance.sampling.prepare import Prepared
from provenance.sampling.runner import Progress
from provenance.study.analysis import analyse, report
from provenance.study.comparison import acompare, compare, prepare, sample
from provenance.study.finished import Study
from provenance.study.recording import pilot, record

__all__ = [
    "Prepared",
    "Progress",
    "Study",
    "acompare",
    "analyse",
    "compare",
    "pilot",
    "prepare",
    "record",
    "report",
    "sample",
]
