"""The database that keeps experiments, trials, metrics and measurements. Start at `Repository.open`."""

from __future__ import annotations

from otterflow.repository.copying import copy_repository
from otterflow.repository.glimpses import Glimpse, Glimpses, KnownPoint, Pulse, Sought, TargetGlimpse, TrialMark
from otterflow.repository.importing import ImportedExperiment, ImportedTrial
from otterflow.repository.judging import Found, GoalFiles
from otterflow.repository.records import (
    Experiment,
    ExperimentFiles,
    ExperimentState,
    FileKind,
    JsonObject,
    LastGood,
    Measurement,
    MetricRow,
    MetricScope,
    ModelKind,
    ModelScope,
    NewExperiment,
    Progress,
    Promotion,
    PromotionState,
    RawCounters,
    RecordingRecord,
    Standing,
    StoredModel,
    Trial,
    TrialKind,
    TrialState,
)
from otterflow.repository.repository import Repository

__all__ = [
    "Experiment",
    "ExperimentFiles",
    "ExperimentState",
    "FileKind",
    "Found",
    "Glimpse",
    "Glimpses",
    "GoalFiles",
    "ImportedExperiment",
    "ImportedTrial",
    "JsonObject",
    "KnownPoint",
    "LastGood",
    "Measurement",
    "MetricRow",
    "MetricScope",
    "ModelKind",
    "ModelScope",
    "NewExperiment",
    "Progress",
    "Promotion",
    "PromotionState",
    "Pulse",
    "RawCounters",
    "RecordingRecord",
    "Repository",
    "Sought",
    "Standing",
    "StoredModel",
    "TargetGlimpse",
    "Trial",
    "TrialKind",
    "TrialMark",
    "TrialState",
    "copy_repository",
]
