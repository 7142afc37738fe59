"""A library of models: a folder that is added to, queried and shared.

    library.json                       format and name
    bundles/battery=…/model=…/version=…/ID.parquet     texts, one file a session
    catalogue/*.parquet                one row a bundle: what is known without its texts
    labels/*.parquet                   family, unit, parentage of models
    spaces/DIGEST.npz                  spaces that profiles are made in
    profiles/space=DIGEST/*.parquet    one row a bundle: count, mean, variance; no text
    calibrations/NAME.json             likelihood ratios for scores in a space
    discriminants/NAME.npz             what parts just these models, two a kind of prompts
    outsiders/NAME.npz                 how models score in fits that never saw their unit

Whatever is asked reads the columns and rows that it needs, through DuckDB; texts are read one
bundle at a time. A writer killed half-way leaves a file that nothing names, never half a bundle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from provenance.canonical import clean_text
from provenance.errors import UsageError
from provenance.library.population import freshness, profiles, texts
from provenance.library.population.catalogue import Catalogue
from provenance.library.population.lock import locked
from provenance.library.population.manifest import Manifest, create, is_library, read
from provenance.library.population.profiles import Profile, Profiles
from provenance.library.population.records import Bundle, Model, Output, Recorded, cleaned
from provenance.library.population.shelf import Shelf, Summarise, fitted_on, summariser
from provenance.library.population.texts import Statistics
from provenance.library.relations import Relation, Relations

if TYPE_CHECKING:
    from provenance.library.space import Space

_BATCH = 32  # bundles between two writings: what a killed run loses

Progress = Callable[[int, int, str], None]


class Library:
    """An open library. Make one with `create` or `open`."""

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self.path = path
        self.manifest = manifest
        self._catalogue = Catalogue(path, manifest.name)
        self._shelf = Shelf(path)

    @classmethod
    def create(cls, path: Path, *, name: str = "") -> Library:
        """Make an empty library.

        Raises
        ------
        EvidenceError
            If the folder is one, or holds something else, or cannot be written.
        """
        manifest = create(path, name)
        return cls(path, manifest)

    @classmethod
    def open(cls, path: Path, *, create: bool = False) -> Library:
        """Open a library; with ``create`` make it if there is none.

        Raises
        ------
        UsageError
            If there is none, or it has a format that this version does not know.
        """
        if create and not is_library(path):
            return cls.create(path)
        manifest = read(path)
        return cls(path, manifest)

    # What it holds

    def bundles(
        self,
        *,
        model: str | None = None,
        version: str | None = None,
        battery: str | None = None,
    ) -> list[Bundle]:
        """What is known of the bundles, by model, version, date; narrowed by whatever is given.

        Parameters
        ----------
        battery
            Its full digest.
        """
        return self._catalogue.bundles(model=model, version=version, battery=battery)

    def bundle(self, id: str) -> Bundle:
        """One bundle by its id.

        Raises
        ------
        UsageError
            If there is none.
        """
        found = self._catalogue.bundles(id=id)
        if not found:
            raise UsageError(f"{self.path} has no bundle {id!r}")
        return found[0]

    def models(self, names: Iterable[str] | None = None) -> list[Model]:
        """The models, a version each, by name.

        Parameters
        ----------
        names
            Only these: ``model`` (all of its versions) or ``model@version``.

        Raises
        ------
        UsageError
            If one of them is not there.
        """
        relations, spaces = self.relations(), self._shelf.profiled()
        grouped: dict[tuple[str, str], list[Bundle]] = {}
        for bundle in self.bundles():
            grouped.setdefault((bundle.model, bundle.version), []).append(bundle)
        models = [
            Model.of(found, relations.of(*key) or Relation(), spaces)
            for key, found in sorted(grouped.items())
        ]
        if names is None:
            return models
        wanted = list(names)
        unknown = [n for n in wanted if not any(n in (m.model, m.name) for m in models)]
        if unknown:
            raise UsageError(_no_model(self.path, unknown[0], models))
        return [m for m in models if m.model in wanted or m.name in wanted]

    def relations(self) -> Relations:
        """All labels, the latest of each model."""
        return self._catalogue.relations()

    def outputs(self, bundle: Bundle) -> Iterator[Output]:
        """The texts of a bundle, as a stream; the digest is checked at its end.

        Raises
        ------
        EvidenceError
            If they are not in this library.
        TamperedEvidence
            If they are not those that were added.
        """
        return texts.read(self.path, bundle)

    def statistics(self, bundle: Bundle) -> Statistics | None:
        """A few numbers about a bundle's texts; None where they are not in this library."""
        return texts.statistics(self.path, bundle)

    def prompt_digests(self, bundles: Iterable[Bundle] | None = None) -> frozenset[str]:
        """Digests of the prompts that bundles answer; None: all bundles.

        Where the words of a prompt were not recorded it is the digest of its id.
        """
        if bundles is None:
            return self._catalogue.all_prompts()
        return frozenset().union(*self.prompts_of(bundles).values())

    def prompts_of(self, bundles: Iterable[Bundle]) -> dict[str, frozenset[str]]:
        """Bundle id to the digests of its prompts."""
        return self._catalogue.prompts([b.id for b in bundles])

    def matched(
        self,
        battery: str,
        *,
        models: Iterable[str] | None = None,
        max_age_days: float | None = None,
        now: datetime | None = None,
    ) -> list[Bundle]:
        """Bundles that answer one battery, for matched use.

        Raises
        ------
        ReferenceStale
            If there is none, or one is too old.
        """
        found = freshness.require_battery(self._of(models), battery)
        if max_age_days is not None:
            freshness.require_fresh(found, max_age_days=max_age_days, now=now or datetime.now(UTC))
        return found

    # Adding

    def add(
        self,
        model: str,
        recorded: Recorded,
        *,
        version: str = "",
        label: Relation | None = None,
    ) -> Bundle:
        """Add one session. What is there already is not added twice.

        Raises
        ------
        UsageError
            If there is no output, or no name.
        SettingsError
            If the label contradicts others; nothing is added then.
        ReferenceStale
            If an earlier session of this model and version was served by another model.
        """
        if not model.strip():
            raise UsageError("a model needs a name")
        model, version = clean_text(model), clean_text(version)
        recorded = cleaned(recorded)
        known = self.bundles(model=model, version=version)
        freshness.require_fingerprint(
            known, served=recorded.served, fingerprints=recorded.fingerprints
        )
        with locked(self.path):
            if label is not None:
                self._catalogue.label({f"{model}@{version}" if version else model: label})
            bundle, prompts = texts.write(self.path, model, version, recorded)
            if not any(b.id == bundle.id and b.has_texts for b in known):
                self._catalogue.add([(bundle, prompts)])
        return bundle

    def label(self, labels: Relations | Mapping[str, Relation]) -> int:
        """Store labels over those that are there; how many changed.

        Raises
        ------
        SettingsError
            If they contradict labels of other models in the library.
        """
        with locked(self.path):
            return self._catalogue.label(labels.models if isinstance(labels, Relations) else labels)

    def add_foreign(
        self, found: Sequence[tuple[Bundle, Iterable[str]]], made: Sequence[Profile]
    ) -> int:
        """Take over bundles of another library without their texts, and their profiles.

        Parameters
        ----------
        found
            Bundles with the digests of their prompts.
        made
            Profiles of bundles that are known here then.

        Returns
        -------
        int
            How many profiles were new.
        """
        with locked(self.path):
            there = {b.id: b for b in self.bundles()}
            new = [
                (b.model_copy(update={"has_texts": False}), set(prompts))
                for b, prompts in found
                if b.id not in there
            ]
            self._catalogue.add(new)
            there |= {b.id: b for b, _ in new}
            return self._shelf.add([(p, there[p.bundle]) for p in made])

    # Spaces and profiles

    def spaces(self) -> list[str]:
        """Digests of the spaces that are stored or profiled in."""
        return self._shelf.spaces()

    def space(self, digest: str | None = None) -> Space:
        """A stored space, by (the beginning of) its digest; None: the only one.

        Raises
        ------
        UsageError
            If there is none, or it is not clear which.
        """
        return self._shelf.space(digest)

    def add_space(self, space: Space) -> Path:
        """Store a space; its file."""
        with locked(self.path):
            return self._shelf.add_space(space)

    def profile(
        self,
        space: Space,
        *,
        bundles: Sequence[Bundle] | None = None,
        summarise: Summarise | None = None,
        progress: Progress | None = None,
    ) -> int:
        """Make the profiles that are missing; how many were made.

        Outputs that the space was fitted on are left out (`fitted_on`): they lie closer together
        in it than new ones of the same model.

        Parameters
        ----------
        bundles
            Of these; None: of all whose texts are here.
        summarise
            (space, texts or completions) → summary; None: ``Summary.of``.
        progress
            Called with done, total and the model's name.
        """
        digest = space.digest
        of = summariser(space, digest, summarise)
        done = self._shelf.done(digest)
        wanted = self.bundles() if bundles is None else bundles
        missing = [b for b in wanted if b.has_texts and b.id not in done]
        made: list[tuple[Profile, Bundle]] = []
        written = 0
        for number, bundle in enumerate(missing):
            if progress is not None:
                progress(number, len(missing), bundle.model)
            without = fitted_on(space).get(bundle.id, ())
            one = profiles.made_of(digest, bundle, self.outputs(bundle), of, without)
            if one is not None:
                made.append((one, bundle))
                written += 1
            if len(made) == _BATCH or number == len(missing) - 1:
                with locked(self.path):
                    self._shelf.add(made)
                made = []
        if missing and progress is not None:
            progress(len(missing), len(missing), "")
        return written

    def profiles(
        self,
        space: str | None = None,
        *,
        models: Iterable[str] | None = None,
        parts: bool = False,
        check: bool = False,
    ) -> Profiles:
        """Profiles in a space, as arrays, by model and version.

        Parameters
        ----------
        space
            (The beginning of) its digest; None: the only one.
        models
            Of these only, as in `models`.
        parts
            Load the parts of the prompts too.
        check
            Compare each profile with its digest (loads the parts).

        Raises
        ------
        UsageError
            If there is none in this space.
        TamperedEvidence
            If one is not what was stored.
        """
        known = {b.id: b for b in self._of(models)}
        return self._shelf.load(space, known, parts=parts, check=check)

    def _of(self, models: Iterable[str] | None) -> list[Bundle]:
        if models is None:
            return self.bundles()
        wanted = {m.name for m in self.models(models)}
        return [b for b in self.bundles() if b.name in wanted]


def _no_model(path: Path, name: str, models: Sequence[Model]) -> str:
    import difflib

    names = sorted({m.model for m in models} | {m.name for m in models})
    close = difflib.get_close_matches(name, names, 5, 0.4) or names[:5]
    return f"{path} has no model {name!r}; it has {', '.join(close) or 'none yet'}"
