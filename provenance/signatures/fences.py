"""Code fences, and what is left of one when a host takes part of it away."""

from __future__ import annotations

import re

__all__ = ["bare", "unwrapped"]

_MARK = r"^[ \t]*(?:`{3,}|~{3,})"
# What follows the language on the line of a fence goes with it, but not JSON that begins there.
_FENCE = re.compile(_MARK + r"(?:[^\n`{\[]*+(?=[{\[][ \t]*+(?:[\"{\[]|$))|[^\n`]*$)", re.MULTILINE)
# Names of languages that models write on a fence. Those of one letter are left out: a line "C" is
# more often the answer to a multiple choice.
_LANGUAGES = (
    "ada", "apache", "arduino", "asm", "assembly", "awk", "bash", "bat", "batch", "bibtex", "c#",
    r"c\+\+", "clojure", "cmake", "cmd", "console", "cpp", "cs", "csharp", "css", "csv", "cuda",
    "dart", "diff", "docker", "dockerfile", "dot", "elixir", "elm", "erlang", "f#", "fortran",
    "fsharp", "glsl", "go", "golang", "gradle", "graphql", "groovy", "haskell", "hcl", "html",
    "http", "ini", "java", "javascript", "jinja", "js", "json", "json5", "jsonc", "jsonl", "jsx",
    "julia", "kotlin", "kql", "latex", "less", "lisp", "lua", "makefile", "markdown", "math",
    "mathematica", "matlab", "md", "mermaid", "nginx", "nix", "objc", "objective-c", "ocaml",
    "octave", "pascal", "perl", "php", "plain", "plaintext", "plantuml", "postgresql",
    "powershell", "prolog", "properties", "proto", "protobuf", "ps1", "py", "python", "python2",
    "python3", "regex", "rb", "rst", "ruby", "rust", "sass", "scala", "scheme", "scss", "sh",
    "shell", "smalltalk", "solidity", "sparql", "sql", "svelte", "svg", "swift", "systemverilog",
    "terraform", "tex", "text", "toml", "ts", "tsx", "txt", "typescript", "vb", "vba", "vbnet",
    "verilog", "vhdl", "vim", "vue", "wasm", "xml", "yaml", "yml", "zig", "zsh",
)  # fmt: skip
# The label of a fence whose marks were deleted: alone on its line, with something after it (a text
# that is nothing but such a word, or ends with it, is an answer).
_LABEL = re.compile(
    rf"^[ \t]*+(?:{'|'.join(_LANGUAGES)})[ \t]*+\n(?=\s*+\S)", re.MULTILINE | re.IGNORECASE
)
_LINE_OF_FENCE = re.compile(_MARK + r"[ \t]*(?P<info>[^\n`]*)$", re.MULTILINE)


def bare(text: str) -> str:
    """The text without lines of fences and without labels that such lines have left."""
    if "```" in text or "~~~" in text:
        text = _FENCE.sub("", text)
    return _LABEL.sub("", text)


def unwrapped(text: str) -> str:
    """A text without the one fence around all of it, if that can be told; else as it is.

    It can where no other fence is inside, and where the first one inside says its language, which
    no closing fence does.
    """
    whole = text.strip()
    if whole[:3] not in ("```", "~~~"):
        return text
    lines = list(_LINE_OF_FENCE.finditer(whole))
    if not lines or lines[0].start() != 0:
        return text
    closed = len(lines) > 1 and lines[-1].end() == len(whole) and not lines[-1]["info"].strip()
    inside = lines[1:-1] if closed else lines[1:]
    if inside and (not inside[0]["info"].strip() or not closed):
        return text
    # Inside, every second fence closes one.
    if len(inside) % 2 or any(line["info"].strip() for line in inside[1::2]):
        return text
    return whole[lines[0].end() : lines[-1].start() if closed else len(whole)]
