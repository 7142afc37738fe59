"""When a library's bundles may stand for a model: same questions, not too old, same fingerprint."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from provenance.errors import ReferenceStale
from provenance.library.population.records import Bundle

_SHOWN = 3


def require_battery(bundles: Sequence[Bundle], battery: str) -> list[Bundle]:
    """Those of the bundles that answer this battery, for matched use.

    Raises
    ------
    ReferenceStale
        If none does; says which batteries they answer.
    """
    matched = [b for b in bundles if b.battery == battery]
    if not matched:
        known = dict.fromkeys(f"{b.battery_name} {b.battery[:12]}…" for b in bundles)
        found = ", ".join([*known][:_SHOWN]) or "none"
        raise ReferenceStale(
            f"no bundle answers the battery {battery[:12]}…; the library's answer {found}. Record "
            "the models again with this battery, or compare on free text instead"
        )
    return matched


def require_fresh(bundles: Sequence[Bundle], *, max_age_days: float, now: datetime) -> None:
    """Refuse bundles that are older than allowed, or of unknown date.

    Raises
    ------
    ReferenceStale
        Naming the first few of them.
    """
    limit = timedelta(days=max_age_days)
    undated = [b for b in bundles if b.age(now) is None]
    if undated:
        raise ReferenceStale(
            f"{_named(undated)}: the date of the recording is not known, so it cannot be told to "
            f"be under {max_age_days:g} days old; add it with --date, or raise no age limit"
        )
    ages = [(b, b.age(now) or timedelta(0)) for b in bundles]
    old = [b for b, age in ages if age > limit]
    if old:
        oldest = max(age for _, age in ages).days
        raise ReferenceStale(
            f"{_named(old)}: recorded up to {oldest} days ago, allowed are {max_age_days:g} "
            "(--max-age); record again, or allow more"
        )


def require_fingerprint(
    bundles: Sequence[Bundle],
    *,
    served: Collection[str] = (),
    fingerprints: Collection[str] = (),
) -> None:
    """Refuse bundles of one model and version that another model answered.

    Parameters
    ----------
    served, fingerprints
        What the server says of itself now. What one side does not know is not compared.

    Raises
    ------
    ReferenceStale
        With the old and the new one.
    """
    for what, now, names in (
        ("served model", served, [(b, b.served) for b in bundles]),
        ("fingerprint", fingerprints, [(b, b.fingerprints) for b in bundles]),
    ):
        for bundle, before in names:
            if now and before and not set(now) & set(before):
                raise ReferenceStale(
                    f"{_named([bundle])}: the {what} was {_some(before)}, now it is {_some(now)}; "
                    "add the new recording under another --version"
                )


def _named(bundles: Sequence[Bundle]) -> str:
    names = [f"{b.name} ({b.session})" for b in bundles]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _some(names: Collection[str]) -> str:
    return ", ".join(sorted(names)[:_SHOWN])[:120]
