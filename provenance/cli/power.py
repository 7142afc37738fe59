"""``provenance power``: how much to ask, before anything is asked."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from provenance.cli import options

if TYPE_CHECKING:
    from provenance.library.needs import Row

EPILOG = """
Examples:
  What does the battery quick see, with 1, 2, 4 and 8 times its draws?
    provenance power
  How often must core be asked to see a substitute that answers one in ten?
    provenance power --battery core --share 0.1
  One substitute in particular:
    provenance power --share 0.05 --substitute "Gemma 3 270M base"

How to read it:
  A share of .25 means: if a substitute answers a quarter of the requests, the
  test says `different` in 80% of studies. The median is over the substitutes of
  the panel and over some of them standing in for the reference. It is computed
  from the plan and the panel alone; nothing is sent.

Exit codes:
  0   done    2   the panel says nothing about these cells
"""
FACTORS = (1.0, 2.0, 4.0, 8.0)


def power(
    battery: Annotated[
        str,
        typer.Option("--battery", metavar="NAME|FILE", help="What would be asked."),
    ] = "quick",
    panel: Annotated[
        str | None,
        typer.Option("--panel", metavar="NAME|FILE", help="Substitutes. Default: the battery's."),
    ] = None,
    alpha: Annotated[float, typer.Option("--alpha", metavar="P", help="Level of the test.")] = 0.01,
    share: Annotated[
        float | None,
        typer.Option("--share", metavar="P", help="Find the draws that see this share."),
    ] = None,
    substitute: Annotated[
        str | None,
        typer.Option("--substitute", metavar="NAME", help="See this one, not the median."),
    ] = None,
    json: options.Json = False,
) -> None:
    """Say how many draws see how small a share of foreign answers; sends nothing.

    Both sides get the same draws. More draws a cell see smaller shares; the cost grows in
    proportion.
    """
    from provenance.battery import Battery
    from provenance.cli import outcome
    from provenance.errors import UsageError
    from provenance.library import needs
    from provenance.library.panel import Panel

    if share is not None and not 0 < share <= 1:
        raise UsageError(f"--share {share:g}: expected a share between 0 and 1, such as 0.1")
    if not 1e-4 <= alpha <= 0.5:
        raise UsageError(f"--alpha {alpha:g}: expected a level between 0.0001 and 0.5")
    if substitute is not None and share is None:
        raise UsageError("--substitute needs --share: which share of its answers is to be seen?")
    asked = Battery.load(battery)
    if panel is None and asked.name not in Panel.shipped():
        raise UsageError(
            f"no panel is shipped for the battery {asked.name!r}: name one with --panel "
            f"({', '.join(Panel.shipped())}, or a file of your own)"
        )
    known = Panel.load(panel or asked.name)
    rows: list[Row] = []
    search = (
        (needs.row(asked.cells, f, alpha=alpha, panel=known) for f in FACTORS)
        if share is None
        else needs.draws_needed(asked.cells, share, alpha=alpha, panel=known, substitute=substitute)
    )
    for found in search:
        rows.append(found)
        print(f"simulated {found.requests:,} requests a side …", file=sys.stderr)
    if json:
        outcome.print_json(_content(rows, asked, known, alpha, share, substitute))
        return
    for line in _lines(rows, asked.name, known.name, alpha, share, substitute):
        print(line)


def _content(
    rows: list[Row], battery: Any, panel: Any, alpha: float, share: float | None, one: str | None
) -> dict[str, Any]:
    from provenance.library.sensitivity import POWER

    return {
        "battery": battery.name,
        "battery_digest": battery.digest,
        "panel": panel.name,
        "alpha": alpha,
        "power": POWER,
        "share": share,
        "substitute": one,
        "plans": [
            {
                "factor": r.factor,
                "requests_a_side": r.requests,
                "visible_tokens_a_side_at_most": r.tokens,
                "median_share": r.middle,
                "shares": r.shares,
            }
            for r in (rows if share is None else sorted(rows, key=lambda r: r.factor))
        ],
    }


def _lines(
    rows: list[Row],
    battery: str,
    panel: str,
    alpha: float,
    share: float | None,
    one: str | None,
) -> list[str]:
    from provenance.cli.words import columns
    from provenance.dossier.text import for_terminal
    from provenance.library.sensitivity import POWER

    lines = [f"battery {battery}, panel {panel}, alpha {alpha:g}, power {POWER:g}", ""]
    table = [("draws", "requests a side", "smallest share: best", "median", "worst", "unseen")]
    for found in sorted({r.factor: r for r in rows}.values(), key=lambda r: r.factor):
        known = sorted(s for s in found.shares.values() if s is not None)
        table.append(
            (
                f"x {found.factor:g}",
                f"{found.requests:,}",
                _percent(known[0] if known else None),
                _percent(found.middle),
                _percent(known[-1] if known else None),
                f"{found.unseen} of {len(found.shares)}",
            )
        )
    lines += columns(table, indent="")
    if share is None:
        return lines
    last = rows[-1]
    value = last.middle if one is None else last.shares[one]
    who = "the median substitute" if one is None else for_terminal(one, 60)
    lines.append("")
    if value is None or value > share:
        lines.append(
            f"Not even {last.requests:,} requests a side see {who} at {_percent(share)}: choose "
            "other cells, or a larger share."
        )
    else:
        lines.append(
            f"{who[0].upper()}{who[1:]} at {_percent(share)}: {last.factor:g} times the draws, "
            f"{last.requests:,} requests a side."
        )
    return lines


def _percent(value: float | None) -> str:
    return "none" if value is None else f"{100 * value:.1f}%"
