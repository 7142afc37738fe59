"""One HTTP request, and what came back of it: bytes, allowed headers, times, and what went wrong.

A server may send too much, too slowly, compressed a thousandfold, or stop half-way. Nothing of
that raises; the bytes that arrived are kept.
"""

from __future__ import annotations

import asyncio
import os
import re
import ssl
import time
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime

import httpx

from provenance.transcript import Failure

# Headers that say who served a request, and when; `x-ratelimit-*` besides.
_KEPT_HEADERS = frozenset(
    (
        *("date", "server", "via", "age", "x-cache", "cf-ray", "cf-cache-status"),
        *("content-type", "content-length", "content-encoding", "retry-after", "retry-after-ms"),
        *("request-id", "x-request-id", "openai-version", "openai-processing-ms"),
    )
)
_LONGEST_HEADER = 200
_MOST_HEADERS = 40
# A stream ends with this line; what a server still sends after it is awaited only so long, so
# that the connection can be used again.
_STREAM_END = re.compile(rb"(?:^|[\r\n])data: ?\[DONE\]")
_AFTER_END_S = 0.25
_STALE_S = 2.0
_MOST_RESENT = 2
_TAIL = 16  # bytes; longer than that line


@dataclass(slots=True)
class Reply:
    """What one request brought.

    ``body`` is unpacked (``content-encoding`` removed); ``trouble`` is set if it is not the whole
    answer; ``location`` is where a redirect points; ``resent`` counts idle connections that turned
    out to be closed. Times are in seconds.
    """

    started_utc: str
    elapsed_s: float = 0.0
    first_byte_s: float | None = None
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    location: str | None = None
    body: bytes = b""
    trouble: Failure | None = None
    resent: int = 0


async def post(
    transport: httpx.AsyncBaseTransport,
    request: httpx.Request,
    *,
    limit_bytes: int,
    error_limit_bytes: int,
    timeout_s: float,
) -> Reply:
    """Send a request and read a bounded answer within ``timeout_s``, connecting included.

    ``error_limit_bytes`` bounds the body of any status but 200.
    """
    reply = Reply(started_utc=datetime.now(UTC).isoformat(timespec="microseconds"))
    chunks: list[bytes] = []
    begin = time.perf_counter()
    tail, ended = b"", False
    try:
        async with asyncio.timeout(timeout_s) as scope:
            response = await _send(transport, request, reply)
            try:
                _note_head(reply, response)
                if response.status_code != 200:
                    limit_bytes = error_limit_bytes
                unpack = _Unpacker(response.headers.get("content-encoding", ""), limit_bytes)
                async for packed in response.aiter_raw():
                    if reply.first_byte_s is None:
                        reply.first_byte_s = time.perf_counter() - begin
                    chunks.append(unpack(packed))
                    unpack.check()
                    tail = tail[-_TAIL:] + chunks[-1]
                    if not ended and _STREAM_END.search(tail):
                        ended = True
                        soon = asyncio.get_running_loop().time() + _AFTER_END_S
                        scope.reschedule(min(soon, scope.when() or soon))
                unpack.finish()
            finally:
                await response.aclose()
    except (TimeoutError, httpx.HTTPError, _Unreadable) as error:
        if not ended:
            reply.trouble = _trouble(error, timeout_s, limit_bytes)
    reply.elapsed_s = time.perf_counter() - begin
    reply.body = b"".join(chunks)[:limit_bytes]
    return reply


async def _send(
    transport: httpx.AsyncBaseTransport, request: httpx.Request, reply: Reply
) -> httpx.Response:
    """Send, and send again if the connection was an old one that the server had already closed.

    That is the race of every kept-alive connection, not an attempt that the server saw: it shows
    at once, on a connection that was used before.
    """
    begin = time.perf_counter()
    while True:
        fresh = False

        async def notice(event: str, _: object) -> None:
            nonlocal fresh
            fresh = fresh or event.endswith("connect_tcp.started")

        request.extensions["trace"] = notice
        try:
            return await transport.handle_async_request(request)
        except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
            late = time.perf_counter() - begin > _STALE_S or reply.resent >= _MOST_RESENT
            if fresh or late:
                raise
            reply.resent += 1


def _note_head(reply: Reply, response: httpx.Response) -> None:
    reply.status = response.status_code
    reply.location = response.headers.get("location")
    for name, value in response.headers.items():
        kept = name in _KEPT_HEADERS or (name.startswith("x-ratelimit-") and len(name) <= 64)
        if kept and len(reply.headers) < _MOST_HEADERS:
            reply.headers[name] = value[:_LONGEST_HEADER]


class _Unreadable(Exception):
    """The body breaks a limit or its own encoding."""

    def __init__(self, too_large: bool, message: str) -> None:
        self.too_large = too_large
        super().__init__(message)


class _Unpacker:
    """Undoes ``content-encoding`` piece by piece, producing at most one byte over the limit."""

    def __init__(self, encoding: str, limit: int) -> None:
        self._packed_left = self._left = limit
        self._zlib = None
        encoding = encoding.strip().lower()
        if encoding in ("gzip", "x-gzip", "deflate"):
            self._zlib = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # either header
        elif encoding not in ("", "identity"):
            raise _Unreadable(False, "a content-encoding that was not asked for")

    def __call__(self, packed: bytes) -> bytes:
        self._packed_left -= len(packed)
        data = packed
        if self._zlib is not None:
            try:
                data = self._zlib.decompress(packed, self._left + 1)
            except zlib.error:
                raise _Unreadable(False, "broken compression") from None
        self._left -= len(data)
        return data

    def check(self) -> None:
        if min(self._left, self._packed_left) < 0:
            raise _Unreadable(True, "too many bytes")

    def finish(self) -> None:
        if self._zlib is not None and not self._zlib.eof:
            raise _Unreadable(False, "compression that ends early")


def _trouble(error: Exception, timeout_s: float, limit: int) -> Failure:
    """The failure that an exception stands for. Its text is ours: a server's is not repeated."""
    if isinstance(error, _Unreadable):
        if error.too_large:
            message = f"more than {limit:,} bytes: reading stopped"
            return Failure(kind="too_large", message=message)
        return Failure(kind="malformed", message=f"the body has {error}")
    if isinstance(error, httpx.ConnectTimeout):
        return Failure(kind="unreachable", message="no connection in time", retryable=True)
    if isinstance(error, TimeoutError | httpx.TimeoutException):
        message = f"no complete answer within {timeout_s:g} s"
        return Failure(kind="timeout", message=message, retryable=True)
    if isinstance(error, httpx.ConnectError | httpx.ProxyError):
        return _unreachable(error)
    if isinstance(error, httpx.NetworkError):
        return Failure(kind="reset", message="the connection broke", retryable=True)
    if isinstance(error, httpx.RemoteProtocolError):
        # httpcore: "Server disconnected …"; h11: "peer closed connection without …".
        if "disconnected" in str(error) or "closed" in str(error):
            message = "the server closed the connection before the answer was complete"
            return Failure(kind="reset", message=message, retryable=True)
        return Failure(kind="malformed", message="not HTTP/1.1")
    return Failure(kind="malformed", message=f"HTTP: {type(error).__name__}")


def _unreachable(error: Exception) -> Failure:
    cause: BaseException | None = error
    # The reason stands below wrappers: "all attempts failed" is an OSError without words, too.
    while cause is not None and not (isinstance(cause, OSError) and cause.strerror):
        if isinstance(cause, ssl.SSLError):
            break
        inner = cause.exceptions[0] if isinstance(cause, BaseExceptionGroup) else None
        cause = inner or cause.__cause__ or cause.__context__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return Failure(
            kind="unreachable",
            message=f"certificate refused ({cause.verify_message}); for a host with its own "
            "authority give ca_bundle=FILE.pem",
        )
    if isinstance(cause, ssl.SSLError):
        said = "no TLS connection: does the server speak plain http, or only an old version of TLS?"
        return Failure(kind="unreachable", message=said)
    if isinstance(error, httpx.ProxyError):
        return Failure(kind="unreachable", message=f"the proxy refused: {error}", retryable=True)
    reason = "nobody answers" if cause is None else type(cause).__name__
    if isinstance(cause, OSError) and cause.strerror:
        reason = os.strerror(cause.errno) if cause.errno and cause.errno > 0 else cause.strerror
    return Failure(kind="unreachable", message=f"no connection: {reason}", retryable=True)
