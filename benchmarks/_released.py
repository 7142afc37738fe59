"""When models were made public, by day or month: who can have taught whom.

Facts from makers' announcements and model cards. A candidate that came after a student taught it
nothing; without dates nothing here says who learnt from whom.
"""

from __future__ import annotations

# Candidates by what a student's card calls its teacher.
TEACHERS: dict[str, dict[str, str]] = {
    "text-davinci-001": {"text_davinci_001": "2022-01-27"},
    "text-davinci-003": {"text_davinci_003": "2022-11-28"},
    "gpt-3.5-turbo": {
        "gpt-3.5-turbo-0301": "2023-03-01",
        "gpt-3.5-turbo-0613": "2023-06-13",
        "gpt35_turbo_instruct": "2023-09-18",
        "gpt-3.5-turbo-1106": "2023-11-06",
    },
    "gpt-4": {"gpt4": "2023-03-14", "gpt4_0314": "2023-03-14", "gpt4_0613": "2023-06-13"},
    "gpt-4-turbo": {
        "gpt4_1106_preview": "2023-11-06",
        "gpt-4-0125-preview": "2024-01-25",
        "gpt-4-turbo-2024-04-09": "2024-04-09",
    },
    "gpt-4o": {"gpt-4o-2024-05-13": "2024-05-13", "gpt-4o-mini-2024-07-18": "2024-07-18"},
    "guanaco": {f"guanaco-{size}b": "2023-05-23" for size in (7, 13, 33, 65)},
    "oasst": {
        "oasst-sft-pythia-12b": "2023-04-15",
        "oasst-sft-llama-33b": "2023-05-01",
        "oasst-rlhf-llama-33b": "2023-06-01",
    },
    "humpback": {"humpback-llama-65b": "2023-08-11"},
    "baichuan": {"baichuan-13b-chat": "2023-07-11"},
    "jina": {"jina-chat": "2023-06-28"},
    "gemini": {"gemini-pro": "2023-12-13"},
    "gemma": {"gemma-2b-it": "2024-02-21", "gemma-7b-it": "2024-02-21"},
    "mistral-7b-instruct": {
        "Mistral-7B-Instruct-v0.2": "2023-12-11",
        "Mistral-7B-Instruct-v0.3": "2024-05-22",
    },
    "Mixtral-8x7B-Instruct-v0.1": {"Mixtral-8x7B-Instruct-v0.1": "2023-12-11"},
    "Mixtral-8x22B-Instruct-v0.1": {"Mixtral-8x22B-Instruct-v0.1": "2024-04-17"},
    "mistral-medium": {"mistral-medium": "2023-12-11"},
    "mistral-large": {"mistral-large-2402": "2024-02-26"},
    "Llama-3-Instruct": {
        "Meta-Llama-3-8B-Instruct": "2024-04-18",
        "Meta-Llama-3-70B-Instruct": "2024-04-18",
    },
    "Llama-3.1-Instruct": {
        "Meta-Llama-3.1-8B-Instruct-Turbo": "2024-07-23",
        "Meta-Llama-3.1-70B-Instruct-Turbo": "2024-07-23",
        "Meta-Llama-3.1-405B-Instruct-Turbo": "2024-07-23",
    },
    "yi-large": {"yi-large-preview": "2024-05-13"},
}

# Students with one teacher, sure by their cards.
STUDENTS = {
    "alpaca-7b": "2023-03-13",
    "alpaca-7b_concise": "2023-03-13",
    "alpaca-7b_verbose": "2023-03-13",
    "alpaca-farm-ppo-human": "2023-05-22",
    "alpaca-farm-ppo-sim-gpt4-20k": "2023-05-22",
    "wizardlm-13b": "2023-05-26",
    "baize-v2-7b": "2023-05-23",
    "baize-v2-13b": "2023-05-23",
    "airoboros-33b": "2023-06-01",
    "airoboros-65b": "2023-06-01",
    "nous-hermes-13b": "2023-06-03",
    "ultralm-13b": "2023-06-27",
    "ultralm-13b-best-of-16": "2023-06-27",
    "openchat-13b": "2023-07-01",
    "openchat8192-13b": "2023-07-01",
    "opencoderplus-15b": "2023-07-01",
    "OpenHermes-2.5-Mistral-7B": "2023-11-03",
    "Llama-3-8B-Instruct-SkillMix": "2024-08-27",
}
