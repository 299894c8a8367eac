"""What the comparisons of many experiments are judged by, apart from their measurements, and no more of each.

An experiment's row is as long as what it keeps of its server, some hundred kB of JSON: hundreds of them are not read
whole to judge what a few knobs came to.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import JSON, column, func, select, true
from sqlalchemy.orm import Session

from otterflow.repository.records import JsonObject
from otterflow.repository.store import Store
from otterflow.repository.tables import ConfigurationRow, DefinitionRow, ExperimentFileRow, ExperimentRow


class Found(NamedTuple):
    """Of what was found on the target: the configuration in force, and the server's own settings by knob."""

    baseline: JsonObject
    live: JsonObject


class GoalFiles(NamedTuple):
    """Of the files that an experiment was begun with, those that say what it tunes for: not its knob catalog."""

    target: JsonObject
    benchmark: JsonObject
    texts: JsonObject


class JudgingStore(Store):
    """Questions about many experiments by their names, each of them one for all."""

    def goal_files_of(self, experiments: Collection[str]) -> dict[str, GoalFiles]:
        """What the files of each said when it began, without those that began before files were kept.

        Experiments that began with the same ones share one object.
        """
        query = (
            select(ExperimentRow.name, ExperimentFileRow.kind, ExperimentFileRow.hash)
            .join(ExperimentFileRow, ExperimentFileRow.experiment_id == ExperimentRow.id)
            .where(ExperimentRow.name.in_(set(experiments)), ExperimentFileRow.kind.in_(GoalFiles._fields))
        )
        kept: dict[str, dict[str, str]] = {}
        with self._database.read() as session:
            for name, kind, digest in session.execute(query):
                kept.setdefault(name, {})[kind] = digest
            contents = _definitions(session, {digest for hashes in kept.values() for digest in hashes.values()})
        made: dict[tuple[tuple[str, str], ...], GoalFiles] = {}
        found = {}
        for name, hashes in kept.items():
            if set(hashes) == set(GoalFiles._fields):
                key = tuple(sorted(hashes.items()))
                if key not in made:
                    made[key] = GoalFiles(**{kind: contents[digest] for kind, digest in key})
                found[name] = made[key]
        return found

    def found_of(self, experiments: Collection[str], knobs: Collection[str]) -> dict[str, Found]:
        """What was found on the target of each: what is in force, and of its settings those of these knobs."""
        names = set(experiments)
        if not names:
            return {}
        in_force = (
            select(ExperimentRow.name, ConfigurationRow.content)
            .outerjoin(ConfigurationRow, ConfigurationRow.hash == ExperimentRow.baseline_hash)
            .where(ExperimentRow.name.in_(names))
        )
        each = func.json_each(ExperimentRow.live).table_valued(column("key"), column("value", JSON))
        live = (
            select(ExperimentRow.name, each.c.key, each.c.value)
            .join(each, true())
            .where(ExperimentRow.name.in_(names), each.c.key.in_(set(knobs)))
        )
        with self._database.read() as session:
            found = {name: Found(content or {}, {}) for name, content in session.execute(in_force)}
            for name, knob, row in session.execute(live):
                found[name].live[knob] = row
        return found


def _definitions(session: Session, hashes: Collection[str]) -> dict[str, JsonObject]:
    query = select(DefinitionRow.hash, DefinitionRow.content).where(DefinitionRow.hash.in_(hashes))
    return {digest: content for digest, content in session.execute(query)}
