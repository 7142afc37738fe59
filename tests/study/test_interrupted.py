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
compare(sys.argv[1], sys.argv[2], store=sys.argv[3], seed=7, formats=[], concurrency=4)
"""


def _size(path):
    return path.stat().st_size if path.is_file() else 0


@pytest.mark.slow
def test_twenty_kills(models, tmp_path):
    slow = tmp_path / "slow.toml"
    slow.write_text(models.read_text() + "\n[models.slow]\nbase = 'a'\nlatency_ms = 100\n")
    endpoint, store = f"simulated:{slow},model=slow", tmp_path / "s"
    rng = random.Random(1)
    command = [sys.executable, "-c", SCRIPT, endpoint, endpoint, str(store)]
    startup = None
    for kill in range(20):
        began = time.monotonic()
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
            if startup is None:
                # How long this machine takes to the first record; later moments are around it.
                while not _size(store / "transcript.jsonl"):
                    assert process.poll() is None
                    time.sleep(0.002)
                startup = time.monotonic() - began
            else:
                time.sleep(startup * (0.7 + 0.3 * rng.random()) + 0.3 * rng.random())
            assert process.poll() is None, f"the study ended before kill {kill}"
            process.send_signal(signal.SIGKILL)
    subprocess.run(command, check=True, timeout=120)
    with Store.open(store) as opened:
        plan = opened.plan
        records = [r for r in opened.records() if r.final]
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
