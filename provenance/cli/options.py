"""The options that the sampling verbs share, once, as a table; `takes` gives them to a verb.

Values pass through unread: `settings.load` merges them with environment and file, and validates.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

Verb = Callable[..., None]

_WHAT, _LIMITS, _WHERE = "Questions and test", "Limits", "Evidence and output"


def _option(flag: str, panel: str, help: str, metavar: str | None = None) -> Any:
    return typer.Option(flag, metavar=metavar, help=help, rich_help_panel=panel)


Reference = Annotated[
    str,
    typer.Argument(metavar="REFERENCE", help="The endpoint, recording or store that is known."),
]
Suspect = Annotated[
    str, typer.Argument(metavar="SUSPECT", help="The endpoint or recording in question.")
]
_JSON = "JSON on stdout, and nothing else."
Json = Annotated[bool, typer.Option("--json", help=_JSON)]
StudyJson = Annotated[bool, typer.Option("--json", help=_JSON, rich_help_panel=_WHERE)]

SAMPLING: Mapping[str, Any] = {
    "battery": Annotated[
        str | None,
        _option(
            "--battery",
            _WHAT,
            "What is asked: a shipped battery (`provenance probes list`) or a TOML file. "
            "Default: quick; for two recordings, the prompts that they share.",
            "NAME|FILE",
        ),
    ],
    "config": Annotated[
        Path | None,
        _option(
            "--config",
            _WHAT,
            "A TOML file with these options as keys, [endpoints.NAME] and [declaration] tables, or "
            "the name of a shipped recipe. Flags win over PROVENANCE_* variables, those over it.",
            "FILE|NAME",
        ),
    ],
    "draws": Annotated[
        int | None,
        _option("--draws", _WHAT, "Times that every question is asked of a side.", "N"),
    ],
    "seed": Annotated[
        int | None,
        _option("--seed", _WHAT, "Fixes order and analysis. Default: drawn and recorded.", "N"),
    ],
    "max_requests": Annotated[
        int | None,
        _option(
            "--max-requests",
            _LIMITS,
            "Hard stop, in attempts; the study resumes with a larger one. Plans over 20,000 "
            "requests need it.",
            "N",
        ),
    ],
    "budget_usd": Annotated[
        float | None,
        _option("--budget-usd", _LIMITS, "Hard stop, in US dollars; needs known prices.", "USD"),
    ],
    "prices": Annotated[
        Path | None,
        _option("--prices", _LIMITS, "A TOML file of prices instead of the shipped one.", "FILE"),
    ],
    "concurrency": Annotated[
        int | None,
        _option("--concurrency", _LIMITS, "Requests at a time. Default: 4 to a remote host.", "N"),
    ],
    "rpm": Annotated[
        float | None, _option("--rpm", _LIMITS, "Requests a minute to a host, at most.", "N")
    ],
    "ladder": Annotated[
        bool | None,
        typer.Option(
            "--ladder/--no-ladder",
            rich_help_panel=_WHAT,
            help="Ask each server up to 14 questions more: which parameters does it heed? Default: "
            "from 300 draws a side on.",
        ),
    ],
    "logprobs": Annotated[
        bool | None,
        typer.Option(
            "--logprobs/--no-logprobs",
            rich_help_panel=_WHAT,
            help="Ask for the log probabilities of the likeliest tokens with every answer: far "
            "sharper where both sides list them. Some servers refuse. Default: no.",
        ),
    ],
    "yes": Annotated[
        bool,
        _option(
            "--yes",
            _LIMITS,
            "Agree to the first contact with a new host instead of being asked; remembered.",
        ),
    ],
    "store": Annotated[
        Path | None,
        _option(
            "--store",
            _WHERE,
            "Folder of this study's evidence. Default: reports/SUSPECT-KEY.",
            "DIR",
        ),
    ],
    "new": Annotated[
        bool,
        _option(
            "--new", _WHERE, "Ask everything anew though the study is finished; runs are counted."
        ),
    ],
}

COMPARING: Mapping[str, Any] = {
    "battery": SAMPLING["battery"],
    "config": SAMPLING["config"],
    "draws": SAMPLING["draws"],
    "reference_draws": Annotated[
        int | None,
        _option("--reference-draws", _WHAT, "The same for the reference alone.", "N"),
    ],
    "seed": SAMPLING["seed"],
    "alpha": Annotated[
        float | None,
        _option(
            "--alpha", _WHAT, "Chance of calling equal endpoints different. Default: 0.01.", "P"
        ),
    ],
    "delta": Annotated[
        float | None,
        _option(
            "--delta", _WHAT, "Largest share of foreign answers to tolerate. Default: 0.10.", "P"
        ),
    ],
    "sequential": Annotated[
        bool,
        _option(
            "--sequential", _WHAT, "Stop as soon as the sides differ; a fifth of alpha pays for it."
        ),
    ],
    "likelihood": Annotated[
        bool | None,
        typer.Option(
            "--likelihood/--no-likelihood",
            rich_help_panel=_WHAT,
            help="Score all texts under the reference's own weights: parts sharper decoding from "
            "damaged weights. Default: where the reference is transformers:PATH.",
        ),
    ],
    "panel": Annotated[
        str | None,
        _option(
            "--panel", _WHAT, "Plausible substitutes, for the planned sensitivity.", "NAME|FILE"
        ),
    ],
    "anchor": Annotated[
        list[str] | None,
        _option(
            "--anchor",
            _WHAT,
            "A model that both hosts are trusted to serve alike: its endpoint on the reference's "
            "host, then on the suspect's; repeatable. What the hosts change in it is no evidence "
            "against the suspect.",
            "REF SUS",
        ),
    ],
    "band": Annotated[
        str | None,
        _option(
            "--band",
            _WHAT,
            "Benign pairs: does the suspect differ more than known servings of the same weights "
            "do? See `provenance library band`.",
            "NAME|FILE",
        ),
    ],
    "allow": Annotated[
        str | None,
        _option(
            "--allow",
            _WHAT,
            "What else counts as benign in the band: quantisation. Default: nothing but host, "
            "engine and floating-point format.",
            "LIST",
        ),
    ],
    "max_age": Annotated[
        float | None,
        _option("--max-age", _WHAT, "Oldest stored reference to accept. Default: 30.", "DAYS"),
    ],
    **{k: v for k, v in SAMPLING.items() if k not in ("battery", "config", "draws", "seed")},
    "format": Annotated[
        str | None,
        _option(
            "--format",
            _WHERE,
            "Dossiers to write: a comma list of md, pdf, html, json. Default: md,pdf,json.",
            "LIST",
        ),
    ],
    "out": Annotated[
        Path | None,
        _option("--out", _WHERE, "Folder of the dossiers. Default: the store.", "DIR"),
    ],
    "fail_on": Annotated[
        str | None,
        _option(
            "--fail-on",
            _WHERE,
            "Verdicts that make the exit code non-zero: a comma list of different, inconclusive, "
            "supported. Default: none.",
            "LABELS",
        ),
    ],
}


def takes(table: Mapping[str, Any]) -> Callable[[Verb], Verb]:
    """Give a verb that takes ``**flags`` the options of ``table``, unset unless typed."""

    def give(verb: Verb) -> Verb:
        own = list(inspect.signature(verb, eval_str=True).parameters.values())
        added = [
            # Unset, not False: a switch that is not typed may be set by file or environment.
            inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation
            )
            for name, annotation in table.items()
        ]
        parameters = [
            *(p for p in own if p.kind is p.POSITIONAL_OR_KEYWORD),
            *added,
            *(p for p in own if p.kind is p.KEYWORD_ONLY),
        ]
        # typer reads both.
        verb.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        verb.__annotations__ = {p.name: p.annotation for p in parameters} | {"return": None}
        return verb

    return give
