"""The command ``provenance``: one file a verb, no logic.

Nothing heavy is imported before a verb runs, so that ``--help`` answers at once.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from provenance.cli import (
    attribute,
    compare,
    demo,
    doctor,
    identify,
    library,
    library_add,
    library_band,
    library_calibrate,
    plan,
    power,
    probes,
    probes_border,
    report,
    sample,
    verify,
)
from provenance.cli.shape import CONTEXT, INTERRUPTED, Commands, VerbCommand

EPILOG = """
Start with:
  provenance demo                      recorded comparisons, in seconds, no key
  provenance compare --help            how to name your endpoints
  provenance plan REFERENCE SUSPECT    what a comparison costs; sends nothing

Exit codes:
  0   done    with --fail-on: 10  different  11  inconclusive  13  supported
  12  stale reference    14  verification failed    20  stopped by the budget
  1   a fault, or no answer at all    2   usage    130  interrupted
"""

app = typer.Typer(
    name="provenance",
    cls=Commands,
    epilog=EPILOG,
    context_settings=CONTEXT,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    # A trace with local variables would print keys.
    pretty_exceptions_enable=False,
    pretty_exceptions_show_locals=False,
)
_probes = typer.Typer(
    cls=Commands,
    help="List, show, check and make the questions.",
    epilog="Examples:\n  provenance probes list\n  provenance probes show number-en-1\n",
    no_args_is_help=True,
    rich_markup_mode=None,
)
_library = typer.Typer(
    cls=Commands,
    help="Models whose answers are known: libraries of texts, panels of substitutes.",
    epilog="Examples:\n  provenance library list\n"
    "  provenance library add NAME SOURCE --library models\n  provenance library list models\n",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from provenance import __version__

        print(f"llm-provenance {__version__}")
        raise typer.Exit


@app.callback()
def _provenance(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", is_eager=True, callback=_print_version
        ),
    ] = False,
) -> None:
    """Compare language-model endpoints with exact tests, and write down the evidence."""


for _panel, _name, _verb, _epilog in (
    ("Try", "demo", demo.demo, demo.EPILOG),
    ("Try", "doctor", doctor.doctor, doctor.EPILOG),
    ("Compare", "plan", plan.plan, plan.EPILOG),
    ("Compare", "power", power.power, power.EPILOG),
    ("Compare", "compare", compare.compare, compare.EPILOG),
    ("Compare", "sample", sample.sample, sample.EPILOG),
    ("Attribute", "identify", identify.identify, identify.EPILOG),
    ("Attribute", "attribute", attribute.attribute, attribute.EPILOG),
    ("Afterwards", "report", report.report, report.EPILOG),
    ("Afterwards", "verify", verify.verify, verify.EPILOG),
):
    app.command(_name, cls=VerbCommand, epilog=_epilog, rich_help_panel=_panel)(_verb)
for _name, _verb, _epilog in (
    ("list", probes.list_, probes.LIST_EPILOG),
    ("show", probes.show, probes.SHOW_EPILOG),
    ("check", probes.check, probes.CHECK_EPILOG),
    ("generate", probes.generate, probes.GENERATE_EPILOG),
    ("border", probes_border.border, probes_border.EPILOG),
):
    _probes.command(_name, cls=VerbCommand, epilog=_epilog)(_verb)
for _name, _verb, _epilog in (
    ("add", library_add.add, library_add.EPILOG),
    ("list", library.list_, library.LIST_EPILOG),
    ("show", library.show, library.SHOW_EPILOG),
    ("export", library.export, library.EXPORT_EPILOG),
    ("calibrate", library_calibrate.calibrate, library_calibrate.EPILOG),
    ("band", library_band.band, library_band.EPILOG),
):
    _library.command(_name, cls=VerbCommand, epilog=_epilog)(_verb)
app.add_typer(_probes, name="probes", rich_help_panel="Questions")
app.add_typer(_library, name="library", rich_help_panel="Questions")


def main() -> None:
    """The entry point."""
    for stream in (sys.stdout, sys.stderr):
        # A console that cannot show a letter gets an escape instead of a crash.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        app(prog_name="provenance")
    except KeyboardInterrupt:  # before a verb began, or while its end was printed
        raise SystemExit(INTERRUPTED) from None
