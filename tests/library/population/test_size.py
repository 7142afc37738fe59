"""Thousands of models: what is asked is read, in bounded memory, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from provenance.library.parts import PARTS
from provenance.library.population import Bundle, Profile, combined
from provenance.library.relations import Relation

MODELS, DIMENSIONS = 3_000, 64
LOAD = """
import sys, json
from pathlib import Path
import psutil
from provenance.library.population import Library
library = Library.open(Path(sys.argv[1]))
models = library.models()
shown = library.models(["m2999"])
found = library.profiles()
status = Path("/proc/self/status")
peak = psutil.Process().memory_info().rss
if status.is_file():
    peak = next(int(x.split()[1]) * 1024 for x in status.open() if x.startswith("VmHWM"))
print(json.dumps([len(models), len(shown), list(found.mean.shape), peak / 1e6]))
"""


@pytest.fixture
def crowded(library):
    """3,000 profiles, drawn at random."""
    rng = np.random.default_rng(4)
    made, bundles = [], []
    for number in range(MODELS):
        id = f"{number:016x}"
        about = {"host": "h", "date_utc": "2026-11-01", "battery": "0" * 64, "source": "made"}
        numbers = {"battery_name": "style", "prompts": 40, "outputs": 40, "licence": "CC0"}
        bundle = Bundle(
            id=id, model=f"m{number:04}", session="s", digest=id * 4, **about, **numbers
        )
        n = np.full(PARTS, 5)
        mean = rng.normal(size=(PARTS, DIMENSIONS))
        whole = combined(n, mean, np.ones_like(mean))
        made.append(
            Profile("ab" * 32, id, whole.n, whole.mean, whole.variance, n, mean, np.ones_like(mean))
        )
        bundles.append((bundle, ["f" * 16]))
    library.add_foreign(bundles, made)
    library.label({b.model: Relation(family=b.model[:3]) for b, _ in bundles})
    return library


def test_three_thousand_profiles_load_at_once_in_little_memory(crowded):
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(crowded.path)], capture_output=True, text=True, check=True
    )
    models, shown, shape, megabytes = json.loads(done.stdout)
    assert (models, shown, shape) == (MODELS, 1, [MODELS, DIMENSIONS])
    # How long it takes is measured in benchmarks/library_size.py.
    if Path("/proc/self/status").is_file():
        assert megabytes < 300


def test_some_models_are_loaded_without_the_others(crowded):
    some = crowded.profiles(models=["m0007", "m1234"], parts=True, check=True)
    assert [b.model for b in some.bundles] == ["m0007", "m1234"]
    assert some.part_mean.shape == (2, PARTS, DIMENSIONS)
