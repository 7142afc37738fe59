"""A study that is killed at any moment resumes, and ends with the records of its plan."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from provenance import analyse, compare, verify
from provenance.evidence.store import Store

# Everything is imported once; each line on stdin forks a process that makes, or resumes, the study.
SCRIPT = """
import os, sys
import provenance.dossier.document, provenance.dossier.json, provenance.study.analysis
import provenance.providers.simulated, scipy.special
from provenance import compare
for line in sys.stdin:
    child = os.fork()
    if not child:
        compare(sys.argv[1], sys.argv[2], store=sys.argv[3], seed=7, formats=[], concurrency=4)
        os._exit(0)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def _size(path):
    return path.stat().st_size if path.is_file() else 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_twenty_kills(models, tmp_path):
    """Killed at any moment: before the store is there, while it resumes, between two records.

    What is proven: every slot of the plan has one final record, in the chain, and findings and
    texts are those of a study that nobody touched. A kill is random within a third of a second
    from the fork; a study needs about four without one.
    """
    slow = tmp_path / "slow.toml"
    slow.write_text(models.read_text() + "\n[models.slow]\nbase = 'a'\nlatency_ms = 60\n")
    endpoint, store = f"simulated:{slow},model=slow", tmp_path / "s"
    rng = random.Random(1)
    command = [sys.executable, "-c", SCRIPT, endpoint, endpoint, str(store)]
    pipe = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # a fork copies one only
    grown = set()
    with subprocess.Popen(command, **pipe, text=True, env=os.environ | threads) as parent:

        def start():
            parent.stdin.write("\n")
            parent.stdin.flush()
            return int(parent.stdout.readline())

        def ended():
            return int(parent.stdout.readline())

        for kill in range(20):
            child = start()
            if kill == 0:  # one kill surely hits records, however slow this machine is
                while not _size(store / "transcript.jsonl"):
                    time.sleep(0.002)
            else:
                time.sleep(0.33 * rng.random())
            os.kill(child, signal.SIGKILL)
            assert ended() == -signal.SIGKILL, f"the study ended before kill {kill}"
            grown.add(_size(store / "transcript.jsonl"))
        start()
        assert ended() == 0
        parent.stdin.close()
    assert len(grown) > 2  # kills fell between records, not all before or after them
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
