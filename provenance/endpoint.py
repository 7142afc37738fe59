"""One string names an endpoint: ``PROVIDER:MODEL[@BASE_URL][,key=value…]``.

PROVIDER ends at the first colon. Options begin at the first comma that is followed by ``name=``
(outside brackets and quotes). BASE_URL begins at the last ``@http://`` or ``@https://`` before
them. Values are TOML scalars or arrays, else strings.

>>> e = Endpoint.parse("compatible:qwen2.5:7b@http://localhost:11434/v1,temperature=0.7")
>>> e.provider, e.model, e.base_url, e.option("temperature")
('compatible', 'qwen2.5:7b', 'http://localhost:11434/v1', 0.7)
>>> str(e)
'compatible:qwen2.5:7b@http://localhost:11434/v1,temperature=0.7'
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from provenance.errors import EndpointError

PROVIDERS = (
    "compatible",
    "openai",
    "anthropic",
    "transformers",
    "gguf",
    "replay",
    "simulated",
)

# Option -> what its value must be. Families end in a dot and take any name after it.
OPTIONS: dict[str, str] = {
    "key_env": "string",
    "system_file": "string",
    "temperature": "number",
    "top_p": "number",
    "max_tokens": "integer",
    "seed": "integer",
    "api": "string",
    "stream": "boolean",
    "reasoning": "any",
    "rpm": "number",
    "timeout": "number",
    "proxy": "string",
    "ca_bundle": "string",
    "header.": "string",
    "header_env.": "string",
    "query.": "string",
    "body.": "any",
    "revision": "string",
    "dtype": "string",
    "model": "string",
}
# Where a provider is if no base URL is given.
DEFAULT_BASE_URLS = {
    "openai": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com",
}
APIS = ("chat", "completions", "responses", "messages")

_OPTION_START = re.compile(r",(?=[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_.\-]+)?=)")
_BASE_URL = re.compile(r"@(?=https?://)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What is asked, and where.

    Attributes
    ----------
    provider
        One of `PROVIDERS`.
    model
        The model as the provider names it; for files, the path.
    base_url
        Where it is served, if anywhere.
    options
        (name, text) pairs in the order and spelling given; read them with `option`.
    """

    provider: str
    model: str
    base_url: str | None = None
    options: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        _validate(self)

    @classmethod
    def parse(cls, text: str) -> Endpoint:
        """Read an endpoint string.

        Raises
        ------
        EndpointError
            With what was expected and what to write instead.
        """
        if _CONTROL.search(text):
            raise EndpointError(f"an endpoint holds no control characters: {text!r}")
        provider, colon, rest = text.partition(":")
        if not colon:
            raise EndpointError(
                f"{text!r} names no provider. Write PROVIDER:MODEL[@BASE_URL][,key=value…], or "
                f"name a table [endpoints.{text}] of the file given with --config"
            )
        if provider in ("http", "https"):
            raise EndpointError(
                f"{text!r} is a URL, and an endpoint is more: who speaks to it, and which model. "
                f"Write compatible:MODEL@{text},key_env=NAME (NAME is the environment variable "
                "that holds the key; leave it out if there is none)"
            )
        if provider not in PROVIDERS:
            raise EndpointError(
                f"unknown provider {provider!r} in {text!r}: expected one of {', '.join(PROVIDERS)}"
            )
        head, options = _split_options(rest)
        urls = list(_BASE_URL.finditer(head))
        model, base_url = head, None
        if urls:
            model, base_url = head[: urls[-1].start()], head[urls[-1].end() :]
        return cls(provider, model, base_url, options)

    def __str__(self) -> str:
        url = f"@{self.base_url}" if self.base_url else ""
        options = "".join(f",{name}={value}" for name, value in self.options)
        return f"{self.provider}:{self.model}{url}{options}"

    def option(self, name: str, default: Any = None) -> Any:
        """The value of one option, typed, or ``default``."""
        for key, text in self.options:
            if key == name:
                return _value(key, text)
        return default

    def family(self, prefix: str) -> dict[str, Any]:
        """All options ``prefix.NAME`` as {NAME: value}."""
        start = prefix + "."
        return {k[len(start) :]: _value(k, v) for k, v in self.options if k.startswith(start)}

    @property
    def label(self) -> str:
        """A short name for people: ``host/model``, or the file and its model."""
        if self.provider in ("replay", "simulated"):
            name = re.split(r"[\\/]", self.model.rstrip("\\/"))[-1]
            inner = self.option("model")
            return f"{name}/{inner}" if inner else name
        if self.base_url:
            return f"{urlsplit(self.base_url).netloc}/{self.model}"
        name = re.split(r"[\\/]", self.model.rstrip("\\/"))[-1] or self.model
        return f"{self.provider}/{name}"

    def label_beside(self, other: Endpoint) -> str:
        """`label`, with the options that the other lacks where both have the same one."""
        if self.label != other.label or self == other:
            return self.label
        own = [f"{k}={v}" for k, v in self.options if (k, v) not in other.options]
        return f"{self.label} ({', '.join(own)})" if own else self.label

    @property
    def slug(self) -> str:
        """`label` as a folder name that is safe on every system."""
        slug = re.sub(r"[^a-z0-9]+", "-", self.label.lower()).strip("-")[:48].strip("-")
        return slug or hashlib.sha256(str(self).encode()).hexdigest()[:8]

    @property
    def url(self) -> str | None:
        """The base URL that is given, else the provider's own; None if there is none."""
        return self.base_url or DEFAULT_BASE_URLS.get(self.provider)

    @property
    def is_loopback(self) -> bool:
        """Whether nothing leaves this machine."""
        return self.url is None or is_loopback_host(urlsplit(self.url).hostname or "")


def is_loopback_host(host: str) -> bool:
    """Whether ``host`` is this machine."""
    return host in ("localhost", "::1") or re.fullmatch(r"127(\.\d{1,3}){3}", host) is not None


def _split_options(rest: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    starts = [m.start() for m in _OPTION_START.finditer(rest)]
    if not starts:
        return rest, ()
    head, options, position = rest[: starts[0]], [], starts[0]
    while position < len(rest):
        equals = rest.index("=", position)
        end = _value_end(rest, equals + 1, starts)
        options.append((rest[position + 1 : equals], rest[equals + 1 : end]))
        position = end
    return head, tuple(options)


def _value_end(text: str, begin: int, starts: list[int]) -> int:
    """The first option start at which the value so far is complete (quotes, brackets)."""
    for start in starts:
        if start >= begin and _complete(text[begin:start]):
            return start
    return len(text)


def _complete(value: str) -> bool:
    if not value or value[0] not in "\"'[{":
        return True
    try:
        tomllib.loads(f"v = {value}")
    except tomllib.TOMLDecodeError:
        return False
    return True


def _kind(name: str) -> str:
    kind = OPTIONS.get(name)
    if kind is None and "." in name:
        kind = OPTIONS.get(name.split(".", 1)[0] + ".")
    if kind is None:
        known = ", ".join(f"{o}NAME" if o.endswith(".") else o for o in OPTIONS)
        raise EndpointError(f"unknown option {name!r}; known options: {known}")
    return kind


def _toml(text: str) -> Any:
    try:
        return tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        return text


def _value(name: str, text: str) -> Any:
    kind = _kind(name)
    value = _toml(text)
    if kind == "string":
        # gpt-4 and 1.5 are names here: only TOML's own quotes are taken off.
        return value if isinstance(value, str) else text
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "number" and not number:
        raise EndpointError(f"option {name}={text}: expected a number")
    if kind == "integer" and (not isinstance(value, int) or isinstance(value, bool)):
        raise EndpointError(f"option {name}={text}: expected a whole number")
    if kind == "boolean" and not isinstance(value, bool):
        raise EndpointError(f"option {name}={text}: expected true or false")
    return value


def _validate(endpoint: Endpoint) -> None:
    if endpoint.provider not in PROVIDERS:
        raise EndpointError(f"unknown provider {endpoint.provider!r}: one of {PROVIDERS}")
    if not endpoint.model:
        raise EndpointError(f"{endpoint.provider}: names no model; write {endpoint.provider}:MODEL")
    seen = set()
    for name, text in endpoint.options:
        _value(name, text)
        if name in seen:
            raise EndpointError(f"option {name!r} is given twice")
        seen.add(name)
    api = endpoint.option("api")
    if api is not None and api not in APIS:
        raise EndpointError(f"option api={api}: expected one of {', '.join(APIS)}")
    if endpoint.base_url is not None:
        _validate_url(endpoint.base_url)


def _validate_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise EndpointError(f"base URL {url!r}: {error}") from None
    if parts.username is not None or parts.password is not None:
        raise EndpointError(
            "a base URL holds no user name or password; put the key into an environment "
            "variable and name it: key_env=NAME"
        )
    if not parts.hostname or port == 0 or " " in url:
        raise EndpointError(f"base URL {url!r}: expected http(s)://HOST[:PORT][/PATH]")
    if parts.query or parts.fragment:
        raise EndpointError(
            f"base URL {url!r} holds a query or fragment; write it as an option: query.NAME=VALUE"
        )
