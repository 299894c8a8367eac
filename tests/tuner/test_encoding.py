from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otterflow.knobs.space import KnobSpace
from otterflow.tuner.encoding import Encoder
from otterflow.tuner.search import random_genes


def test_a_configuration_survives_the_way_there_and_back(space: KnobSpace) -> None:
    encoder = Encoder(space)
    for genotype in random_genes(encoder, np.random.default_rng(0), 200):
        config = encoder.config(genotype)
        space.validate(config)
        assert encoder.config(encoder.genotype(config)) == config


def test_a_special_value_is_a_branch_of_its_own(space: KnobSpace) -> None:
    encoder = Encoder(space)
    low, off, automatic = ({**space.baseline(), "delay": v} for v in (1, 0, -1))
    f = encoder.features(encoder.genotypes([low, off, automatic]))
    assert ((f[0] - f[1]) ** 2).sum() == pytest.approx(1.25)  # its own column, and the middle of the range
    assert ((f[1] - f[2]) ** 2).sum() == pytest.approx(2.0)


def test_values_of_an_enum_are_equally_far_apart(space: KnobSpace) -> None:
    encoder = Encoder(space)
    f = encoder.features(encoder.genotypes([{**space.baseline(), "method": m} for m in "abc"]))
    distances = [((f[i] - f[j]) ** 2).sum() for i, j in ((0, 1), (0, 2), (1, 2))]
    assert distances == pytest.approx([1.0, 1.0, 1.0])


def test_few_levels_are_searched_on_the_levels(space: KnobSpace) -> None:
    encoder = Encoder(space)
    snapped = encoder.snap(np.array([[0.5, 0.5, -2.0, 1.0, 2.0, 0.3]]))
    assert snapped[0, 5] == pytest.approx(0.25)
    assert snapped[0, :5].tolist() == [0.5, 0.5, -2.0, 1.0, 2.0]


@settings(max_examples=50, deadline=None)
@given(low=st.integers(-10, 10), width=st.integers(0, 10**19), log=st.booleans())
def test_any_integer_range_encodes(low: int, width: int, log: bool) -> None:
    record = {"name": "k", "type": "integer", "min": low, "max": low + width, "default": low}
    encoder = Encoder(KnobSpace.from_records([record | {"scale": "log" if log else "linear"}]))
    features = encoder.features(encoder.genotypes([{"k": low}, {"k": low + width}]))
    assert np.isfinite(features).all()
    assert features.min() >= 0.0
    assert features.max() <= 1.0


def test_features_give_their_genotypes_back(space: KnobSpace) -> None:
    encoder = Encoder(space)
    genotypes = random_genes(encoder, np.random.default_rng(2), 100)
    assert encoder.genotypes_of(encoder.features(genotypes)) == pytest.approx(genotypes)
