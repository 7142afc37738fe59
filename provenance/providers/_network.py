"""The network below the dialect: which proxy, which certificates, which headers.

One transport of httpx without its client: so no redirect is followed or even parsed, no cookie
ties one draw to the next, no ``.netrc`` and no variable of the process is read. Proxies and
certificates come from the endpoint or from the environment that the caller gave. Loopback never
goes through a proxy, and neither does what ``NO_PROXY`` names.

The headers are those that httpx sends by itself and ``content-type``: no SDK's, and no other
client's.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import certifi
import httpx

from provenance.endpoint import Endpoint
from provenance.errors import UsageError

CONNECT_TIMEOUT_S = 10.0
HEADERS = {
    "accept": "*/*",
    "accept-encoding": "gzip, deflate",  # what `_wire` can unpack with a limit
    "connection": "keep-alive",
    "user-agent": f"python-httpx/{httpx.__version__}",
    "content-type": "application/json",
}
# The total time of a request is limited by `_wire`.
TIMEOUTS: dict[str, Any] = httpx.Timeout(None, connect=CONNECT_TIMEOUT_S).as_dict()
_PROXY_SCHEMES = ("http", "https", "socks5", "socks5h")


def transport(
    endpoint: Endpoint, proxy: str | None, context: ssl.SSLContext
) -> httpx.AsyncHTTPTransport:
    """Connections to one endpoint.

    Raises
    ------
    UsageError
        If the proxy needs a package that is not installed.
    """
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=64)
    try:
        return httpx.AsyncHTTPTransport(
            verify=context, trust_env=False, proxy=proxy, limits=limits, retries=0
        )
    except ImportError:
        raise UsageError(
            f"the proxy of {endpoint.label} speaks SOCKS: pip install 'httpx[socks]'"
        ) from None


def certificates(endpoint: Endpoint, environment: Mapping[str, str]) -> ssl.SSLContext:
    """What is trusted: ``ca_bundle`` alone, else ``SSL_CERT_FILE``/``SSL_CERT_DIR``, else certifi.

    Raises
    ------
    UsageError
        If the bundle cannot be read.
    """
    bundle = endpoint.option("ca_bundle")
    folder = None
    if bundle is None:
        bundle, folder = environment.get("SSL_CERT_FILE"), environment.get("SSL_CERT_DIR")
        if not bundle and not folder:
            bundle = certifi.where()
    source = bundle or folder
    try:
        return ssl.create_default_context(cafile=bundle or None, capath=folder or None)
    except OSError as error:  # ssl.SSLError is one
        raise UsageError(f"certificates {source}: expected a PEM file: {error}") from None


def proxy_for(endpoint: Endpoint, environment: Mapping[str, str]) -> str | None:
    """The proxy's URL, from the option ``proxy`` or the environment; None for a direct connection.

    Raises
    ------
    UsageError
        If the URL cannot be used, or the option holds a password.
    """
    chosen = endpoint.option("proxy")
    if chosen is not None:
        parts = _proxy_parts(chosen, f"option proxy={chosen}")
        if "@" in parts:
            raise UsageError(
                "option proxy holds no user name or password, because an endpoint string is "
                "written into every plan and dossier: set HTTPS_PROXY instead"
            )
    if endpoint.is_loopback or endpoint.base_url is None:
        return None
    if chosen is not None:
        return str(chosen)
    url = urlsplit(endpoint.base_url)
    for name in (f"{url.scheme}_proxy", "all_proxy"):
        value = environment.get(name) or environment.get(name.upper())
        if value:
            if _bypassed(url.hostname or "", url.port, environment):
                return None
            value = value if "://" in value else f"http://{value}"
            _proxy_parts(value, f"the environment variable {name.upper()}")
            return value
    return None


def proxy_secrets(proxy: str | None) -> list[str]:
    """The password in a proxy's URL, as written and decoded."""
    password = urlsplit(proxy).password if proxy else None
    return [password, unquote(password)] if password else []


def _proxy_parts(value: str, source: str) -> str:
    """The ``[user@]host`` of a proxy URL."""
    try:
        parts = urlsplit(value)
        usable = parts.scheme in _PROXY_SCHEMES and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        # The value itself may hold a password.
        shown = source if "@" not in source else "option proxy"
        raise UsageError(f"{shown}: expected http://HOST:PORT (or https, socks5)")
    return parts.netloc


def _bypassed(host: str, port: int | None, environment: Mapping[str, str]) -> bool:
    """Whether ``NO_PROXY`` names the host: ``*``, a name, a name's parent, or ``host:port``."""
    listed = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    for entry in (e.strip().lower().lstrip(".") for e in listed.split(",")):
        if entry == "*":
            return True
        if entry and (
            host == entry.strip("[]") or host.endswith("." + entry) or entry == f"{host}:{port}"
        ):
            return True
    return False


def read_text(path: str, option: str) -> str:
    """A small text file that an option names.

    Raises
    ------
    UsageError
        If it cannot be read as UTF-8.
    """
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"option {option}={path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"option {option}={path}: expected UTF-8 text") from None
