"""What tells single outputs of just these models apart: a discriminant for a closed set.

The score of a space (`library.space`) is for models that the space never saw. Where every candidate
is known and has many outputs, what parts these models can be learnt from them: by a softmax
regression on tens of thousands of n-grams, and by networks with one hidden layer on the same,
which err on other outputs. Their log probabilities are added. It says which of its models fits
best, and nothing about whether the suspect is one of them.

``columns.py`` makes the inputs, ``net.py`` fits the nets, ``discriminant.py`` puts both together,
saves and loads.
"""

from __future__ import annotations

from provenance.library.discriminant.discriminant import (
    Discriminant,
    Standing,
    Trials,
    fit,
    logs_of_each,
)

__all__ = ["Discriminant", "Standing", "Trials", "fit", "logs_of_each"]
