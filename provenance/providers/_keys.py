"""Keys: found by name, sent where the user said, and taken out of everything that is kept.

A key is named (``key_env=NAME``, ``header_env.NAME=VARIABLE``) and never written in an endpoint
string, because that string stands in every plan, study and dossier. What a server sends back may
hold the key; `Secrets.redact` removes it in the forms that servers and languages give it: as it
is, JSON-, percent- and HTML-escaped character by character, in hexadecimal, and in base64 at any
offset.
"""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Iterable, Mapping

from provenance.endpoint import Endpoint
from provenance.errors import UsageError

REDACTED = "[redacted key]"

# A shorter value is a placeholder ("EMPTY", "none"): taking it out would damage answers.
_SHORTEST_SECRET = 8

_CREDENTIAL_NAMES = frozenset(
    (
        *("authorization", "proxyauthorization", "cookie", "password", "secret"),
        *("key", "apikey", "xapikey", "xgoogapikey", "subscriptionkey", "ocpapimsubscriptionkey"),
        *("token", "accesstoken", "authtoken", "xauthtoken"),
    )
)
# Set by the HTTP client from the request itself.
_FRAMING = frozenset({"host", "content-length", "transfer-encoding", "connection"})
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_LOGGERS = (
    "httpx",
    "httpcore.connection",
    "httpcore.http11",
    "httpcore.proxy",
    "httpcore.socks",
)


class Secrets:
    """Values that nothing which is kept, shown or logged may hold.

    Parameters
    ----------
    values
        Keys; words of a header value such as ``Bearer …`` count one by one.
    """

    def __init__(self, values: Iterable[str]) -> None:
        words = {w for value in values for w in (value, *value.split())}
        kept = sorted((w for w in words if len(w) >= _SHORTEST_SECRET), key=len, reverse=True)
        self._pattern = (
            re.compile("|".join(form for w in kept for form in _forms(w)).encode(), re.IGNORECASE)
            if kept
            else None
        )

    def __bool__(self) -> bool:
        return self._pattern is not None

    def redact(self, data: bytes) -> bytes:
        """``data`` with every form of every secret replaced by ``[redacted key]``."""
        if self._pattern is None:
            return data
        return self._pattern.sub(REDACTED.encode(), data)

    def redact_text(self, text: str) -> str:
        """`redact` for text; unencodable characters survive."""
        if self._pattern is None:
            return text
        data = text.encode("utf-8", "surrogatepass")
        return self.redact(data).decode("utf-8", "surrogatepass")


class LogGuard(logging.Filter):
    """Takes the secrets out of what the HTTP client logs (httpcore logs all response headers)."""

    def __init__(self, secrets: Secrets) -> None:
        super().__init__()
        self._secrets = secrets

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact the record; always keep it."""
        record.msg, record.args = self._secrets.redact_text(record.getMessage()), ()
        return True

    def install(self) -> None:
        """Watch the client's loggers, if there is anything to hide."""
        for name in _LOGGERS if self._secrets else ():
            logging.getLogger(name).addFilter(self)

    def remove(self) -> None:
        """Stop watching."""
        for name in _LOGGERS:
            logging.getLogger(name).removeFilter(self)


def headers(endpoint: Endpoint, environment: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """The headers that the endpoint's options ask for, and which of their values are secret.

    Raises
    ------
    UsageError
        If a variable is missing or unusable (its name is given, never its value), a header cannot
        be sent, or a key stands in the endpoint string itself.
    """
    sent: dict[str, str] = {}
    secret: list[str] = []
    for name, value in endpoint.family("header").items():
        _check_header(name)
        if is_credential(name):
            raise UsageError(
                f"option header.{name}: an endpoint string is written into every plan and dossier, "
                f"so it holds no key: put it into a variable and name it, header_env.{name}=NAME"
            )
        if not value.isprintable() or not value.isascii():
            raise UsageError(f"option header.{name}: expected printable ASCII")
        sent[name.lower()] = value
    for name, variable in endpoint.family("header_env").items():
        _check_header(name)
        sent[name.lower()] = _variable(environment, variable, f"header_env.{name}")
        secret.append(sent[name.lower()])
    key_env = endpoint.option("key_env")
    if key_env is not None:
        key = _variable(environment, key_env, "key_env")
        if "authorization" in sent:
            raise UsageError("key_env and header_env.Authorization both set a key: keep one")
        sent["authorization"] = f"Bearer {key}"
        secret.append(key)
    return sent, secret


def is_credential(name: str) -> bool:
    """Whether a header or parameter of this name usually holds a key."""
    return name.rpartition(".")[2].lower().replace("-", "").replace("_", "") in _CREDENTIAL_NAMES


def _variable(environment: Mapping[str, str], variable: str, option: str) -> str:
    value = environment.get(variable, "").strip()
    if not value:
        raise UsageError(
            f"option {option}={variable}: the environment variable {variable} is not set or empty"
        )
    if not value.isprintable() or not value.isascii():
        raise UsageError(
            f"option {option}={variable}: the value of {variable} cannot be sent in a header: "
            "expected printable ASCII on one line"
        )
    return value


def _check_header(name: str) -> None:
    if not _TOKEN.fullmatch(name) or name.lower() in _FRAMING:
        raise UsageError(f"header {name!r} cannot be set: expected a name that HTTP leaves to us")


def _forms(secret: str) -> Iterable[str]:
    yield "".join(_escapes(character) for character in secret)
    raw = secret.encode()
    yield raw.hex()
    for offset in range(3):
        # Only the characters that the neighbours of the key in the encoded text cannot change.
        encoded = base64.b64encode(bytes(offset) + raw).decode()
        inner = encoded[(8 * offset + 5) // 6 : 8 * (offset + len(raw)) // 6]
        yield re.escape(inner).replace("/", r"\\?[/_]").replace(r"\+", r"[+\-]")


def _escapes(character: str) -> str:
    code = ord(character)
    plain = (r"\\{0,4}" if character in "\"'\\/" else "") + re.escape(character)
    # All backslashes before an escape go with it: half of an escaped one is not JSON.
    return (
        rf"(?:{plain}|\\{{1,4}}(?:u00|x){code:02x}|%(?:25)?{code:02x}"
        rf"|&#(?:0{{0,3}}{code}|x0{{0,3}}{code:x});)"
    )
