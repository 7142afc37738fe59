"""The HTTP client: which proxy, which certificates, no cookies, no redirects, no ``.netrc``.

httpx reads proxies, certificates and ``.netrc`` from the process where it is allowed to; here it
is not (``trust_env=False``), and the same variables are read from the environment that the caller
gave. Loopback never goes through a proxy, and neither does what ``NO_PROXY`` names.

The headers are httpx's own (``accept``, ``accept-encoding``, ``connection``, ``user-agent:
python-httpx/…``) and ``content-type``: no SDK's, and no other client's. A cookie that a server
sets is not sent back: it would tie one draw to the next.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from urllib.parse import unquote, urlsplit

import certifi
import httpx

from provenance.endpoint import Endpoint
from provenance.errors import UsageError

CONNECT_TIMEOUT_S = 10.0
_PROXY_SCHEMES = ("http", "https", "socks5", "socks5h")


def client(endpoint: Endpoint, proxy: str | None, context: ssl.SSLContext) -> httpx.AsyncClient:
    """A client for one endpoint. The total time of a request is limited by its caller.

    Raises
    ------
    UsageError
        If the proxy needs a package that is not installed.
    """
    jar = CookieJar(policy=DefaultCookiePolicy(allowed_domains=[]))
    try:
        return httpx.AsyncClient(
            # The encodings that `_wire` can unpack with a limit.
            headers={"accept-encoding": "gzip, deflate"},
            cookies=jar,
            verify=context,
            trust_env=False,
            proxy=proxy,
            follow_redirects=False,
            timeout=httpx.Timeout(None, connect=CONNECT_TIMEOUT_S),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=64),
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
