"""A study that is killed at any moment resumes, and ends with the records of its plan."""

import json
import random
import signal
import subprocess
import sys
import time

import pytest

from provenance import analyse, compare, verify
from provenance.evidence.store import Store

SCRIPT = """
import sys
from provenance import compare
compare(sys.argv[1], sys.argv[2], store=sys.argv[3], seed=7, formats=[])
"""


@pytest.mark.slow
def test_twenty_kills(models, tmp_path):
    slow = tmp_path / "slow.toml"
    slow.write_text(models.read_text() + "\n[models.slow]\nbase = 'a'\nlatency_ms = 60\n")
    endpoint, store = f"simulated:{slow},model=slow", tmp_path / "s"
    rng = random.Random(1)
    kills = 0
    command = [sys.executable, "-c", SCRIPT, endpoint, endpoint, str(store)]
    while kills < 20:
        process = subprocess.Popen([*command], stderr=subprocess.DEVNULL)
        # Past the imports the moment is random; early in the study and late.
        time.sleep(0.5 + rng.random() * 0.8)
        if process.poll() is not None:
            break
        process.send_signal(signal.SIGKILL)
        process.wait()
        kills += 1
    subprocess.run(command, check=True, timeout=120)
    with Store.open(store) as opened:
        plan = opened.plan
        records = [r for r in opened.records() if r.final]
    assert kills >= 5, "the study ended before it was killed often enough to mean something"
    slots = [[r.role, plan["cells"].index(r.cell), r.draw, r.block] for r in records]
    assert sorted(r.slot for r in records) == list(range(len(plan["slots"])))
    assert sorted(slots, key=str) == sorted(plan["slots"], key=str)
    assert verify(store).ok
    whole = compare(endpoint, endpoint, store=tmp_path / "t", seed=7, formats=[])
    assert analyse(store).findings == whole.document.findings
    texts = lambda path: sorted(  # noqa: E731
        (row["record"]["slot"], row["record"]["completion"]["text"])
        for row in map(json.loads, (path / "transcript.jsonl").read_bytes().splitlines())
        if row["record"]["final"]
    )
    assert texts(store) == texts(tmp_path / "t")
