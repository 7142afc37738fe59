"""Peak memory with 10,000 draws a side, each case in a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import numpy as np
from provenance.stats.fused import fused_test
from provenance.stats.instruments import INSTRUMENTS
from provenance.stats.layout import CellDraws
from provenance.stats.permutation import PermutationNull

name, cells, resamples = {name!r}, {cells}, {resamples}
rng = np.random.default_rng(0)
letters = np.array(list("abcdefghijklmnopqrstuvwxyz ,.?"))
n = 20_000 // cells
draws = [
    CellDraws(
        rng.integers(0, 50, n),
        tuple("".join(row) for row in rng.choice(letters, (n, 200))),
        rng.permutation(n) < n // 2,
        None,
        -rng.exponential(size=(n, 1)),
    )
    for _ in range(cells)
]
null = PermutationNull(rng, resamples, exact_limit=0)
if name == "fused":
    found = fused_test(draws, null=null, kernels=("same", "balanced", "rarity", "rare"))
elif name == "fused hamming":
    found = fused_test(draws, null=null, kernels=("hamming",))
elif name == "fused text":
    found = fused_test(draws, null=null, kernels=("ngram", "length", "typicality", "style"))
else:
    found = INSTRUMENTS[name].test(draws, null=null)
assert 0 < found.p_value <= 1
assert len(found.null) == resamples
# Of this process since it began; ru_maxrss would count the parent as well.
line = next(s for s in open("/proc/self/status") if s.startswith("VmHWM"))
print(int(line.split()[1]) / 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
@pytest.mark.parametrize(
    ("name", "cells", "resamples", "mebibytes"),
    [
        ("likelihood_ratio", 1, 999, 400),
        ("hamming_published", 25, 999, 600),
        ("hamming", 1, 999, 600),
        ("prefix", 1, 199, 400),
        ("ngram", 1, 199, 1_200),
        ("rank_uniformity", 1, 999, 400),
        ("fused", 25, 999, 400),
        ("fused text", 25, 199, 1_300),
        ("fused text", 1, 199, 1_600),
        ("fused hamming", 1, 199, 1_000),
        ("border", 1, 999, 400),
        ("rarity", 1, 999, 400),
        ("likelihood", 1, 999, 400),
    ],
)
def test_ten_thousand_draws_a_side_stay_within(name, cells, resamples, mebibytes):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(name=name, cells=cells, resamples=resamples)],
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    assert float(done.stdout) < mebibytes
