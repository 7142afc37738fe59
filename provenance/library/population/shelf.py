"""Spaces, and the profiles of bundles in them: ``spaces/`` and ``profiles/`` of a library."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from provenance.errors import EvidenceError, TamperedEvidence, UsageError
from provenance.library.population import profiles
from provenance.library.population.profiles import Profile, Profiles, SummaryLike
from provenance.library.population.records import Bundle
from provenance.library.population.table import Table
from provenance.signatures.document import Source

if TYPE_CHECKING:
    import pyarrow as pa

    from provenance.library.space import Space

Summarise = Callable[["Space", Sequence[Source]], SummaryLike]


class Shelf:
    """See the module. Writing is for one process at a time: the library holds the lock."""

    def __init__(self, library: Path) -> None:
        self._path = library

    def spaces(self) -> list[str]:
        """Digests of the spaces that are stored or profiled in."""
        stored = {f.stem for f in (self._path / "spaces").glob("*.npz") if "." not in f.stem}
        return sorted(stored | {f.name.removeprefix("space=") for f in self._folders()})

    def which(self, digest: str | None) -> str:
        """A digest in full from its beginning; None: the only space.

        Raises
        ------
        UsageError
            If there is none, or several begin so.
        """
        known = self.spaces()
        fitting = [d for d in known if digest is None or d.startswith(digest)]
        if len(fitting) == 1:
            return fitting[0]
        have = ", ".join(d[:12] for d in known) or "none"
        if fitting:
            raise UsageError(f"{self._path} has several spaces, say which: {have}")
        raise UsageError(
            f"{self._path} has no space {digest[:12] if digest else 'yet'} (it has: {have}); "
            "`provenance library calibrate` makes one"
        )

    def space(self, digest: str | None) -> Space:
        """A stored space."""
        path = self._path / "spaces" / f"{self.which(digest)}.npz"
        if not path.is_file():
            raise UsageError(
                f"the space {path.stem[:12]}… is not in {self._path}, only profiles in it are: get "
                f"the file from whoever made them and put it at {path}"
            )
        from provenance.library.space import Space

        return Space.load(path)

    def add_space(self, space: Space) -> Path:
        """Store a space; its file."""
        path = self._path / "spaces" / f"{space.digest}.npz"
        if not path.is_file():
            temporary = path.with_name(f"{path.stem}.part.npz")
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                try:
                    space.save(temporary)
                    temporary.replace(path)
                finally:
                    temporary.unlink(missing_ok=True)
            except OSError as error:
                raise EvidenceError(f"cannot write {path}: {error.strerror or error}") from None
        return path

    def done(self, space: str) -> set[str]:
        """Bundles that have a profile in a space."""
        table = self._table(space).select("SELECT bundle FROM rows")
        return set() if table is None else set(table.column("bundle").to_pylist())

    def profiled(self) -> dict[str, list[str]]:
        """Bundle to the spaces in which it has a profile."""
        found: dict[str, list[str]] = {}
        for folder in self._folders():
            space = folder.name.removeprefix("space=")
            for bundle in self.done(space):
                found.setdefault(bundle, []).append(space)
        return found

    def add(self, made: Sequence[tuple[Profile, Bundle]]) -> int:
        """Write the profiles that are not there yet; how many."""
        grouped: dict[str, list[tuple[Profile, Bundle]]] = {}
        for profile, bundle in made:
            grouped.setdefault(profile.space, []).append((profile, bundle))
        written = 0
        for space, found in grouped.items():
            done = self.done(space)
            rows = [profiles.row_of(p, b) for p, b in found if b.id not in done]
            self._table(space).append(rows)
            written += len(rows)
        return written

    def load(
        self, digest: str | None, known: Mapping[str, Bundle], *, parts: bool, check: bool
    ) -> Profiles:
        """Profiles of some bundles.

        Raises
        ------
        UsageError
            If there is none.
        TamperedEvidence
            If one is not what was stored, where that is checked.
        """
        space = self.which(digest)
        wanted = ", part_n, part_mean, part_variance" if parts or check else ""
        if wanted and self._table(space).has("formats"):
            wanted += ", formats"
        table: pa.Table | None = self._table(space).select(
            f"SELECT bundle, n, mean, variance, digest{wanted} FROM rows "
            "WHERE bundle IN (SELECT unnest($bundles))",
            {"bundles": list(known)},
        )
        if table is None or table.num_rows == 0:
            raise UsageError(
                f"{self._path} has no profile of these models in the space {space[:12]}…; "
                "`provenance library calibrate` makes them"
            )
        found = profiles.from_table(space, table, dict(known), parts=parts or check)
        if check:
            _check(found)
        return found

    def _folders(self) -> list[Path]:
        return sorted((self._path / "profiles").glob("space=*"))

    def _table(self, space: str) -> Table:
        return Table(self._path / "profiles" / f"space={space}", profiles.schema)


def _check(found: Profiles) -> None:
    for row, (bundle, digest) in enumerate(zip(found.bundles, found.digests, strict=True)):
        if profiles.profile_at(found, row).digest != digest:
            raise TamperedEvidence(
                f"the profile of {bundle.name} ({bundle.session}) is not what was stored"
            )


def fitted_on(space: Space) -> dict[str, tuple[int, ...]]:
    """Bundle ids to the parts of the prompts on which a space was fitted, as it says of itself."""
    said = getattr(space, "about", {}).get("fitted_on", {})
    return {bundle: tuple(said.get("parts", ())) for bundle in said.get("bundles", ())}


def summariser(
    space: Space, digest: str, summarise: Summarise | None
) -> Callable[[Sequence[Source]], SummaryLike]:
    """Texts to their summary in a space; ``summarise`` in its place if it is given."""
    if summarise is not None:
        return lambda found: summarise(space, found)
    from provenance.library.space import Summary

    # The digest is handed on: to compute it takes longer than a few texts.
    return lambda found: Summary.of_rows(space.rows(found), digest)
