"""How the command looks and fails: plain help in sections, and one boundary for errors.

Plain text instead of rich's boxes: it starts in a tenth of a second, reads the same at 80 and
120 columns, and survives a pipe.
"""

from __future__ import annotations

import itertools
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from provenance.errors import ProvenanceError

DEBUG_VARIABLE = "PROVENANCE_DEBUG"
CONTEXT: dict[str, Any] = {
    "max_content_width": 110,
    "help_option_names": ["-h", "--help"],
}
INTERRUPTED = 130
# Stands between the two values of an option that takes two: no endpoint holds a line break.
BETWEEN = "\n"
_OF_TWO = ("--anchor",)
_RESUMABLE = ("compare", "sample")


class VerbCommand(TyperCommand):
    """One verb; options in the sections of their panels, the epilog printed as it is written."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Join the two values of an option that takes two: typer has no repeatable pairs."""
        return super().parse_args(ctx, list(_joined(args)))

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """``[OPTIONS] REFERENCE SUSPECT``."""
        return ["[OPTIONS]", *(p.metavar or "" for p in self.get_params(ctx) if _is_argument(p))]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Arguments first, then each panel in the order of its first option."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            panel = getattr(parameter, "rich_help_panel", None) or "Options"
            row = parameter.get_help_record(ctx)
            if _is_argument(parameter):
                # typer's own row adds the type, which the metavar has said better.
                help = getattr(parameter, "help", None)
                panel, row = "Arguments", (parameter.metavar or "", help or "")
            if row is not None:
                sections.setdefault(panel, []).append(row)
        for name in sorted(sections, key=lambda s: s != "Arguments"):
            with formatter.section(name):
                formatter.write_dl(sections[name])

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Examples are lines to copy: never wrapped."""
        _write_as_is(self.epilog, formatter)


class Commands(TyperGroup):
    """The verbs, grouped; and the only place where an exception becomes an exit code."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """The options of the group, then the verbs under their panels."""
        rows = [p.get_help_record(ctx) for p in self.get_params(ctx)]
        panels: dict[str, list[tuple[str, str]]] = {}
        width = max((len(name) for name in self.list_commands(ctx)), default=0)
        for name in self.list_commands(ctx):
            verb = self.get_command(ctx, name)
            if verb is not None:
                panel = getattr(verb, "rich_help_panel", None) or "Verbs"
                about = verb.get_short_help_str(limit=110)
                panels.setdefault(panel, []).append((name.ljust(width), about))
        for panel, verbs in panels.items():
            with formatter.section(panel):
                formatter.write_dl(verbs)
        with formatter.section("Options"):
            formatter.write_dl([row for row in rows if row is not None])

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """As `VerbCommand.format_epilog`."""
        _write_as_is(self.epilog, formatter)

    def invoke(self, ctx: Any) -> Any:
        """Run a verb inside the boundary."""
        return bounded(lambda: super(Commands, self).invoke(ctx), lambda: ctx.invoked_subcommand)


def bounded(run: Callable[[], Any], verb: Callable[[], str | None]) -> Any:
    """Turn what ``run`` raises into a message on stderr and an exit code."""
    try:
        result = run()
        # A reader that went away is noticed here, not while the interpreter ends.
        sys.stdout.flush()
    except ProvenanceError as error:
        complain(str(error))
        raise typer.Exit(error.exit_code) from None
    except KeyboardInterrupt:
        kept = "; what was recorded is kept, resume with the same command (without --new)"
        print(f"\ninterrupted{kept if verb() in _RESUMABLE else ''}", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None
    except BrokenPipeError:
        _drop_stdout()
        raise typer.Exit(1) from None
    except OSError as error:  # a full disk, a folder without permission: no fault of the tool
        place = f": {error.filename}" if error.filename else ""
        complain(f"{error.strerror or type(error).__name__}{place}")
        raise typer.Exit(1) from None
    except Exception as error:
        # Broad on purpose: the last boundary, where a person would else see a trace with keys.
        if type(error).__module__.startswith(("typer", "click")):
            raise  # an exit code, or a mistake on the command line that typer words itself
        _confess(error)
        raise typer.Exit(1) from None
    return result


def complain(message: str) -> None:
    """``error: …`` on stderr; what an endpoint may have put into it is made visible."""
    from provenance.dossier.text import for_terminal

    lines = [for_terminal(line, 2000) for line in message.splitlines()]
    print("error: " + "\n".join(lines), file=sys.stderr)


def _confess(error: Exception) -> None:
    """Name an unexpected exception. Its message is withheld: it may quote a header or a key."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if f"{os.sep}provenance{os.sep}" in f.filename] or list(frames)
    what = f" ({error})" if isinstance(error, ImportError) else ""
    place = f" in {os.path.basename(ours[-1].filename)}:{ours[-1].lineno}" if ours else ""
    print(
        f"error: unexpected {type(error).__name__}{what}{place}. This is a fault of the tool. "
        f"{DEBUG_VARIABLE}=1 shows the whole trace, which may quote what was sent.",
        file=sys.stderr,
    )
    if os.environ.get(DEBUG_VARIABLE):
        traceback.print_exception(error, file=sys.stderr)


def _drop_stdout() -> None:
    """Nothing more can be written; keeps the interpreter from failing on it once more."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):  # a captured stdout has no descriptor
        return


def _joined(args: list[str]) -> Iterator[str]:
    """``--anchor A B`` as ``--anchor`` and one value."""
    left = iter(args)
    for arg in left:
        yield arg
        if arg == "--":
            yield from left
        elif arg in _OF_TWO:
            # Options that follow too soon are left where they are, for the verb to complain of.
            pair = list(itertools.islice(left, 2))
            taken = [a for a in pair if not a.startswith("--")]
            if len(taken) == len(pair):
                yield BETWEEN.join(taken)
            else:
                yield from pair


def _is_argument(parameter: Any) -> bool:
    return bool(parameter.param_type_name == "argument")


def _write_as_is(text: str | None, formatter: Any) -> None:
    if text:
        formatter.write_paragraph()
        formatter.write(text.strip("\n") + "\n")
