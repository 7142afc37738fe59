"""What ``provenance doctor`` looks at: this machine, and one request to each endpoint.

Only data. No value of a variable leaves this module but the host of a proxy: keys are reported
as set or not set.
"""

from __future__ import annotations

import asyncio
import os
import platform
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from provenance.endpoint import Endpoint
from provenance.errors import ProvenanceError
from provenance.providers import create
from provenance.providers.base import Provider
from provenance.sampling import contact
from provenance.sampling.budget import estimated_tokens
from provenance.sampling.prepare import Estimate, HostEstimate
from provenance.transcript import Completion, Exchange, Failure, Message, Request

State = Literal["ok", "absent", "problem"]
DISTRIBUTION = "llm-provenance"
_SAME_IMPORT_NAME = "provenance"
_QUESTION = "Name a number between 1 and 100. Reply with the number only."
_CORE = ("numpy", "scipy", "pandas", "pyarrow", "pydantic", "httpx", "typer", "rich")
_EVERYTHING = "all"  # the extra that is the sum of the others
_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")
# A server that refuses parameters is asked again without them, as in a study.
_MOST_ATTEMPTS = 4
_REQUIREMENT = re.compile(r"""^\s*([A-Za-z0-9._-]+).*;.*\bextra\s*==\s*['"]([^'"]+)['"]""")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at; ``advice`` says what to do about it."""

    area: str
    name: str
    state: State
    detail: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class EndpointCheck:
    """What one request to an endpoint showed.

    Attributes
    ----------
    transport
        Whether the connection was encrypted and the certificate held.
    keys
        Variables that the endpoint names, and whether each is set.
    parameters
        Those that the server refused or ignored.
    problem
        Why there is no answer, None if there is one.
    """

    endpoint: str
    host: str | None
    transport: str
    keys: Mapping[str, bool] = field(default_factory=dict)
    served_model: str | None = None
    latency_s: float | None = None
    tokens: int | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    problem: str | None = None


def machine(environment: Mapping[str, str], folder: Path | None) -> tuple[Check, ...]:
    """Look at interpreter, packages, extras, proxies and folders. Sends nothing.

    Parameters
    ----------
    environment
        Usually ``os.environ``.
    folder
        The user's state folder (`contact.state_folder`).
    """
    return (
        Check(
            "python",
            platform.python_implementation(),
            "ok",
            f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        ),
        *_packages(),
        *_extras(),
        *_proxies(environment),
        _state(folder),
        _working_folder(),
    )


def plan(
    endpoints: Iterable[Endpoint], environment: Mapping[str, str]
) -> tuple[list[Provider | EndpointCheck], tuple[HostEstimate, ...], Estimate]:
    """Providers that can be asked (or why one cannot), and what asking each once will take."""
    request = _request()
    _, prompt, completion = estimated_tokens(request)
    found: list[Provider | EndpointCheck] = []
    hosts: dict[str, int] = {}
    for endpoint in endpoints:
        try:
            provider = create(endpoint, environment=environment)
        except ProvenanceError as error:
            found.append(_unusable(endpoint, environment, str(error)))
            continue
        found.append(provider)
        if provider.host is not None:
            hosts[provider.host] = hosts.get(provider.host, 0) + 1
    total = sum(hosts.values())
    estimates = tuple(
        HostEstimate(host, n, n * (prompt + completion), None) for host, n in hosts.items()
    )
    tokens = total * (prompt + completion)
    return found, estimates, Estimate(total, None, tokens, None, None, None, 10.0 * total)


def ask(
    found: Iterable[Provider | EndpointCheck], environment: Mapping[str, str]
) -> Iterator[EndpointCheck]:
    """Ask each provider of `plan` for a number, once; what the study asks is like it."""
    for item in found:
        if isinstance(item, EndpointCheck):
            yield item
        else:
            yield asyncio.run(_ask(item, environment))


def named_keys(endpoint: Endpoint, environment: Mapping[str, str]) -> dict[str, bool]:
    """Variables that an endpoint names, and whether each is set; never a value."""
    names = [endpoint.option("key_env"), *endpoint.family("header_env").values()]
    return {name: bool(environment.get(name, "").strip()) for name in names if name}


async def _ask(provider: Provider, environment: Mapping[str, str]) -> EndpointCheck:
    endpoint, request = provider.endpoint, _request()
    try:
        try:
            await provider.open()
            for _ in range(_MOST_ATTEMPTS):
                exchange = await provider.draw(request)
                failure = exchange.outcome
                if not (
                    isinstance(failure, Failure)
                    and failure.kind == "refused_parameters"
                    and failure.retryable
                ):
                    break
        finally:
            await provider.aclose()
    except ProvenanceError as error:
        return _unusable(endpoint, environment, str(error))
    return _answered(provider, exchange, environment)


def _answered(
    provider: Provider, exchange: Exchange, environment: Mapping[str, str]
) -> EndpointCheck:
    endpoint, outcome = provider.endpoint, exchange.outcome
    found: Mapping[str, str] = getattr(provider, "capabilities", {})
    completion = outcome if isinstance(outcome, Completion) else None
    problem = None
    # A recording that lacks this question can still be read: that is no trouble of access.
    if isinstance(outcome, Failure) and outcome.kind != "missing":
        problem = f"{outcome.kind}: {outcome.message}"
    return EndpointCheck(
        endpoint=str(endpoint),
        host=provider.host,
        transport=_transport(endpoint, answered=exchange.status is not None),
        keys=named_keys(endpoint, environment),
        served_model=completion.served_model if completion else None,
        latency_s=exchange.elapsed_s,
        tokens=completion.usage.completion_tokens if completion else None,
        parameters={k: v for k, v in found.items() if v in ("refused", "ignored")},
        problem=problem,
    )


def _unusable(endpoint: Endpoint, environment: Mapping[str, str], problem: str) -> EndpointCheck:
    host = None if endpoint.is_loopback else urlsplit(endpoint.url or "").netloc
    return EndpointCheck(
        endpoint=str(endpoint),
        host=host,
        transport="not tried",
        keys=named_keys(endpoint, environment),
        problem=problem,
    )


def _transport(endpoint: Endpoint, *, answered: bool) -> str:
    if endpoint.url is None:
        return "none: on this machine"
    if urlsplit(endpoint.url).scheme != "https":
        where = "loopback" if endpoint.is_loopback else "NOT ENCRYPTED"
        return f"plain http, {where}"
    return "TLS, certificate verified" if answered else "no connection, or TLS failed"


def _request() -> Request:
    return Request(
        slot=0,
        role="suspect",
        cell="doctor",
        draw=0,
        draws_planned=1,
        messages=(Message(role="user", content=_QUESTION),),
        max_visible_tokens=8,
    )


def _packages() -> Iterator[Check]:
    versions = ", ".join(f"{name} {_version(name) or 'MISSING'}" for name in _CORE)
    missing = [name for name in _CORE if _version(name) is None]
    yield Check(
        "packages",
        f"{DISTRIBUTION} {_version(DISTRIBUTION) or '(not installed, run from a checkout)'}",
        "problem" if missing else "ok",
        versions,
        f"pip install {DISTRIBUTION}" if missing else "",
    )
    other = _version(_SAME_IMPORT_NAME)
    if other is not None:
        yield Check(
            "packages",
            f"{_SAME_IMPORT_NAME} {other}",
            "problem",
            "another package with the same import name shares this environment",
            f"pip uninstall {_SAME_IMPORT_NAME} && pip install --force-reinstall {DISTRIBUTION}",
        )


def _extras() -> Iterator[Check]:
    for extra, packages in extras().items():
        missing = [name for name in packages if _version(name) is None]
        yield Check(
            "extras",
            extra,
            "absent" if missing else "ok",
            ", ".join(f"{name} {_version(name) or 'missing'}" for name in packages),
            f"pip install '{DISTRIBUTION}[{extra}]'" if missing else "",
        )


def extras() -> dict[str, list[str]]:
    """The extras of the installed distribution and the packages that each brings."""
    try:
        requirements = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return {}
    found: dict[str, list[str]] = {}
    for requirement in requirements:
        match = _REQUIREMENT.match(requirement)
        if match and match[2] != _EVERYTHING:
            found.setdefault(match[2], []).append(match[1])
    return found


def _proxies(environment: Mapping[str, str]) -> Iterator[Check]:
    for name in _PROXIES:
        value = environment.get(name) or environment.get(name.lower())
        if value:
            yield Check("proxy", name, "ok", _host(value))
    bypassed = environment.get("NO_PROXY") or environment.get("no_proxy")
    if bypassed:
        yield Check("proxy", "NO_PROXY", "ok", f"{len(bypassed.split(','))} entries")


def _host(url: str) -> str:
    """Host and port of a proxy: never the user name and password beside them."""
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port = parts.hostname, parts.port
    except ValueError:
        return "set, but not a URL"
    return f"{host}:{port}" if host and port else host or "set, but not a URL"


def _state(folder: Path | None) -> Check:
    advice = f"set {contact.STATE_VARIABLE} to a folder that can be written"
    if folder is None:
        return Check("folders", "state", "problem", "this user has no home folder", advice)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        return Check("folders", "state", "problem", f"{folder}: {error.strerror}", advice)
    known = len(contact.known_hosts(folder))
    return Check("folders", "state", "ok", f"{folder}, {known} known hosts")


def _working_folder() -> Check:
    here = Path.cwd()
    if os.access(here, os.W_OK):
        return Check("folders", "here", "ok", f"{here}: studies go to reports/")
    return Check("folders", "here", "absent", f"{here} cannot be written", "use --store DIR")


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
