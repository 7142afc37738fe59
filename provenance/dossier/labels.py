"""What a verdict's label says, and what it does not. Part of `provenance.dossier.wording`."""

from __future__ import annotations

from provenance.dossier.sentences import NULLS, sentence
from provenance.findings import Label

LABELS: dict[Label, str] = {
    "consistent": "Consistent within the stated limits.",
    "different": "The two deployments differ.",
    "inconclusive": "Inconclusive.",
    "supported": "Supported.",
    "not_supported": "Not supported.",
    "known": "A known model cannot be excluded.",
    "none_of_these": "None of the models in the library.",
}


def says(label: Label, null: str) -> tuple[str, str]:
    """What a label says, and what it does not say."""
    name = sentence(NULLS, null)
    if label == "different":
        return (
            f"The answers would be this far apart only rarely under the null hypothesis: {name}.",
            "It does not say why they differ, nor that the suspect is a worse or a different "
            "model. Each of these can cause a difference:",
        )
    if label == "consistent":
        return (
            "Every substitute of the named panel that the battery can tell apart was excluded "
            "beyond the stated share.",
            "It does not say that the endpoints are the same. These remain possible:",
        )
    if null == "one_of_the_library":
        return _says_of_library(label)
    if null == "unrelated_to_reference":
        return _says_of_origin(label)
    if label == "inconclusive":
        return (
            "The study does not decide whether the two endpoints differ.",
            "It is neither evidence that they are the same nor evidence that they differ. These "
            "remain possible:",
        )
    return (
        "The label speaks of the named hypotheses only.",
        "It does not exclude causes that were not weighed. These remain possible:",
    )


def _says_of_library(label: Label) -> tuple[str, str]:
    doubt = "These remain possible:"
    if label == "known":
        return (
            "If the suspect is a model of the library, the set holds it with the stated "
            "probability, on average over models.",
            "It does not say that the suspect is one of these, nor which version. " + doubt,
        )
    if label == "none_of_these":
        return (
            "The suspect's texts would be this unlike each model's own only rarely if it were "
            "that model.",
            "It does not say that the suspect is new: only these models, as they were recorded, "
            "were looked at. " + doubt,
        )
    return (
        "The library and the suspect's texts do not settle which model this is.",
        "It does not say that the suspect is one of the models that were not excluded, nor which "
        "of them. " + doubt,
    )


def _says_of_origin(label: Label) -> tuple[str, str]:
    doubt = "These remain possible:"
    if label == "supported":
        return (
            "The texts are far more probable under the named hypothesis than under its "
            "alternative, for pairs like those of the calibration.",
            "It is not the probability that the hypothesis is true: that needs what is known "
            "besides the texts. " + doubt,
        )
    if label == "not_supported":
        return (
            "The texts are more probable if the suspect comes from another maker than under any "
            "hypothesis that was weighed.",
            "It does not exclude a sibling of the reference, nor a model that was made from it and "
            "then changed its style. " + doubt,
        )
    return (
        "The strands of evidence that could be weighed do not settle it.",
        "It is too little to speak for or against an origin in the reference. " + doubt,
    )
