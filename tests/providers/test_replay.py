import asyncio
import json
import subprocess
import sys
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from provenance import compare
from provenance.endpoint import Endpoint
from provenance.errors import TamperedEvidence, UsageError
from provenance.evidence.store import Store
from provenance.providers.replay import ReplayProvider, recorded_model
from provenance.transcript import Completion, Exchange, Failure, Request

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


# Hostile files


def test_bytes_that_are_not_utf8_are_replaced_and_noted_in_every_format(tmp_path):
    (tmp_path / "r.jsonl").write_bytes(b'{"prompt_id": "a", "output": "x\xff"}\n')
    (tmp_path / "r.csv").write_bytes(b"prompt_id,sample,output\na,0,x\xff\n")
    offsets = pa.py_buffer(b"\0\0\0\0\2\0\0\0")
    column = pa.Array.from_buffers(pa.string(), 1, [None, offsets, pa.py_buffer(b"x\xff")])
    pq.write_table(pa.table({"prompt_id": ["a"], "output": column}), tmp_path / "r.parquet")
    for suffix in ("jsonl", "csv", "parquet"):
        answer = ask(provider(tmp_path / f"r.{suffix}"), "a", 0)
        assert answer.text == "x\ufffd"
        assert answer.notes == ("bytes that are not UTF-8 were replaced",)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("r.csv", b"model,prompt_id,sample,output\nm,p,0\n", "line 2: 3 fields, expected 4"),
        ("r.csv", b"prompt_id,output\np,a,b\n", "line 2: 3 fields, expected 2"),
        ("r.csv", b'prompt_id,output\np,"a\nb"\nq,"open\n', "line 4: "),
        ("r.csv", b"prompt_id,sample,output\np,,x\n", "sample is '', expected a whole number"),
        ("r.csv", b"a,b\n", "no column 'prompt_id'"),
        ("r.csv", b"", "no column 'prompt_id'"),
        ("r.csv", b"prompt_id,output\n", "holds no rows"),
        ("r.jsonl", '{"prompt_id": "p"}'.encode("utf-16"), "is UTF-16: save it as UTF-8"),
        ("r.jsonl", b'{"prompt_id": {"a": 1}, "output": "x"}\n', "prompt_id is dict"),
        ("r.jsonl", b'{"prompt_id": true, "output": "x"}\n', "prompt_id is bool"),
        ("r.jsonl", b'{"prompt_id": "p", "output": "x", "prompt": []}\n', "prompt is list"),
        ("r.jsonl", b'{"prompt_id": "p", "output": "x", "timestamp": "soon"}\n', "ISO 8601"),
        ("r.jsonl", b'{"prompt_id": "p", "output": "x", "timestamp": 17}\n', "ISO 8601"),
        ("r.jsonl", b'{"prompt_id": "p", "output": "x", "sample": 1.5}\n', "whole number"),
        ("r.jsonl", b'{"prompt_id": "p", "output": "x", "sample": true}\n', "whole number"),
        ("r.jsonl", b'{"prompt_id": "p", "sample": ' + b"9" * 5000 + b"}\n", "not JSON"),
        ("r.parquet", b"PAR1 and no more", "cannot be read as Parquet"),
        ("r.parquet", b"", "cannot be read as Parquet"),
    ],
)
def test_a_bad_file_says_where_and_what(tmp_path, name, content, says):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=says):
        provider(tmp_path / name).load()


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path):
    (tmp_path / "r.jsonl").write_bytes(b'\xef\xbb\xbf{"prompt_id": "a", "output": "x"}\r\n')
    (tmp_path / "r.csv").write_bytes(b'\xef\xbb\xbfprompt_id,output\r\na,"x\r\ny"\r\n')
    assert ask(provider(tmp_path / "r.jsonl"), "a", 0).text == "x"
    assert ask(provider(tmp_path / "r.csv"), "a", 0).text == "x\r\ny"


def test_nothing_is_stripped_and_an_empty_answer_is_an_answer(tmp_path):
    rows = [{"prompt_id": "a", "sample": n, "output": t} for n, t in enumerate([" x\n", ""])]
    for suffix in (".jsonl", ".csv", ".parquet"):
        replay = provider(write(tmp_path / f"r{suffix}", rows))
        assert [ask(replay, "a", n).text for n in (0, 1)] == [" x\n", ""]


def test_parquet_of_many_batches_and_groups_gives_each_model_its_rows(tmp_path):
    """Batches without a row of the model, names as categories, numbers as ids."""
    rows = [
        {"model": f"m{n // 9000}", "prompt_id": n % 10, "sample": n // 10, "output": f"o{n}"}
        for n in range(18_000)
    ]
    table = pa.Table.from_pylist(rows)
    table = table.set_column(0, "model", table["model"].dictionary_encode())
    for size in (5_000, 20_000):
        path = tmp_path / f"{size}.parquet"
        pq.write_table(table, path, row_group_size=size)
        for number in (0, 1):
            replay = provider(path, model=f"m{number}")
            cells = replay.recorded_cells()
            assert {cell: found.draws for cell, found in cells.items()} == {
                str(n): 900 for n in range(10)
            }
            assert ask(replay, "3", 0).text == f"o{number * 9000 + 3}"


def test_a_bad_row_of_a_parquet_file_is_named_by_its_number(tmp_path):
    samples = [str(n) for n in range(10_000)]
    samples[9_500] = ""
    table = pa.table({"model": ["m", "o"] * 5_000, "prompt_id": ["p"] * 10_000, "sample": samples})
    table = table.append_column("output", [["x"] * 10_000])
    for size in (3_000, 20_000):
        pq.write_table(table, tmp_path / "r.parquet", row_group_size=size)
        with pytest.raises(UsageError, match=r"r\.parquet, row 9501: sample is ''"):
            provider(tmp_path / "r.parquet", model="m").load()
        provider(tmp_path / "r.parquet", model="o").load()


def test_row_groups_of_other_models_are_not_read(tmp_path):
    """Their outputs are destroyed here, and nobody notices."""
    rows = [
        {"model": m, "prompt_id": "p", "sample": n, "output": f"{m}{n}" * 50}
        for m in ("a", "b")
        for n in range(500)
    ]
    path = tmp_path / "r.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=500, use_dictionary=["model"])
    column = pq.ParquetFile(path).metadata.row_group(1).column(3)
    assert column.path_in_schema == "output"
    content = bytearray(path.read_bytes())
    content[column.data_page_offset : column.data_page_offset + 400] = bytes(400)
    path.write_bytes(content)
    assert provider(path, model="a").draws("p") == 500
    with pytest.raises(UsageError, match="cannot be read as Parquet"):
        provider(path, model="b").load()


def test_times_of_any_kind_become_utc(tmp_path):
    row = {"prompt_id": "p", "output": "x"}
    texts = ["2026-11-23T12:00:00Z", "2026-11-23T13:00:00+01:00", "2026-11-23 12:00:00"]
    for text in texts:
        replay = provider(write(tmp_path / "r.jsonl", [row | {"timestamp": text}]))
        assert replay.recorded_utc_range == ("2026-11-23T12:00:00.000000+00:00",) * 2
    nanoseconds = pa.array([1_795_435_200_123_456_789], pa.timestamp("ns"))
    table = pa.table({"prompt_id": ["p"], "output": ["x"], "started_utc": nanoseconds})
    pq.write_table(table, tmp_path / "r.parquet")
    (start, _) = provider(tmp_path / "r.parquet").recorded_utc_range
    assert start == "2026-11-23T12:00:00.123456+00:00"


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="needs a time zone that can be set")
def test_a_time_without_a_zone_is_utc_wherever_it_is_read(tmp_path, monkeypatch):
    row = {"prompt_id": "p", "output": "x", "timestamp": "2026-11-23T12:00:00"}
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        replay = provider(write(tmp_path / "r.jsonl", [row]))
        assert replay.recorded_utc_range[0] == "2026-11-23T12:00:00.000000+00:00"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_one_row_without_a_time_makes_the_recording_unordered(tmp_path):
    rows = [{"prompt_id": "p", "sample": n, "output": "x"} for n in range(2)]
    rows[0]["timestamp"] = "2026-11-23T12:00:00Z"
    replay = provider(write(tmp_path / "r.jsonl", rows))
    assert not replay.ordered
    assert replay.recorded_utc_range is None
    assert replay.source_battery_digest is None


# Which rows are draws


def test_a_row_exported_into_two_files_is_one_draw(tmp_path):
    rows = [{"prompt_id": "p", "sample": n, "output": f"o{n}"} for n in range(3)]
    one, two = write(tmp_path / "a.jsonl", rows[:2]), write(tmp_path / "b.csv", rows[1:])
    assert provider(f"{one},{two}").draws("p") == 3
    assert provider(f"{one},{one}").draws("p") == 2
    rows[1]["output"] = "other"
    write(two, rows[1:])
    with pytest.raises(UsageError, match=r"'p', sample 1 is there twice \(a.jsonl, line 2; b.csv"):
        provider(f"{one},{two}").load()


def test_rows_without_numbers_are_counted_across_files(tmp_path):
    for name in "ab":
        rows = [{"prompt_id": "p", "output": f"{name}{n}"} for n in range(2)]
        write(tmp_path / f"{name}.jsonl", rows)
    replay = provider(tmp_path)
    assert [ask(replay, "p", n).text for n in range(4)] == ["a0", "a1", "b0", "b1"]
    write(tmp_path / "c.jsonl", [{"prompt_id": "p", "sample": 0, "output": "x"}])
    with pytest.raises(UsageError, match="number all of them or none"):
        provider(tmp_path).load()


def test_numbers_written_as_text_are_numbers(tmp_path):
    rows = [{"prompt_id": "p", "sample": s, "output": s} for s in ("10", "9", "2")]
    replay = provider(write(tmp_path / "r.jsonl", rows))
    assert [ask(replay, "p", n).text for n in range(3)] == ["2", "9", "10"]


def test_two_prompts_under_one_id_of_one_file_are_refused(tmp_path):
    rows = [{"prompt_id": "p", "sample": n, "output": "x", "prompt": f"{n}?"} for n in range(2)]
    with pytest.raises(UsageError, match="different prompts under the prompt_id 'p'"):
        provider(write(tmp_path / "r.jsonl", rows)).load()


def test_a_row_that_names_no_model_among_rows_that_do(tmp_path):
    rows = [{"prompt_id": "p", "sample": n, "output": "x"} for n in range(2)]
    rows[0]["model"] = "m"
    path = write(tmp_path / "r.jsonl", rows)
    for options in ({}, {"model": "m"}):
        with pytest.raises(UsageError, match=r"r\.jsonl, line 2: names no model, where .*line 1"):
            provider(path, **options).load()


def test_a_file_without_models_is_one_model_whatever_it_is_called(tmp_path):
    path = write(tmp_path / "r.jsonl", [{"prompt_id": "p", "output": "x"}])
    assert provider(path, model="mine").draws("p") == provider(path).draws("p") == 1


def test_at_most_twenty_models_are_listed(tmp_path):
    rows = [{"model": f"m{n:02}", "prompt_id": "p", "sample": 0, "output": "x"} for n in range(25)]
    with pytest.raises(UsageError, match=r"holds 25 models: .*m19 and 5 more\)") as caught:
        provider(write(tmp_path / "r.csv", rows)).load()
    assert "m20" not in str(caught.value)


# Paths


@pytest.mark.parametrize(
    "name", ["a,b.jsonl", "a[1].jsonl", "R.JSONL", "C:\\data\\r.jsonl", "with space.jsonl"]
)
def test_a_name_that_exists_is_taken_as_it_is(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    try:
        write(tmp_path / name, [{"model": "m", "prompt_id": "p", "output": "x"}])
    except OSError:
        pytest.skip("this system has no such names")
    replay = ReplayProvider(Endpoint.parse(f"replay:{name},model=m"), environment={})
    assert replay.draws("p") == 1


def test_globs_reach_into_folders_and_folders_hide_dotfiles(tmp_path):
    deep = tmp_path / "x" / "y"
    deep.mkdir(parents=True)
    write(deep / "r.jsonl", [{"prompt_id": "p", "output": "x"}])
    (deep / "._r.jsonl").write_bytes(b"\x00\x05")
    assert provider(tmp_path / "**" / "r.jsonl").draws("p") == 1
    assert provider(deep).draws("p") == 1


@pytest.mark.parametrize("path", ["x" * 5000, "\ud800", ",", "no/such/*.csv"])
def test_what_is_no_path_is_said(path):
    with pytest.raises(UsageError, match=r"no recording|holds no rows"):
        provider(path).load()


def test_a_recording_takes_no_sampling_options():
    with pytest.raises(UsageError, match="no option but model= \\(found temperature\\)"):
        provider("r.jsonl", temperature="0.5")


def test_importing_the_provider_reads_no_heavy_library():
    code = (
        "import sys, provenance.providers.replay;"
        "print({'pandas', 'pyarrow', 'numpy', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout.strip() == b"set()"


# Stores


@pytest.fixture
def recorded(tmp_path):
    """A store of both sides; the suspect fails every third time."""
    plan = {"endpoints": {"reference": "openai:gpt-x", "suspect": "simulated:f.toml,model=s"}}
    messages = [{"role": "user", "content": "Toss a coin."}]
    battery = {"name": "b", "digest": "d" * 64, "cells": [{"id": "z", "messages": messages}]}
    with Store.create(tmp_path / "s", plan=plan, battery=battery) as store:
        for slot in range(12):
            role, draw = ("reference", "suspect")[slot % 2], slot // 2
            outcome = Completion(text=f"{role} {draw}", served_model=f"served-{role}")
            if role == "suspect" and draw % 3 == 0:
                outcome = Failure(kind="server_error", message="5xx", retryable=True)
            store.append(
                Exchange(
                    request=b"asked %d" % slot,
                    response=b"\x00answered %d" % slot,
                    outcome=outcome,
                    started_utc=f"2026-11-23T12:00:{slot:02}.000000+00:00",
                    elapsed_s=0.5,
                    status=200,
                    headers={"x": "y"},
                ),
                slot=slot,
                role=role,
                cell="az"[draw < 3],
                draw=draw % 3,
                block=draw,
                attempt=1,
                final=True,
            )
    return store.path


def exchanged(replay, cell, draw):
    return asyncio.run(replay.draw(Request(0, "suspect", cell, draw, 3, (), 8)))


@pytest.mark.parametrize(
    ("side", "names"),
    [
        ("reference", ["reference", "gpt-x", "openai:gpt-x", "served-reference"]),
        ("suspect", ["suspect", "s", "f.toml", "simulated:f.toml,model=s", "served-suspect"]),
    ],
)
def test_a_side_goes_by_all_its_names(recorded, side, names):
    for name in names:
        assert ask(provider(recorded, model=name), "z", 1).text == f"{side} 1"
    with pytest.raises(UsageError, match=r"no recording of 'gpt-y'; choose model=reference, "):
        provider(recorded, model="gpt-y").load()


def test_whose_answers_they_are_is_read_off_the_recording(recorded, tmp_path):
    """As it was requested on that side of a store; in a file, the one model that it names."""
    for side, name in (("reference", "gpt-x"), ("suspect", "s")):
        assert recorded_model(Endpoint.parse(f"replay:{recorded},model={side}")) == name
    with pytest.raises(UsageError, match="say which one is meant"):
        recorded_model(Endpoint.parse(f"replay:{recorded}"))
    path = tmp_path / "one.jsonl"
    path.write_text('{"model": "a", "prompt_id": "p", "sample": 0, "output": "x"}\n')
    assert recorded_model(Endpoint.parse(f"replay:{path}")) == "a"
    path.write_text('{"prompt_id": "p", "sample": 0, "output": "x"}\n')
    assert recorded_model(Endpoint.parse(f"replay:{path}")) is None
    with pytest.raises(UsageError, match="no recording at"):
        recorded_model(Endpoint.parse(f"replay:{tmp_path / 'none.jsonl'}"))


def test_bytes_times_and_prompts_of_a_store_are_kept(recorded):
    replay = provider(recorded, model="reference")
    found = exchanged(replay, "a", 2)
    assert (found.request, found.response) == (b"asked 10", b"\x00answered 10")
    assert (found.started_utc, found.elapsed_s, found.status, found.headers) == (
        "2026-11-23T12:00:10.000000+00:00",
        0.5,
        200,
        {"x": "y"},
    )
    assert replay.ordered
    assert replay.source_battery_digest == "d" * 64
    assert replay.recorded_utc_range[1] == "2026-11-23T12:00:10.000000+00:00"
    cells = replay.recorded_cells()
    assert [(c.prompt_id, c.prompt, c.draws) for c in cells.values()] == [
        ("z", "Toss a coin.", 3),
        ("a", None, 3),
    ]


def test_recorded_failures_stay_failures_and_are_not_tried_again(recorded):
    replay = provider(recorded, model="suspect")
    assert replay.draws("z") == 3
    failure = ask(replay, "z", 0)
    assert (failure.kind, failure.retryable) == ("server_error", False)
    assert ask(replay, "z", 3).kind == "missing"


def test_bytes_of_a_store_that_were_changed_are_not_replayed(recorded):
    for blob in (recorded / "blobs").rglob("*"):
        if blob.is_file() and blob.read_bytes() == b"\x00answered 10":
            blob.write_bytes(b"something else")
    replay = provider(recorded, model="reference")
    assert exchanged(replay, "a", 1).response == b"\x00answered 8"
    with pytest.raises(TamperedEvidence, match="were changed"):
        exchanged(replay, "a", 2)


def test_records_of_a_store_that_were_changed_are_not_replayed(recorded):
    path = recorded / "transcript.jsonl"
    path.write_bytes(path.read_bytes().replace(b"reference 4", b"Reference 4"))
    with pytest.raises(TamperedEvidence) as caught:
        provider(recorded, model="reference").load()
    assert caught.value.record == 8


def test_a_store_among_files_is_refused(recorded, tmp_path):
    path = write(tmp_path / "r.jsonl", [{"prompt_id": "p", "output": "x"}])
    with pytest.raises(UsageError, match="is a store: name it alone"):
        provider(f"{path},{recorded}").load()
