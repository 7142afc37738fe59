import asyncio
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from provenance import compare
from provenance.endpoint import Endpoint
from provenance.errors import UsageError
from provenance.providers.replay import ReplayProvider
from provenance.transcript import Failure, Request

ROWS = [
    {"model": m, "prompt_id": p, "sample": s, "output": f"{m} {p} {s}"}
    for m in ("gpt", "qwen/2.5")
    for p in ("b", "a")
    for s in (10, 9, 0)
]


def write(path, rows):
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".csv":
        import pandas as pd

        pd.DataFrame(rows).to_csv(path, index=False)
    else:
        path.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    return path


def provider(path, **options):
    return ReplayProvider(
        Endpoint("replay", str(path), None, tuple(options.items())), environment={}
    )


def ask(replay, cell, draw):
    request = Request(0, "suspect", cell, draw, 3, (), 8)
    return asyncio.run(replay.draw(request)).outcome


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet", ".csv"])
def test_draws_come_in_the_order_of_their_sample_numbers(tmp_path, suffix):
    replay = provider(write(tmp_path / f"r{suffix}", ROWS), model="qwen/2.5")
    assert {c: r.draws for c, r in replay.recorded_cells().items()} == {"b": 3, "a": 3}
    assert [ask(replay, "a", d).text for d in range(3)] == [
        "qwen/2.5 a 0",
        "qwen/2.5 a 9",
        "qwen/2.5 a 10",
    ]
    assert isinstance(ask(replay, "a", 3), Failure)
    assert not replay.ordered


def test_several_files_as_folder_glob_and_list(tmp_path):
    one = write(tmp_path / "one.jsonl", ROWS[:6])
    two = write(tmp_path / "two.parquet", ROWS[6:])
    for path in (tmp_path, tmp_path / "*.*", f"{one},{two}"):
        assert provider(path, model="gpt").draws("a") == 3
        assert provider(path, model="qwen/2.5").draws("a") == 3


def test_a_csv_whose_cells_are_called_cell(tmp_path):
    path = tmp_path / "c.csv"
    path.write_text('model,cell,sample,output\nm,coin,0,heads\nm,coin,1,"a, b"\n')
    assert ask(provider(path), "coin", 1).text == "a, b"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('{"prompt_id": "a", "output": "x"}\n{broken\n', r"r\.jsonl, line 2: not JSON"),
        ('["a"]\n', "expected a JSON object"),
        ('{"prompt_id": "a"}\n', "no column 'output'"),
        ('{"prompt_id": "a", "output": 7}\n', "output is int, expected a string"),
        ('{"prompt_id": null, "output": "x"}\n', "no prompt_id"),
        ('{"prompt_id": "a", "sample": {}, "output": "x"}\n', "expected a whole number"),
        ("", "holds no rows"),
        ('{"prompt_id":"a","sample":1,"output":"x"}\n' * 2, "is there twice"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_a_bad_row_is_named(tmp_path, content, says):
    path = tmp_path / "r.jsonl"
    path.write_text(content)
    with pytest.raises(UsageError, match=says):
        provider(path).load()


def test_which_model_is_meant(tmp_path):
    path = write(tmp_path / "r.jsonl", ROWS)
    with pytest.raises(UsageError, match=r"holds 2 models: add ,model=NAME \(gpt, qwen/2.5\)"):
        provider(path).load()
    with pytest.raises(UsageError, match=r"no model 'qwen2.5'; it has qwen/2.5"):
        provider(path, model="qwen2.5").load()
    with pytest.raises(UsageError, match="no recording at"):
        provider(tmp_path / "missing.jsonl").load()
    odd = tmp_path / "x.txt"
    odd.write_text("x")
    with pytest.raises(UsageError, match=r"expected one of \.parquet"):
        provider(odd).load()


def test_hostile_text_is_kept_as_far_as_it_can_be(tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_bytes(
        b'{"prompt_id": "a", "sample": 0, "output": "x\xff\xfey"}\n'
        b'{"prompt_id": "a", "sample": 1, "output": "\\ud800!"}\n'
        b'{"prompt_id": "a", "sample": 2, "output": null}\n'
        b'{"prompt_id": "a", "sample": 3, "output": "\\u001b[31m<script>"}\n'
    )
    replay = provider(path)
    assert ask(replay, "a", 0).text == "x��y"
    assert ask(replay, "a", 1).text == "�!"
    assert ask(replay, "a", 1).notes == ("lone surrogates were replaced",)
    assert ask(replay, "a", 2).kind == "missing"
    assert ask(replay, "a", 3).text == "\x1b[31m<script>"


def test_timestamps_make_a_recording_ordered(tmp_path):
    rows = [
        {**r, "started_utc": f"2026-11-0{i % 9 + 1}T00:00:00+00:00"} for i, r in enumerate(ROWS)
    ]
    replay = provider(write(tmp_path / "r.jsonl", rows), model="gpt")
    assert replay.ordered
    assert replay.recorded_utc_range[0].startswith("2026-11-01")


SIMULATED = '[models.a.cells]\n"*" = {"7" = 0.5, "42" = 0.5}\n'


def test_a_store_is_a_recording_of_either_side(tmp_path):
    models = tmp_path / "m.toml"
    models.write_text(SIMULATED)
    endpoint = f"simulated:{models}"
    study = compare(endpoint, endpoint, store=tmp_path / "s", formats=[], seed=1)
    answers = study.frame("completions")
    for side in ("reference", "suspect"):
        replay = provider(tmp_path / "s", model=side)
        mine = answers[answers["role"] == side]
        for cell, draw, text in zip(mine["cell"], mine["draw"], mine["text"], strict=True):
            assert ask(replay, cell, draw).text == text
        assert replay.ordered
        assert replay.source_battery_digest == study.document.battery.digest
    with pytest.raises(UsageError, match="model=reference, model=suspect"):
        provider(tmp_path / "s").load()


def test_two_recordings_are_compared_on_the_prompts_that_they_share(tmp_path):
    same = [
        {"model": "m", "prompt_id": f"p{i}", "sample": s, "output": f"{(i * s) % 3}"}
        for i in range(8)
        for s in range(6)
    ]
    other = [{**r, "model": "o", "output": "elsewhere"} for r in same[:-6]]
    path = write(tmp_path / "r.parquet", same + other)
    ends = (f"replay:{path},model=m", f"replay:{path},model=o")
    study = compare(*ends, store=tmp_path / "s", formats=[], seed=1)
    assert study.verdict.label == "different"
    assert study.document.battery.name == "recorded"
    assert study.document.battery.cells == 7
    assert study.document.usage.requests == 0
    assert not [f for f in study.findings if f.name.startswith(("repeats", "drift"))]
    with pytest.raises(UsageError, match="share no prompt id"):
        compare(
            f"replay:{path},model=m",
            f"replay:{write(tmp_path / 'x.jsonl', [{'prompt_id': 'z', 'output': 'x'}])}",
            store=tmp_path / "t",
        )


def test_other_prompts_under_one_id_are_refused(tmp_path):
    for name in ("a", "b"):
        row = {"prompt_id": "p", "output": "x", "prompt": f"prompt {name}"}
        write(tmp_path / f"{name}.jsonl", [row])
    with pytest.raises(UsageError, match="different prompts under the id 'p'"):
        compare(f"replay:{tmp_path / 'a.jsonl'}", f"replay:{tmp_path / 'b.jsonl'}", store=tmp_path)
