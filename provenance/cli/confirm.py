"""First contact on a terminal: show what would be sent where, ask, remember."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from provenance.errors import ConfirmationNeeded

if TYPE_CHECKING:
    from provenance.sampling.contact import FirstContact
    from provenance.sampling.prepare import Estimate, HostEstimate


_SENT = (
    "Sent are the questions of the battery (`provenance probes list`) and, to each host, the key "
    "that its endpoint names; nothing else."
)


def confirm(hosts: Iterable[HostEstimate], estimate: Estimate, *, yes: bool) -> None:
    """Let the user decide about hosts that are contacted for the first time.

    Raises
    ------
    ConfirmationNeeded
        If nobody is there to ask, or the answer is no.
    """
    from provenance.sampling import contact

    folder = contact.state_folder(os.environ)
    question = contact.first_contact(hosts, estimate, folder)
    if question is None:
        return
    names = [host.host for host in question.hosts]
    if not yes:
        if not sys.stdin.isatty():
            raise ConfirmationNeeded(
                f"first contact with {', '.join(names)} and no terminal to ask on: nothing was "
                "sent. Look at it with `provenance plan`, then agree with --yes, once for each host"
            )
        _show(question)
        if not _agreed():
            raise ConfirmationNeeded("not agreed: nothing was sent")
    problem = contact.remember(names, folder)
    if problem is not None:
        print(
            f"note: this host is not remembered and will be asked again: {problem}", file=sys.stderr
        )


def _show(question: FirstContact) -> None:
    from provenance.cli import outcome
    from provenance.cli.words import THINKING, columns, estimate_rows, tokens, wrapped
    from provenance.dossier.numbers import counted, usd
    from provenance.dossier.text import for_terminal

    rows = [("Host", "Requests", "Tokens, at most", "Cost, at most")] + [
        (
            for_terminal(host.host),
            f"{host.requests:,}",
            tokens(None, host.tokens_high),
            usd(host.usd_high),
        )
        for host in question.hosts
    ]
    lines = [
        f"First contact with {counted(len(question.hosts), 'host')}. Nothing was sent so far.",
        "",
        *columns(rows),
        "",
        "The whole plan:",
        *columns(estimate_rows(question.estimate)),
        "",
        *wrapped(f"{_SENT} {THINKING}", min(outcome.width(), 80)),
    ]
    print("\n".join(lines), file=sys.stderr)


def _agreed() -> bool:
    # Not input(): its prompt would go to stdout, which belongs to the data.
    print("Send this, and remember these hosts? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
