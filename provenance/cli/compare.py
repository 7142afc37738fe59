"""``provenance compare``: plan → sample → analyse → dossier."""

from __future__ import annotations

from typing import Any

from provenance.cli import options

EPILOG = """
Endpoints:
  PROVIDER:MODEL[@BASE_URL][,key=value…]
  compatible:MODEL@URL       any OpenAI-compatible server, by raw HTTP
  transformers:FOLDER|FILE   a local checkpoint; gguf:FILE through llama.cpp
  replay:PATH[,model=NAME]   recorded answers; a store needs its path alone
  simulated:FILE,model=NAME  known distributions, to try things out
  Keys are named, never written: key_env=NAME. Further: temperature, top_p,
  max_tokens, seed, api, timeout, rpm, proxy, header.NAME, body.PATH, …
  Without PROVIDER: a table [endpoints.NAME] of --config.

Examples:
  Is the relay serving the same model as the vendor?
    provenance compare \\
      compatible:qwen3-8b@https://api.example.com/v1,key_env=VENDOR_KEY \\
      compatible:qwen3-8b@https://relay.example.net/v1,key_env=RELAY_KEY
  Is the hosted model the checkpoint on this disk? Spend two dollars at most:
    provenance compare transformers:models/qwen3-8b prod \\
      --config endpoints.toml --budget-usd 2
  Against a reference recorded earlier, in CI:
    provenance compare reports/qwen3-8b-1f3a9c02 prod --config endpoints.toml \\
      --fail-on different --yes --json > study.json
  Is it the host or the model? Ask another model that both are trusted to serve:
    provenance compare vendor relay --config e.toml \\
      --anchor vendor-small relay-small --anchor vendor-old relay-old
  Two keys of one host: is each account served alike?
    provenance compare account-a account-b --config two-accounts
  Two harness logs, on the prompts that they share:
    provenance compare replay:a.jsonl replay:b.jsonl

Recipes (--config NAME; each says when to use it and what it cannot show):
  quickstart          a first look, 240 requests
  relay-audit         does a relay serve what the vendor serves?
  self-hosted-vs-api  does an API serve the open weights that it names?
  precision-check     are the weights served at the precision that was promised?
  two-accounts        does one host serve two accounts alike?
  nightly             one endpoint against a recording, for cron and CI

What it rejects:
  different      names its null: same deployment. Another engine, precision or
                 a system prompt can cause it
  --anchor       takes it back where the hosts change other models as much; 99
                 anchors (at alpha 0.01) are needed before they say more
  --band         adds whether the difference goes beyond benign ones, or that
                 this cannot be told: it takes 99 groups of known weights

Exit codes:
  0   done, and nothing that --fail-on names
  10  different    11  inconclusive    13  supported   (only with --fail-on)
  12  the reference is stale or invalid
  20  stopped by the budget; the same command with a larger one resumes
  1   a side gave no answer at all, or a fault    2  usage    130  interrupted
"""


@options.takes(options.COMPARING)
def compare(
    reference: options.Reference,
    suspect: options.Suspect,
    *,
    json: options.StudyJson = False,
    **flags: Any,
) -> None:
    """Ask two endpoints the same questions and test whether they are one deployment.

    Both are asked in random order, side by side. The test is exact; what it rejects, what else
    could explain it, and what it could not have seen stand in the dossier (PDF, Markdown, JSON).
    A study that was interrupted resumes with the same command.
    """
    from provenance import study
    from provenance.cli import outcome, prepared
    from provenance.cli.confirm import confirm
    from provenance.cli.progress import ProgressPrinter

    settings, config = prepared.read(flags)
    settings = prepared.without_missing_pdf(settings)
    made = prepared.prepare_comparison(reference, suspect, settings, config)
    confirm(made.hosts, made.estimate, yes=settings.yes)
    with ProgressPrinter() as progress:
        done = study.conclude_comparison(made, progress)
    outcome.end(done, settings, as_json=json)
