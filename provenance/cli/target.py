"""``provenance plan --target-power``: questions and draws for a power, cheapest first."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from provenance.errors import UsageError

if TYPE_CHECKING:
    from provenance.library.choice import Choice
    from provenance.library.panel import Panel
    from provenance.settings import Settings

POOL = "core"  # questions are chosen from it unless --battery names another


def found(
    sides: tuple[str, str],
    settings: Settings,
    target: float,
    share: float,
    write: Path | None,
    *,
    json: bool,
) -> None:
    """Choose, write the battery if asked to, and say what was chosen and how to run it."""
    import sys

    from provenance.battery import Battery
    from provenance.cli import outcome
    from provenance.library.choice import choose
    from provenance.library.panel import Panel
    from provenance.library.private import to_toml

    if not 0 < target < 1:
        raise UsageError(f"--target-power {target:g}: expected a power between 0 and 1, like 0.9")
    if not 0 < share <= 1:
        raise UsageError(f"--share {share:g}: expected a share between 0 and 1, such as 0.1")
    if write is not None and (write.exists() or write.suffix != ".toml"):
        raise UsageError(f"--write {write}: expected the name of a new .toml file")
    pool = Battery.load(settings.battery or POOL)
    if settings.panel is None and pool.name not in Panel.shipped():
        raise UsageError(
            f"no panel is shipped for the battery {pool.name!r}: name one with --panel "
            f"({', '.join(Panel.shipped())}, or a file of your own)"
        )
    panel = Panel.load(settings.panel or pool.name)
    print(f"choosing among {len(pool.cells)} cells …", file=sys.stderr)
    choice = choose(pool, panel, target=target, share=share, alpha=settings.alpha)
    if write is not None:
        write.write_text(to_toml(choice.battery), encoding="utf-8")
    if json:
        outcome.print_json(_content(choice, panel, target, share, settings.alpha, write))
    else:
        print("\n".join(_lines(sides, choice, panel, target, share, settings, write)))


def _content(
    choice: Choice,
    panel: Panel,
    target: float,
    share: float,
    alpha: float,
    write: Path | None,
) -> dict[str, Any]:
    return {
        "battery": choice.battery.name,
        "battery_digest": choice.battery.digest,
        "panel": panel.name,
        "alpha": alpha,
        "share": share,
        "target_power": target,
        "reached": choice.reached,
        "power": choice.power,
        "power_of_the_median_pair": choice.median,
        "power_of_three_quarters": choice.least,
        "pairs": choice.pairs,
        "pairs_alike": choice.alike,
        "cells": choice.cells,
        "requests_a_side": choice.requests,
        "visible_tokens_a_side_at_most": choice.tokens,
        "probes": [
            {"id": p.id, "family": p.family, "draws": p.draws} for p in choice.battery.probes
        ],
        "file": None if write is None else str(write),
    }


def _lines(
    sides: tuple[str, str],
    choice: Choice,
    panel: Panel,
    target: float,
    share: float,
    settings: Settings,
    write: Path | None,
) -> list[str]:
    from provenance.cli import outcome
    from provenance.cli.words import columns, wrapped
    from provenance.dossier.numbers import percent
    from provenance.dossier.text import for_terminal
    from provenance.library.promised import CONFIDENCE

    probes = choice.battery.probes
    draws = ", ".join(sorted({f"{p.draws}" for p in probes}))
    lines = columns(
        [
            ("To see", f"a substitute that answers {percent(share)} of the requests"),
            ("Ask", f"{len(probes)} questions ({choice.cells} cells), each {draws} times a side"),
            ("Requests", f"{choice.requests:,} a side"),
            ("Tokens", f"{choice.tokens:,} visible a side, at most"),
            (
                "Power",
                f"{percent(choice.power)} or more for half of such substitutes, α "
                f"{settings.alpha:g} (confidence {percent(CONFIDENCE)})",
            ),
        ],
        indent="",
    )
    if not choice.reached:
        lines += wrapped(
            f"Not the {percent(target)} that were asked for: this is the strongest plan among "
            "these questions. A larger --share, or another --battery to choose from.",
            outcome.width(),
        )
    lines += ["", *columns([(p.id, p.family) for p in probes]), ""]
    lines += wrapped(
        f"From {choice.pairs} pairs of the panel {panel.name}: their median is "
        f"{percent(choice.median)}, a quarter of them have less than {percent(choice.least)}. "
        f"{choice.alike} further pairs answer these questions alike: no plan would see them. The "
        "questions were chosen on other pairs than those that the power is of.",
        outcome.width(),
    )
    named = "FILE" if write is None else for_terminal(str(write), 200)
    lines += ["", "To run it" + (" (--write FILE keeps the battery):" if write is None else ":")]
    reference, suspect = (for_terminal(side, 200) for side in sides)
    lines.append(
        f"  provenance compare {reference} {suspect} --battery {named} "
        f"--panel {for_terminal(settings.panel or panel.name, 200)}"
    )
    return lines
