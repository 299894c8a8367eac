"""Models: what the refresh has computed from trials, so that no task has to compute it again.

A model is known by its scope, its subject and its kind, and there is one of each: a newer one replaces it. `sources`
says what it was computed from, and so whether it is still up to date.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import delete, func, select

from otterflow.repository.records import JsonObject, ModelKind, ModelScope, Progress, StoredModel, TrialState
from otterflow.repository.store import Store, find_experiment
from otterflow.repository.tables import ExperimentRow, ModelRow, TrialRow
from otterflow.repository.values import LARGEST_INTEGER, member, now, plain_object, text, whole

_ENDED = [state.value for state in TrialState if state.ended]


class ModelStore(Store):
    """Computed models, and how far the experiments are that they are computed from."""

    def record_model(
        self,
        kind: ModelKind | str,
        *,
        scope: ModelScope | str,
        subject: str,
        content: JsonObject,
        sources: Mapping[str, JsonObject],
        version: int,
    ) -> None:
        """Record a model in place of the former one of the same scope, subject and kind.

        The subject of scope `experiment` is an experiment's name, and the model goes when the experiment is deleted.
        `version` is that of the method which computed it. A model said twice keeps the time of the first.
        """
        key = {
            "scope": member(ModelScope, "scope", scope).value,
            "subject": text(subject),
            "kind": member(ModelKind, "kind", kind).value,
        }
        values = {
            "version": whole("version", version, most=LARGEST_INTEGER),
            "sources": plain_object("sources", sources),
            "content": plain_object("content", content),
        }
        with self._database.write() as session:
            if key["scope"] == ModelScope.experiment:
                values["experiment_id"] = find_experiment(session, subject, lock=True).id
            row = session.get(ModelRow, (key["scope"], key["subject"], key["kind"]))
            if row is None:
                session.add(ModelRow(**key, **values, computed_at=now()))
            elif any(getattr(row, column) != found for column, found in values.items()):
                for column, found in {**values, "computed_at": now()}.items():
                    setattr(row, column, found)

    def models(
        self, kind: ModelKind | str | None = None, *, scope: ModelScope | str | None = None
    ) -> list[StoredModel]:
        """All models, or those of a kind or scope, by scope, subject and kind."""
        query = select(ModelRow).order_by(ModelRow.scope, ModelRow.subject, ModelRow.kind)
        if kind is not None:
            query = query.where(ModelRow.kind == member(ModelKind, "kind", kind))
        if scope is not None:
            query = query.where(ModelRow.scope == member(ModelScope, "scope", scope))
        with self._database.read() as session:
            return [_stored(row) for row in session.scalars(query)]

    def model(self, kind: ModelKind | str, *, scope: ModelScope | str, subject: str) -> StoredModel | None:
        """The model of that scope, subject and kind, or None if none was computed."""
        key = (member(ModelScope, "scope", scope), subject, member(ModelKind, "kind", kind))
        with self._database.read() as session:
            row = session.get(ModelRow, key)
            return None if row is None else _stored(row)

    def retain_models(self, scope: ModelScope | str, subjects: Collection[str]) -> None:
        """Forget the models of a scope whose subject is not among these: their trials are gone."""
        known = member(ModelScope, "scope", scope)
        with self._database.write() as session:
            session.execute(delete(ModelRow).where(ModelRow.scope == known, ModelRow.subject.not_in(list(subjects))))

    def progress(self) -> dict[str, Progress]:
        """How many iterations of each experiment have an ended trial, and when the last one ended, oldest first."""
        ended = (TrialRow.experiment_id == ExperimentRow.id) & TrialRow.state.in_(_ENDED)
        query = (
            select(ExperimentRow.name, func.count(TrialRow.iteration.distinct()), func.max(TrialRow.ended_at))
            .outerjoin(TrialRow, ended)
            .group_by(ExperimentRow.id, ExperimentRow.name)
            .order_by(ExperimentRow.id)
        )
        with self._database.read() as session:
            return {name: Progress(trials, last) for name, trials, last in session.execute(query)}


def _stored(row: ModelRow) -> StoredModel:
    return StoredModel(
        scope=ModelScope(row.scope),
        subject=row.subject,
        kind=ModelKind(row.kind),
        version=row.version,
        sources=row.sources,
        content=row.content,
        computed_at=row.computed_at,
    )
