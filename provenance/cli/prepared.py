"""From what was typed to settings, and to a study that may start."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from provenance.errors import MissingExtra, UsageError

if TYPE_CHECKING:
    from provenance.sampling.prepare import Prepared
    from provenance.settings import Settings
    from provenance.study import Comparison

T = TypeVar("T", bound=str)


def read(flags: Mapping[str, Any]) -> tuple[Settings, Path | None]:
    """The merged settings, and the config file."""
    from provenance import settings as settings_module

    given = {name: value for name, value in flags.items() if name != "config"}
    config = flags.get("config")
    if given.get("prices") is not None:
        given["prices"] = str(given["prices"])
    if given.get("anchor"):
        given["anchor"] = tuple(_pair(text) for text in given["anchor"])
    settings = settings_module.load(given, environment=os.environ, config=config)
    if settings.new is None:
        # Here a finished study is not repeated by accident.
        settings = settings.model_copy(update={"new": False})
    return settings, config


def _pair(text: str) -> tuple[str, str]:
    from provenance.cli.shape import BETWEEN

    first, _, second = text.partition(BETWEEN)
    if not second:
        raise UsageError(
            f"--anchor {first}: expected two endpoints, the model on the reference's host and the "
            "same model on the suspect's"
        )
    return first, second


def without_missing_pdf(settings: Settings) -> Settings:
    """The settings without the PDF, where nobody asked for it by name and it cannot be had.

    Who asks for it by name is told so before anything is planned or sent.
    """
    from provenance import dossier

    if "formats" in settings.model_fields_set:
        dossier.require(settings.formats)
        return settings
    kept = renderable(settings.formats)
    return settings if kept == settings.formats else settings.model_copy(update={"formats": kept})


def renderable(formats: tuple[T, ...]) -> tuple[T, ...]:
    """Leave out, aloud, what cannot be rendered here."""
    from provenance import dossier

    kept = []
    for format in formats:
        try:
            dossier.require([format])
        except MissingExtra as error:
            print(f"note: not written: {error}", file=sys.stderr)
        else:
            kept.append(format)
    return tuple(kept)


def prepare(endpoint: str, settings: Settings, config: Path | None) -> Prepared:
    """Plan a recording and say what is worth a warning."""
    from provenance import study
    from provenance.dossier.text import for_terminal

    prepared = study.prepare(endpoint, None, settings, environment=os.environ, config=config)
    for warning in warnings(prepared):
        print(f"warning: {for_terminal(warning, 500)}", file=sys.stderr)
    return prepared


def prepare_comparison(
    reference: str, suspect: str, settings: Settings, config: Path | None
) -> Comparison:
    """Plan the study with its anchors and say what is worth a warning."""
    from provenance import study
    from provenance.dossier.text import for_terminal

    made = study.prepare_comparison(
        study.side_of(reference, config),
        study.side_of(suspect, config),
        [(study.side_of(a, config), study.side_of(b, config)) for a, b in settings.anchors],
        settings,
        environment=os.environ,
    )
    for warning in dict.fromkeys(w for plan in made.plans() for w in warnings(plan)):
        print(f"warning: {for_terminal(warning, 500)}", file=sys.stderr)
    return made


def warnings(prepared: Prepared) -> list[str]:
    """What is worth knowing before a study starts."""
    from provenance.sampling.budget import cost_warnings

    estimate = prepared.estimate
    return [
        *prepared.warnings,
        *cost_warnings(
            prepared.prices,
            (estimate.usd_low, estimate.usd_high),
            prepared.settings.budget_usd,
            datetime.now(UTC).date(),
        ),
    ]
