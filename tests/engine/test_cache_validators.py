from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowbook.engine import cache_validators as validators
from flowbook.engine.state import Cached
from flowbook.results.content_hash import content_hash

HOUR = dt.timedelta(hours=1)


def entry(inputs=None, parameters=None, *, age=HOUR / 2, lasts=HOUR, **options):
    created = dt.datetime.now(dt.UTC) - age
    return Cached(
        input_hashes={name: content_hash(value) for name, value in (inputs or {}).items()},
        parameters=validators.comparable(parameters or {}),
        created=created,
        expiry=created + lasts,
        **options,
    )


CURRENT = [
    validators.duration_only,
    validators.all_inputs,
    validators.all_parameters,
    validators.code_and_inputs,
    validators.partial_inputs_only(["x"]),
    validators.partial_parameters_only(["p"]),
]


@pytest.mark.parametrize("validator", CURRENT, ids=lambda each: each.__name__)
def test_what_has_expired_or_comes_from_the_future_is_not_used(validator):
    fits = entry({"x": 1}, {"p": 1}), {"x": 1}, {"p": 1}
    expired = entry({"x": 1}, {"p": 1}, age=2 * HOUR), {"x": 1}, {"p": 1}
    future = entry({"x": 1}, {"p": 1}, age=-HOUR), {"x": 1}, {"p": 1}

    assert [validator(*each) for each in (fits, expired, future)] == [True, False, False]


def test_never_use_never_does():
    assert validators.never_use(entry(), {}, {}) is False


@given(
    then=st.dictionaries(st.sampled_from("xyz"), st.integers(0, 2)),
    now=st.dictionaries(st.sampled_from("xyz"), st.integers(0, 2)),
)
def test_inputs_and_parameters_are_compared_by_their_content(then, now):
    of_inputs, of_parameters = entry(then), entry({}, then)
    part = {name: value for name, value in then.items() if name == "x"} == {
        name: value for name, value in now.items() if name == "x"
    }

    assert validators.all_inputs(of_inputs, now, {}) is (then == now)
    assert validators.all_parameters(of_parameters, {}, now) is (then == now)
    assert validators.partial_inputs_only(["x"])(of_inputs, now, {}) is part
    assert validators.partial_parameters_only(["x"])(of_parameters, {}, now) is part


def test_frames_are_compared_by_content():
    frame = pd.DataFrame({"a": [1, 2]})
    made = entry({"x": frame}, {"p": frame})

    same = (
        validators.all_inputs(made, {"x": frame.copy()}, {}),
        validators.all_parameters(made, {}, {"p": frame.copy()}),
    )
    other = validators.all_inputs(made, {"x": frame + 1}, {}), validators.all_parameters(made, {}, {"p": frame + 1})

    assert (same, other) == ((True, True), (False, False))


def test_other_code_is_not_used_by_code_and_inputs():
    assert validators.code_and_inputs(entry({"x": 1}), {"x": 1}, {}) is True
    assert validators.code_and_inputs(entry({"x": 1}, stale_code=True), {"x": 1}, {}) is False


def test_without_names_a_partial_validator_is_duration_only():
    made = entry({"x": 1}, {"p": 1})

    assert validators.partial_inputs_only()(made, {"x": 2}, {}) is True
    assert validators.partial_parameters_only()(made, {}, {"p": 2}) is True


def test_inputs_are_hashed_only_for_validators_that_look_at_them():
    found = {each.__name__: validators.needs_inputs(each) for each in [*CURRENT, validators.never_use]}

    assert found == {
        "duration_only": False,
        "all_inputs": True,
        "all_parameters": False,
        "code_and_inputs": True,
        "partial_inputs_only": True,
        "partial_parameters_only": False,
        "never_use": False,
    }
    assert validators.needs_inputs(lambda *_: True) is True
