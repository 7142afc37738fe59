"""``--anchor``, ``--allow``, ``--band`` and ``library band``, as typed."""

import json

import pytest


@pytest.fixture
def hosts(tmp_path):
    """Two hosts with two models each: the second host moves sevens to thirteens in both."""
    path = tmp_path / "hosts.toml"
    path.write_text(
        """
[models.a1.cells]
"*" = {"7" = 0.7, "42" = 0.2, "13" = 0.1}
[models.a2.cells]
"*" = {"7" = 0.2, "42" = 0.2, "13" = 0.6}
[models.b1.cells]
"*" = {"7" = 0.7, "99" = 0.2, "13" = 0.1}
[models.b2.cells]
"*" = {"7" = 0.2, "99" = 0.2, "13" = 0.6}
""",
        encoding="utf-8",
    )
    return lambda name: f"simulated:{path},model={name}"


def comparing(hosts, *more):
    return ("compare", hosts("a1"), hosts("a2"), "--seed", 1, "--format", "json", *more)


def test_an_anchor_as_typed(run, hosts):
    alone = run(*comparing(hosts, "--store", "alone"))
    assert alone.stdout.startswith("DIFFERENT")
    assert "Rejects: same deployment." in alone.stdout
    held = run(*comparing(hosts, "--store", "held", "--anchor", hosts("b1"), hosts("b2")))
    assert held.exit_code == 0, held.stderr
    assert held.stdout.startswith("INCONCLUSIVE")
    assert "what the hosts change in anchors can explain it" in " ".join(held.stdout.split())
    assert run("verify", "held").exit_code == 0
    again = run("report", "held", "--format", "md", "--out", "shown")
    assert again.exit_code == 0, again.stderr


def test_anchors_from_a_config_file(run, hosts, tmp_path):
    config = tmp_path / "c.toml"
    config.write_text(
        'anchor = [["small-1", "small-2"]]\n'
        + "".join(
            f"[endpoints.{name}]\nendpoint = '{hosts(model)}'\n"
            for name, model in (("small-1", "b1"), ("small-2", "b2"))
        ),
        encoding="utf-8",
    )
    held = run(*comparing(hosts, "--store", "held", "--config", config))
    assert held.stdout.startswith("INCONCLUSIVE"), held.stderr


def test_the_plan_says_what_anchors_cost_and_can_say(run, hosts):
    arguments = ("plan", hosts("a1"), hosts("a2"), "--anchor", hosts("b1"), hosts("b2"))
    shown = run(*arguments)
    assert shown.exit_code == 0, shown.stderr
    assert "1 anchors on the same questions" not in shown.stdout
    assert "1 anchor on the same questions" in shown.stdout
    assert "fewer than 99" in " ".join(shown.stdout.split())
    plan = json.loads(run(*arguments, "--json").stdout)
    assert [a["draws"] for a in plan["anchors"]] == [plan["draws"]]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["--anchor", "x"], "expected two endpoints"),
        (["--anchor", "x", "--draws", "3"], "expected two endpoints"),
        (["--allow", "everything"], "allow"),
        (["--band", "nope"], "no band 'nope'; shipped: "),
    ],
)
def test_what_was_typed_wrong_is_named(run, hosts, typed, said):
    done = run(*comparing(hosts, "--store", "s", *typed))
    assert done.exit_code == 2
    assert said in done.stderr


def test_an_anchor_that_is_the_suspect(run, hosts):
    done = run(*comparing(hosts, "--store", "s", "--anchor", hosts("b1"), hosts("a2")))
    assert done.exit_code == 2
    assert "is the suspect itself" in done.stderr


def test_a_band_of_ones_own(run, hosts):
    pair = ("compare", hosts("b1"), hosts("b2"), "--seed", 3, "--format", "json")
    assert run(*pair, "--store", "pair").exit_code == 0
    added = run("library", "band", "mine.json", "pair", "--weights", "b", "--kind", "engine")
    assert added.exit_code == 0, added.stderr
    assert "1 group of weights, so it can decide from alpha 0.5 on" in added.stdout
    assert "hosts.toml/b1" in added.stdout
    shown = run("library", "band", "mine.json", "--json")
    assert json.loads(shown.stdout)["pairs"][0]["weights"] == "b"

    held = run(*comparing(hosts, "--store", "held", "--band", "mine.json"))
    assert held.stdout.startswith("DIFFERENT"), held.stderr
    said = " ".join(held.stdout.split())
    assert "benign band mine cannot be told" in said
    assert "99 would be needed" in said

    twice = run("library", "band", "mine.json", "pair", "--weights", "b", "--kind", "engine")
    assert twice.exit_code == 2
    assert "each comparison counts once" in twice.stderr


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["mine.json", "pair"], "a pair needs --weights NAME and --kind, one of host, engine"),
        (["mine.json", "pair", "--weights", "x", "--kind", "odd"], "one of host, engine"),
        (["mine.json", "--weights", "x"], "describe a STORE"),
        (["mine.json"], "no band 'mine.json'"),
    ],
)
def test_a_band_that_cannot_be_made_says_why(run, typed, said):
    done = run("library", "band", *typed)
    assert done.exit_code == 2
    assert said in done.stderr
