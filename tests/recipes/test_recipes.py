"""Every shipped recipe does what its comments say, with nothing but its endpoints replaced."""

import json
import re
import tomllib
from urllib.parse import urlsplit

import pytest

from provenance import Battery, StudyDocument, verify
from provenance.endpoint import Endpoint
from provenance.settings import load, recipes

NAMES = (
    *("nightly", "precision-check", "quickstart", "relay-audit", "self-hosted-vs-api"),
    "two-accounts",
)


def text_of(name):
    return recipes()[name].read_text(encoding="utf-8")


def comments(name):
    return "\n".join(line.lstrip("# ") for line in text_of(name).splitlines() if "#" in line[:1])


def study(path):
    return StudyDocument.model_validate(json.loads((path / "study.json").read_bytes()))


def test_these_are_shipped():
    assert tuple(recipes()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_says_when_what_not_and_at_what_cost(name):
    said = comments(name)
    places = [said.index(f"\n{word}  ") for word in ("When", "Shows", "Not", "Cost")]
    assert places == sorted(places)
    assert max(map(len, text_of(name).splitlines())) <= 100
    settings = load(config=recipes()[name])
    assert settings.max_requests is not None


@pytest.mark.parametrize("name", NAMES)
def test_endpoints_are_placeholders_with_names_of_keys(name):
    for table in tomllib.loads(text_of(name))["endpoints"].values():
        endpoint = Endpoint.parse(table["endpoint"])
        host = urlsplit(endpoint.base_url or "").hostname
        assert host == "127.0.0.1" or host.endswith(".example")
        assert re.fullmatch("[A-Z]+_KEY", dict(endpoint.options).get("key_env", "X_KEY"))
    assert not re.search(r"\bsk-|\b[A-Za-z0-9]{24,}\b|Bearer", text_of(name))


@pytest.mark.parametrize("name", NAMES)
def test_the_options_in_the_comments_exist(run, name):
    known = run("compare", "--help").stdout + run("sample", "--help").stdout
    for option in re.findall(r"(?<![\w-])--[a-z-]+", comments(name)):
        assert option in known


@pytest.mark.parametrize("name", NAMES)
def test_a_placeholder_is_never_asked(run, name):
    tables = list(tomllib.loads(text_of(name))["endpoints"])
    done = run("compare", tables[0], tables[-1], "--config", name, "--yes")
    assert done.exit_code == 2
    assert "still holds the placeholder" in done.stderr
    assert str(recipes()[name]) in done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_the_cost_is_what_the_plan_says(run, filled, simulated, name):
    both = dict.fromkeys(tomllib.loads(text_of(name))["endpoints"], simulated("full"))
    path = filled(name, **both)
    tables = list(both)
    done = run("plan", tables[0], tables[-1], "--config", path, "--json")
    plan = json.loads(done.stdout)["estimate"]["requests"]
    said = re.findall(r"bout\s([\d,]+)\srequests|then about (\d+)", comments(name))
    # Of nightly: the recording, and a night.
    stated = sum(int((first or second).replace(",", "")) for first, second in said)
    assert abs(stated - plan) / plan < 0.1, (said, plan)
    assert load(config=path).max_requests > plan


def test_quickstart(run, filled, serve):
    path = filled("quickstart", reference=serve("a").endpoint, suspect=serve("a").endpoint)
    done = run("compare", "reference", "suspect", "--config", path, "--store", "same", "--seed", 1)
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith("INCONCLUSIVE")
    assert {p.name for p in (path.parent / "same").glob("dossier.*")} == {
        *("dossier.md", "dossier.pdf", "dossier.html"),
    }

    path = filled("quickstart", reference=serve("a").endpoint, suspect=serve("b").endpoint)
    done = run("compare", "reference", "suspect", "--config", path, "--store", "other", "--seed", 1)
    assert done.stdout.startswith("DIFFERENT")


@pytest.mark.slow
def test_relay_audit(run, filled, serve):
    relay = serve("b")
    path = filled("relay-audit", vendor=serve("a").endpoint, relay=relay.endpoint)
    done = run("compare", "vendor", "relay", "--config", path, "--store", "s", "--seed", 1)
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith("DIFFERENT")
    found = study(path.parent / "s")
    assert found.declaration.purpose == "to check that the relay serves the vendor's model"
    assert len(found.families) >= 11
    assert not any("provenance" in str(headers).lower() for headers in relay.seen)


@pytest.mark.slow
def test_self_hosted_vs_api(run, filled, serve):
    options = ",temperature=1,top_p=1"
    own, api = serve("a", options), serve("a", options)
    path = filled("self-hosted-vs-api", own=own.endpoint, api=api.endpoint)
    done = run("compare", "own", "api", "--config", path, "--store", "s", "--seed", 1)
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith("INCONCLUSIVE")
    assert verify(path.parent / "s").ok


def test_precision_check_where_engines_differ(run, filled, simulated, tmp_path):
    """The options that the recipe's comments name: few questions often, and no limit in the way."""
    full, rounded = simulated("full"), simulated("rounded")
    path = filled("precision-check", declared=full, served=rounded)
    coarse = re.search(r"--battery quick .*", comments("precision-check"))[0].split()
    cells = [c.id for c in Battery.load("quick").cells]
    # One substitute in one cell: the power against the whole panel takes longer.
    member = {"name": "x", "source": "made up", "licence": "CC0", "cells": {cells[0]: {"7": 9}}}
    panel = {"name": "p", "measured_utc": "2026-01-01T00:00:00Z", "battery_digest": None}
    (tmp_path / "panel.json").write_text(json.dumps(panel | {"members": [member]}))
    coarse += ["--panel", str(tmp_path / "panel.json")]
    planned = run("plan", "declared", "served", "--config", path, "--json", *coarse)
    assert planned.exit_code == 0, planned.stderr
    asked = json.loads(planned.stdout)["estimate"]["requests"]
    assert asked == 2 * 200 * len(cells) > 2_000


def test_precision_check_sees_one_answer_that_turned_over(run, filled, tmp_path):
    """Rounded weights turn over a single one of sixteen answers at temperature 0.

    Null: same deployment; the draws of a pair change places freely (here both sides always repeat
    themselves), unit: a pair, exact: all nine pairs of the one cell point one way, p = 2/512. It
    breaks with fewer draws (of four: p = 2/16), or where an endpoint's own temperature took the
    place of the questions' 0: then a recipe that names one would ask another thing.
    """
    (tmp_path / "cold.toml").write_text(
        "[models.full.cells]\n'*' = {'A calm lake at dawn, and mist' = 1.0}\n"
        "[models.rounded]\nbase = 'full'\n"
        "cells.'greedy-lake' = {'A calm lake at dawn, and fog' = 1.0}\n",
        encoding="utf-8",
    )
    for table in tomllib.loads(text_of("precision-check"))["endpoints"].values():
        assert Endpoint.parse(table["endpoint"]).option("temperature") is None
    for served, label in (("rounded", "DIFFERENT"), ("full", "INCONCLUSIVE")):
        both = {
            "declared": "simulated:cold.toml,model=full",
            "served": f"simulated:cold.toml,model={served}",
        }
        path = filled("precision-check", **both)
        done = run("compare", "declared", "served", "--config", path, "--store", served)
        assert done.exit_code == 0, done.stderr
        assert done.stdout.startswith(label)
        found = study(path.parent / served)
        assert {c.n_reference for c in found.cells} == {9}
        assert {p.id: p.decoding for p in Battery.load("greedy").probes}["greedy-lake"] == {
            "temperature": 0
        }


@pytest.mark.slow
def test_nightly(run, filled, serve):
    """The commands of the file's own comments, a few nights long."""
    path = filled("nightly", endpoint=serve("a").endpoint)
    asked = ("sample", "endpoint", "--config", path, "--seed", 2)
    recorded = run(*asked, "--store", "recorded/reference")
    assert recorded.exit_code == 0, recorded.stderr
    assert "Recorded 1,080 of 1,080 answers" in recorded.stdout

    night = ("compare", "recorded/reference", "endpoint", "--config", path, "--seed", 1)
    quiet = run(*night)
    assert quiet.exit_code == 0, quiet.stderr
    assert quiet.stdout.startswith("INCONCLUSIVE")

    again = run(*night)
    assert again.exit_code == 0, again.stderr
    stores = sorted(p.parent for p in path.parent.glob("reports/*/study.json"))
    assert [study(p).evidence.earlier_runs for p in stores] == [0, 1]
    assert {p.name for p in stores[0].glob("dossier.*")} == {"dossier.html"}

    filled("nightly", endpoint=serve("b").endpoint)
    changed = run(*night)
    assert changed.exit_code == 10, changed.stderr
    assert changed.stdout.startswith("DIFFERENT")

    assert run(*night, "--max-age", 1e-9).exit_code == 12
    assert run(*night, "--max-requests", 20).exit_code == 20


@pytest.mark.slow
def test_two_accounts(run, filled, simulated, tmp_path):
    """One host, two keys: equal accounts are not told apart, a routed one is."""
    same = filled(
        "two-accounts", **{"account-a": simulated("full"), "account-b": simulated("full")}
    )
    told = ("compare", "account-a", "account-b", "--config", same, "--seed", 1)
    done = run(*told, "--store", "same")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith("INCONCLUSIVE")
    path = tmp_path / "routed.toml"
    path.write_text(
        '[models.full.cells]\n"*" = {"7" = 0.5, "42" = 0.3, "13" = 0.2}\n'
        '[models.cheap.cells]\n"*" = {"7" = 0.1, "3" = 0.6, "99" = 0.3}\n'
        "[models.routed]\nbase = 'full'\ndilute_with = 'cheap'\nepsilon = 0.5\n",
        encoding="utf-8",
    )
    routed = filled(
        "two-accounts",
        **{
            "account-a": f"simulated:{path.name},model=full",
            "account-b": f"simulated:{path.name},model=routed",
        },
    )
    done = run("compare", "account-a", "account-b", "--config", routed, "--seed", 1, "--store", "r")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith("DIFFERENT")
