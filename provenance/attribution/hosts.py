"""What hosts change in one model: anchors and the benign band, and what they do to the label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from provenance.attribution.anchors import Anchored, AnchorRecords, examine_anchors
from provenance.attribution.benign import Benign, examine_band
from provenance.attribution.observations import Observations
from provenance.attribution.verdict import Reasons, against_anchors
from provenance.findings import AnchorPair, BenignBand, Finding, Label
from provenance.library.band import Band


@dataclass(frozen=True, slots=True)
class Hosts:
    """For the study document."""

    label: Label
    reasons: Reasons
    anchors: tuple[AnchorPair, ...]
    band: BenignBand | None
    findings: tuple[Finding, ...]
    limits: tuple[str, ...] = ()

    @property
    def withheld(self) -> bool:
        """Whether anchors took a rejection back."""
        return any(code == "anchors_shift_alike" for code, _ in self.reasons)


def weigh_hosts(
    label: Label,
    reasons: Reasons,
    observations: Observations,
    *,
    anchors: Sequence[AnchorRecords],
    band: Band | None,
    plan: Mapping[str, Any],
    model: str,
    alpha: float,
    early: bool,
) -> Hosts:
    """Hold a label against anchors, and say whether a rejection goes beyond the benign band.

    The band is looked at in sequence after ``same_deployment``, which lies in it: where that is
    true it was rejected with chance α at most, and where it is false the band's own level holds.
    So the family-wise error over both is α, without a correction.

    Parameters
    ----------
    model
        Name of the reference's model.
    early
        Whether sampling stopped because of what was seen.
    """
    rules, seed = plan["rules"], plan["seed"]
    anchored = examine_anchors(
        observations, anchors, alpha=alpha, rules=rules, seed=seed, early=early
    )
    benign = None
    if band is not None:
        benign = examine_band(
            observations,
            band,
            allow=plan["settings"].get("allow", ()),
            battery_digest=plan["battery"]["digest"],
            model=model,
            alpha=alpha,
            rules=rules,
            seed=seed,
            early=early,
        )
    rejected = label == "different"
    label, reasons = against_anchors(label, reasons, anchored.held, alpha=alpha)
    reasons = [*reasons, *_left_out(anchored)]
    if rejected and benign is not None:
        reasons += _benign_reasons(benign, alpha, early=early)
    return Hosts(
        label=label,
        reasons=reasons,
        anchors=anchored.pairs,
        band=None if benign is None else benign.band,
        findings=(*anchored.findings, *(() if benign is None else benign.findings)),
        limits=anchored.limits,
    )


def _left_out(anchored: Anchored) -> Reasons:
    if not anchored.left_out:
        return []
    values = {"left_out": anchored.left_out, "anchors": len(anchored.pairs)}
    return [("anchors_left_out", values)]


def _benign_reasons(benign: Benign, alpha: float, *, early: bool) -> Reasons:
    values: dict[str, Any] = {"band": benign.band.name, "alpha": alpha}
    rank = benign.rank
    if rank is None:
        return [("band_unusable", values | {"left_out": sum(benign.band.left_out.values())})]
    values |= {"groups": rank.known, "as_far": rank.as_far, "needed": rank.needed}
    if early or not rank.decidable:
        return [("band_cannot_tell", values | {"early": early})]
    code = "beyond_benign_band" if rank.p_value <= alpha else "not_beyond_benign_band"
    return [(code, values | {"p": rank.p_value})]
