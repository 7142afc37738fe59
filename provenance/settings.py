"""How a study is set up: flags over environment over TOML over defaults.

A config file holds the option names as keys, ``[endpoints.NAME]`` tables and a
``[declaration]``::

    alpha = 0.01
    battery = "quick"

    [endpoints.prod]
    endpoint = "compatible:qwen3-8b@https://llm.example.com/v1,key_env=PROD_KEY"

    [declaration]
    asked_by = "Ada Lovelace, Example Ltd"

The shipped recipes are such files; their bare name stands for them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from provenance import resources
from provenance.endpoint import PROVIDERS, Endpoint
from provenance.errors import EndpointError, SettingsError

ENVIRONMENT_PREFIX = "PROVENANCE_"
Format = Literal["md", "pdf", "html", "json"]
Allow = Literal["quantisation"]
FailOn = Literal["different", "inconclusive", "supported"]

# Where, how fast and for how much a study is made and shown. The rest decides what is asked and
# concluded, and enters the study's key.
NOT_IN_KEY = (
    *("seed", "store", "new", "formats", "out", "fail_on", "yes", "declaration"),
    # A study that its budget stopped is resumed with a larger one, so these are not its identity.
    *("max_requests", "budget_usd", "prices", "concurrency", "rpm", "max_age_days"),
    "ladder",
    # What it comes to stands in the plan.
    "likelihood",
    # Their endpoints and the copy of the band enter the key by their digests.
    "anchors",
)
# Came after the first studies were made: they enter the key only where they are set, so that a
# study of an earlier version can be resumed.
_ONLY_IF_SET = ("allow", "band", "logprobs")


class Settings(BaseModel):
    """All options of a study. ``None`` means: decided from the endpoints and the battery.

    ``new`` has three states: False refuses to repeat a finished study (the command's default),
    True starts another run beside it, None resumes what is unfinished and else starts another
    (the library's default, so that a test can run twice). ``max_requests`` None allows plans of up
    to 20,000 requests; a number is a hard stop, in attempts. ``ladder`` asks each server up to 14
    questions more, which parameters it heeds; None asks them where there are 300 draws a side or
    more. ``anchors`` are pairs of endpoints: a model on the reference's host, and the same on the
    suspect's. ``band`` names a benign band, and ``allow`` what beyond host, engine and
    floating-point format counts as benign in it. ``logprobs`` asks for the log probabilities of
    the likeliest tokens with every answer. ``likelihood`` scores all texts under the reference's
    own weights; None does so where they are local (``transformers:``).
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    battery: str | None = None
    draws: int | None = Field(default=None, ge=1, le=10_000)
    reference_draws: int | None = Field(default=None, ge=1, le=10_000)
    alpha: float = Field(default=0.01, ge=1e-4, le=0.5)
    seed: int | None = Field(default=None, ge=0, lt=2**53)
    delta: float = Field(default=0.10, gt=0, lt=1)
    anchors: tuple[tuple[str, str], ...] = Field(default=(), alias="anchor")
    allow: tuple[Allow, ...] = ()
    band: str | None = None
    panel: str | None = None
    max_age_days: float = Field(default=30, gt=0, alias="max_age")
    max_requests: int | None = Field(default=None, ge=1)
    budget_usd: float | None = Field(default=None, gt=0)
    ladder: bool | None = None
    logprobs: bool = False
    likelihood: bool | None = None
    sequential: bool = False
    prices: str | None = None
    concurrency: int | None = Field(default=None, ge=1, le=1024)
    rpm: float | None = Field(default=None, gt=0)
    store: Path | None = None
    new: bool | None = None
    formats: tuple[Format, ...] = Field(default=("md", "pdf", "json"), alias="format")
    out: Path | None = None
    fail_on: tuple[FailOn, ...] = ()
    yes: bool = False
    declaration: dict[Literal["asked_by", "purpose", "authorised_by"], str] = Field(
        default_factory=dict
    )

    @field_validator("formats", "fail_on", "allow", mode="before")
    @classmethod
    def _comma_list(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    def analysis(self) -> dict[str, Any]:
        """The settings that decide what is asked and concluded, as JSON values."""
        unset = {name for name in _ONLY_IF_SET if not getattr(self, name)}
        return self.model_dump(mode="json", exclude={*NOT_IN_KEY, *unset}, by_alias=True)


def load(
    flags: Mapping[str, Any] | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    config: Path | None = None,
) -> Settings:
    """Merge the four sources.

    Parameters
    ----------
    flags
        Option names with underscores; a value of None counts as not given.
    environment
        Usually ``os.environ``; ``PROVENANCE_ALPHA`` sets ``alpha``. None reads nothing.
    config
        A TOML file, or the name of a shipped recipe.

    Raises
    ------
    SettingsError
        Naming the source and key at fault.
    """
    known = {f.alias or name for name, f in Settings.model_fields.items()}
    merged: dict[str, Any] = {}
    if config is not None:
        table = read_config(config)
        merged.update({k: v for k, v in table.items() if k != "endpoints"})
    for name in known - {"declaration"}:
        variable = ENVIRONMENT_PREFIX + name.upper()
        if environment and environment.get(variable):
            merged[name] = environment[variable]
    merged.update({k: v for k, v in (flags or {}).items() if v is not None})
    for keyword, key in (("formats", "format"), ("anchors", "anchor")):
        if keyword in merged:  # as the library's keyword is called
            merged[key] = merged.pop(keyword)
    unknown = sorted(set(merged) - known)
    if unknown:
        raise SettingsError(
            f"unknown setting {unknown[0]!r}; known settings: {', '.join(sorted(known))}"
        )
    try:
        return Settings.model_validate(merged)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        raise SettingsError(f"setting {name!r}: {first['msg']}") from None


def recipes() -> dict[str, Path]:
    """The shipped config files, by name."""
    return {p.stem: p for p in sorted((resources.configs() / "recipes").glob("*.toml"))}


def read_config(config: Path) -> dict[str, Any]:
    """The tables of a config file, or of the shipped recipe of that name.

    Raises
    ------
    SettingsError
        If it is missing or not TOML.
    """
    path = _locate(config)
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(
            f"cannot read the config file {path}: {error.strerror}; shipped recipes, by their bare "
            f"name: {', '.join(recipes())}"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not TOML: {error}") from None


def _locate(config: Path) -> Path:
    """``config``, or the recipe that it names; a file of that name comes first."""
    bare = len(config.parts) == 1 and not config.suffix
    return recipes().get(config.name, config) if bare and not config.is_file() else config


def find_endpoint(text: str, config: Path | None = None) -> Endpoint:
    """An endpoint string, or the name of an ``[endpoints.NAME]`` table of the config file.

    Raises
    ------
    EndpointError
        Also when the table is missing, has no key ``endpoint``, or still holds the placeholder
        of a recipe: a host under ``.example``, a name that nobody can own (RFC 2606).
    """
    provider = text.partition(":")[0]
    if provider in PROVIDERS or config is None:
        return Endpoint.parse(text)
    tables = read_config(config).get("endpoints", {})
    if text not in tables:
        names = ", ".join(sorted(tables)) or "none"
        raise EndpointError(f"{config} has no table [endpoints.{text}]; it has: {names}")
    table = tables[text]
    if not isinstance(table, dict) or not isinstance(table.get("endpoint"), str):
        raise EndpointError(f'{config}: [endpoints.{text}] needs endpoint = "PROVIDER:MODEL…"')
    endpoint = Endpoint.parse(table["endpoint"])
    host = urlsplit(endpoint.base_url or "").hostname or ""
    if host.endswith(".example"):
        raise EndpointError(
            f"[endpoints.{text}] still holds the placeholder {host}: write the endpoint on the "
            f"command line, or in a copy of {_locate(config)}"
        )
    return endpoint
