"""Findings, likelihood ratios, families, the yardstick, and what the plan could have seen."""

from __future__ import annotations

from collections.abc import Sequence

from provenance.dossier import figures, wording
from provenance.dossier.blocks import (
    Bar,
    BarGroup,
    Bars,
    Block,
    Column,
    Heading,
    Paragraph,
    Table,
)
from provenance.dossier.numbers import (
    UNKNOWN,
    count,
    interval,
    p_value,
    percent,
    signed,
    significant,
)
from provenance.findings import Finding, Proposition, StudyDocument

NONE = "–"


def findings(document: StudyDocument) -> list[Block]:
    """Every test and measure, then how each was computed."""
    blocks: list[Block] = [Heading("Findings")]
    if not document.findings:
        return [*blocks, Paragraph("Nothing could be tested.")]
    rows = tuple(_row(f) for f in document.findings)
    columns = (
        Column("Finding", "text", 3),
        Column("p", "number", 0),
        Column("p adjusted", "number", 0),
        Column("Effect", "number", 0),
        Column("Draws ref. / sus.", "number", 0),
        Column("Kind", "text", 1.4),
    )
    blocks.append(Table("Tests and measures.", columns, rows))
    blocks += [Paragraph(note, small=True) for note in _notes(document)]
    blocks.append(Table("How each was computed.", _METHOD_COLUMNS, _methods(document)))
    return blocks


def propositions(document: StudyDocument) -> list[Block]:
    """Likelihood ratios, each with its pair, interval and bounds; or why there is none."""
    assessed = [p for p in document.propositions if p.assessed]
    silent = [p for p in document.propositions if not p.assessed]
    if not document.propositions:
        return []
    blocks: list[Block] = [Heading("Likelihood ratios")]
    if assessed:
        columns = (
            Column("Hypothesis against alternative", "text", 2),
            Column("log₁₀ LR", "number", 0),
            Column("Sensitivity interval", "number", 0),
            Column("Bounds", "number", 0),
            Column("Calibration and population", "text", 2),
        )
        rows = tuple(_ratio(p) for p in assessed)
        blocks.append(Table("Calibrated likelihood ratios.", columns, rows))
        blocks += _worth(assessed)
    if silent:
        pairs = (Column("Not assessed", "text", 1), Column("Why not", "text", 1.4))
        reasons = tuple(
            (_pair(p), wording.sentence(wording.WHY_NOT, p.why_not or UNKNOWN)) for p in silent
        )
        blocks.append(Table("What this study cannot speak to.", pairs, reasons))
    return blocks


def _worth(assessed: Sequence[Proposition]) -> list[Block]:
    """How often ratios of the same calibrations misled on known pairs."""
    known = [(p, p.known_pairs) for p in assessed if p.known_pairs is not None]
    if not known:
        return []
    columns = (
        Column("Hypothesis against alternative", "text", 2),
        Column("Outputs", "number", 0),
        Column("Units", "number", 0),
        Column("Below 1 where it holds", "number", 1),
        Column("Above 1 for different makers", "number", 1),
        Column("Cllr (least possible)", "number", 0),
    )
    rows = tuple(
        (
            _pair(p),
            f"{k.outputs:,}",
            f"{k.units:,}",
            f"{percent(k.same_below_1)} (limit {percent(k.same_below_1_upper)})",
            f"{percent(k.different_above_1)} (limit {percent(k.different_above_1_upper)})",
            f"{significant(k.cllr)} ({significant(k.cllr_floor)})",
        )
        for p, k in known
    )
    caption = (
        "Misleading evidence: how often such ratios spoke for the wrong side, on known pairs whose "
        "units took no part in the fit. Limits are one-sided, 95%, over the effective pairs. Cllr: "
        "mean cost in bits; 1 says nothing."
    )
    return [Table(caption, columns, rows)]


def families(document: StudyDocument) -> list[Block]:
    """The probes of each family, tested together."""
    if not document.families:
        return []
    columns = (
        Column("Family", "code", 2),
        Column("Cells", "number", 0),
        Column("Draws ref. / sus.", "number", 0),
        Column("Effect", "number", 0),
        Column("p", "number", 0),
        Column("p adjusted", "number", 0),
    )
    alpha = _alpha(document)
    rows = tuple(
        (
            f.name,
            count(f.cells),
            f"{f.n_reference:,} / {f.n_suspect:,}",
            NONE if f.effect is None else significant(f.effect),
            NONE if f.p_value is None else p_value(f.p_value),
            NONE if f.p_adjusted is None else p_value(f.p_adjusted, alpha),
        )
        for f in document.families
    )
    table = Table("Families of probes; Holm's correction is taken over them.", columns, rows)
    drawn = (
        figures.family_p_values(document.families, alpha),
        figures.family_effects(document.families, alpha),
    )
    return [Heading("Families of probes"), *(d for d in drawn if d is not None), table]


def yardstick(document: StudyDocument) -> list[Block]:
    """How far apart the sides are, beside how far the reference is from itself."""
    measured = document.yardstick
    blocks: list[Block] = [Heading("Yardstick: the reference against itself")]
    if measured is None or measured.between is None:
        return [*blocks, Paragraph("Not measured.")]
    values = (
        ("reference against suspect", measured.between, "suspect"),
        ("reference against its own half, mean", measured.within, "reference"),
        ("reference against its own half, 95th percentile", measured.within_high, "reference"),
    )
    top = max([abs(v) for _, v, _ in values if v is not None] + [1e-12])
    groups = tuple(
        BarGroup(
            label,
            (
                Bar(
                    "suspect" if side == "suspect" else "reference",
                    min(1.0, max(0.0, (value or 0) / top)),
                    UNKNOWN if value is None else significant(value, 3),
                ),
            ),
        )
        for label, value, side in values
    )
    alt = "; ".join(f"{g.label}: {g.bars[0].value}" for g in groups)
    caption = (
        f"{measured.estimand}; {measured.halvings:,} random halvings, "
        f"{measured.draws_a_side:,} draws a side. Descriptive."
    )
    return [*blocks, Paragraph(wording.YARDSTICK), Bars(caption, alt, groups, code=False)]


def sensitivity(document: StudyDocument) -> list[Block]:
    """The planned power."""
    blocks: list[Block] = [Heading("What the plan could have seen")]
    if not document.sensitivity:
        return [*blocks, Paragraph("Not computed: unknown.")]
    columns = (
        Column("Alternative", "text", 1),
        Column("Measure", "text", 1.2),
        Column("Smallest detectable", "number", 0),
        Column("Power", "number", 0),
        Column("α", "number", 0),
    )
    rows = tuple(
        (
            s.alternative,
            s.effect_kind,
            wording.detectable(s),
            percent(s.power),
            f"{s.alpha:g}",
        )
        for s in document.sensitivity
    )
    return [*blocks, Paragraph(wording.SENSITIVITY), Table("Planned sensitivity.", columns, rows)]


def _row(finding: Finding) -> tuple[str, ...]:
    kind = wording.EXACTNESS[finding.exactness]
    effect = NONE if finding.effect is None else significant(finding.effect)
    if finding.effect_interval is not None:
        effect += f" ({interval(finding.effect_interval)})"
    if finding.e_value is not None:
        effect += f"; e = {significant(finding.e_value)}"
    n = tuple(NONE if v is None else f"{v:,}" for v in (finding.n_reference, finding.n_suspect))
    return (
        _name(finding),
        NONE if finding.p_value is None else p_value(finding.p_value, finding.alpha),
        NONE if finding.p_adjusted is None else p_value(finding.p_adjusted, finding.alpha),
        effect,
        f"{n[0]} / {n[1]}",
        f"{kind}, exploratory" if finding.exploratory else kind,
    )


def _name(finding: Finding) -> str:
    """``equality/one_token`` as ``equality: one token``."""
    return finding.name.replace("/", ": ", 1).replace("_", " ")


def _notes(document: StudyDocument) -> list[str]:
    notes = []
    floors = sorted({b for f in document.findings if (b := _resamples(f)) is not None})
    if floors:
        least = " and ".join(
            f"{significant(1 / (b + 1))} ({b:,} random permutations)" for b in floors
        )
        notes.append(f"The smallest p-value that sampling of permutations can give is {least}.")
    if any(f.p_adjusted is not None for f in document.findings):
        notes.append("“p adjusted” holds for all findings that share the decision (Holm).")
    if any(f.exploratory for f in document.findings):
        notes.append(
            "Exploratory findings were not planned to decide; they add nothing to the verdict."
        )
    return notes


def _resamples(finding: Finding) -> int | None:
    value = finding.values.get("resamples")
    known = isinstance(value, int) and not isinstance(value, bool) and value > 0
    return value if known and finding.values.get("enumerated") is not True else None


_METHOD_COLUMNS = (
    Column("Finding", "text", 1),
    Column("Null hypothesis, estimand", "text", 1.3),
    Column("Method", "text", 1.5),
    Column("Assumptions", "text", 1.5),
)


def _methods(document: StudyDocument) -> tuple[tuple[str, ...], ...]:
    """One row for all findings that were computed in the same way."""
    grouped: dict[tuple[str, ...], list[str]] = {}
    for f in document.findings:
        null = "none" if f.null is None else wording.sentence(wording.NULLS, f.null)
        estimand = f" Estimand: {f.estimand}." if f.estimand else ""
        source = f" Source: {f.citation}." if f.citation else ""
        assumptions = " ".join(wording.sentence(wording.ASSUMPTIONS, a) for a in f.assumptions)
        method = f"{f.method.removesuffix('.')}.{source}"
        key = (f"{null.removesuffix('.')}.{estimand}", method, assumptions or "none stated")
        grouped.setdefault(key, []).append(_name(f))
    return tuple((", ".join(names), *key) for key, names in grouped.items())


def _pair(proposition: Proposition) -> str:
    against = wording.hypothesis(proposition.against)
    return f"{wording.hypothesis(proposition.hypothesis)} against {against}"


def _ratio(p: Proposition) -> tuple[str, ...]:
    ratio = signed(p.log10_lr, 3)
    if p.clipped:
        ratio += " (at its bound)"
    bounds = (p.bound_low, p.bound_high)
    units = (
        f"{significant(p.n_effective.same, 3)} same-source and "
        f"{significant(p.n_effective.different, 3)} different-source units"
    )
    where = f"{p.calibration or UNKNOWN}; {p.population or UNKNOWN}; {units}"
    return (_pair(p), ratio, interval(p.sensitivity_interval), interval(bounds), where)


def _alpha(document: StudyDocument) -> float | None:
    alpha = document.settings.get("alpha")
    return float(alpha) if isinstance(alpha, int | float) else None
