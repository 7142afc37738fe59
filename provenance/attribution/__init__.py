"""From recorded answers to findings and a verdict; never reaches a network client.

Where to look, by what a study asks:

compare
    ``assemble`` makes the study document: ``observations`` are what the tests read, ``equality``,
    ``substitutes``, ``betting`` and ``likelihoods`` run them, ``tested`` tells of them, ``order``,
    ``missing``, ``switching`` and ``conduct`` look for what breaks them, ``anchors``, ``benign``
    and ``hosts`` hold a difference against what hosts do, ``verdict`` decides.
identify
    ``origin`` makes the document: ``identification`` on other prompts and ``same_prompts`` on the
    library's own, both by ``open_set``; ``candidates``, ``maps``, ``neighbourhood``, ``habits``.
attribute
    ``attributing`` makes the document: ``strands`` weighs each pair of hypotheses, ``ranking`` and
    ``likeness`` place the suspect among unrelated models, ``change`` and ``steps`` look at a step
    between two dates, ``itself`` at a suspect beside itself.
what the last two share
    ``known``, ``enrolled``, ``answered``, ``holding``: a library as a study holds it.
    ``same_source`` (style) and ``matched`` (prompt by prompt, over what ``own_draws`` have) are the
    scores, ``ratios`` what they are worth, ``layouts`` whether formats allow it.
calibrate a library
    ``populations`` and ``matched_pairs``, from ``gathering`` and ``known_pairs``; ``weighing``,
    ``telling``, ``genres``, ``hypotheses``, ``related``; ``calibration/`` fits, tests and bounds.
"""
