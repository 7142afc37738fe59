"""Every exception that this package raises on purpose.

    ProvenanceError
    ├── UsageError              what was asked cannot be done as asked          exit 2
    │   ├── EndpointError       an endpoint string that cannot be read
    │   ├── SettingsError       a flag, variable or TOML value
    │   ├── BatteryError        a probe file or battery
    │   ├── MissingExtra        an optional dependency; says the pip line
    │   └── ConfirmationNeeded  first contact with a host, nobody to ask
    ├── ProviderError           an endpoint that cannot be opened or used       exit 1
    ├── EvidenceError           a store that cannot be read or written          exit 1
    │   ├── StoreLocked         another process writes this store
    │   ├── StoreFinished       the study is complete; --new starts another     exit 2
    │   └── TamperedEvidence    names the first record that was touched         exit 14
    ├── ReferenceStale          too old, other battery, changed fingerprint     exit 12
    ├── BudgetExhausted         stopped before the plan was done; resumable     exit 20
    └── RenderError             a dossier that cannot be rendered               exit 1

Every class carries ``exit_code``; only the command line reads it. A message says what was
expected, what was found, and what to do.
"""

from __future__ import annotations


class ProvenanceError(Exception):
    """Base of the tree."""

    exit_code = 1


class UsageError(ProvenanceError):
    """What was asked cannot be done as asked."""

    exit_code = 2


class EndpointError(UsageError):
    """An endpoint string that cannot be read."""


class SettingsError(UsageError):
    """A flag, an environment variable or a TOML value that cannot be used."""


class BatteryError(UsageError):
    """A probe file or battery that cannot be used."""


class MissingExtra(UsageError):
    """An optional dependency is not installed.

    Parameters
    ----------
    what
        What the user asked for, in his words ("the provider 'transformers'").
    extra
        The extra of this distribution that brings it.
    """

    def __init__(self, what: str, extra: str) -> None:
        self.extra = extra
        super().__init__(f"{what} needs the extra '{extra}': pip install 'llm-provenance[{extra}]'")


class ConfirmationNeeded(UsageError):
    """A host is contacted for the first time and nobody is there to ask."""


class ProviderError(ProvenanceError):
    """An endpoint that cannot be opened or used at all (not: a request that failed)."""


class EvidenceError(ProvenanceError):
    """A store that cannot be read or written."""


class StoreLocked(EvidenceError):
    """Another process is writing this store."""


class StoreFinished(EvidenceError):
    """The store holds a finished study."""

    exit_code = 2


class TamperedEvidence(EvidenceError):
    """The evidence was changed after it was recorded.

    Parameters
    ----------
    message
        What was found.
    record
        Zero-based line of ``transcript.jsonl`` that was touched first, if one can be named.
    """

    exit_code = 14

    def __init__(self, message: str, record: int | None = None) -> None:
        self.record = record
        super().__init__(message)


class ReferenceStale(ProvenanceError):
    """The reference is too old, was asked another battery, or changed its fingerprint."""

    exit_code = 12


class BudgetExhausted(ProvenanceError):
    """The budget ended before the plan did; the store resumes where it stopped."""

    exit_code = 20


class RenderError(ProvenanceError):
    """A dossier that cannot be rendered."""
