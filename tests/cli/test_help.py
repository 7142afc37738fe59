import subprocess
import sys

import pytest
import typer

from provenance.cli import app

VERBS = [
    *(
        "demo",
        "doctor",
        "plan",
        "power",
        "compare",
        "sample",
        "identify",
        "attribute",
        "report",
        "verify",
    ),
]
PAGES = [(v,) for v in VERBS] + [
    *(("probes", v) for v in ("list", "show", "check", "generate", "border")),
    *(("library", v) for v in ("add", "list", "show", "export", "calibrate", "band")),
]


@pytest.mark.parametrize("page", PAGES, ids=" ".join)
@pytest.mark.parametrize("columns", [80, 120])
def test_a_page_teaches_and_fits(run, monkeypatch, page, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    shown = run(*page, "--help")
    assert shown.exit_code == 0
    for part in ("Usage: ", "Examples:", "Exit codes:", f"provenance {' '.join(page)}"):
        assert part in shown.stdout
    assert max(map(len, shown.stdout.splitlines())) <= columns
    assert not any(c in shown.stdout for c in "╭│\x1b")


@pytest.mark.parametrize("columns", [80, 120])
def test_the_verbs_stand_in_groups_with_a_first_line_to_try(run, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    shown = run("--help")
    lines = shown.stdout.splitlines()
    for verb in [*VERBS, "probes"]:
        assert any(line.strip().startswith(verb) for line in lines), verb
    for part in ("Try:", "Compare:", "Afterwards:", "Questions:", "  provenance demo "):
        assert part in shown.stdout
    assert max(map(len, lines)) <= columns


def test_the_order_of_a_long_page(run):
    shown = run("compare", "--help").stdout
    sections = ["Arguments:", "Questions and test:", "Limits:", "Evidence and output:", "Examples:"]
    places = [shown.index(section) for section in sections]
    assert places == sorted(places)


def _commands(group, prefix=()):
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, (*prefix, name))
        else:
            yield (*prefix, name), command


def test_every_option_and_argument_has_help_and_every_default_is_unset():
    pages = dict(_commands(typer.main.get_command(app)))
    assert set(pages) == set(PAGES)
    for page, command in pages.items():
        for parameter in command.params:
            if not getattr(parameter, "hidden", False):
                assert parameter.help, (page, parameter.name)
    study = {p.name: p for p in pages["compare",].params}
    assert {p.default for n, p in study.items() if n not in ("reference", "suspect", "json")} == {
        None
    }


def test_study_options_are_settings():
    from provenance.cli import options
    from provenance.settings import Settings

    known = {field.alias or name for name, field in Settings.model_fields.items()}
    assert set(options.COMPARING) - {"config"} == known - {"declaration"}
    assert set(options.SAMPLING) <= set(options.COMPARING)


def test_no_verb_and_unknown_verbs(run):
    assert "Start with:" in run().output
    assert run("frobnicate").exit_code == 2
    assert run("compare").exit_code == 2
    assert run("compare", "a", "b", "--no-such-option").exit_code == 2
    assert run("compare", "a", "b", "--draws", "many").exit_code == 2


def test_version(run):
    import provenance

    assert run("--version").stdout == f"llm-provenance {provenance.__version__}\n"


def test_help_loads_nothing_heavy():
    code = (
        "import sys\n"
        "from provenance.cli import main\n"
        "sys.argv = ['provenance', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    print(' '.join(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"rich", "pydantic", "numpy", "scipy", "pandas", "httpx", "asyncio", "typst"}
    assert not heavy & set(done.stderr.split())
