from __future__ import annotations

import pickle

import pytest

from flowbook.engine import signals
from flowbook.engine.state import Failed, Looped, Paused, Retrying, Skipped, Success, TriggerFailed, ValidationFailed

KINDS = {
    signals.FAIL: Failed,
    signals.TRIGGERFAIL: TriggerFailed,
    signals.VALIDATIONFAIL: ValidationFailed,
    signals.SUCCESS: Success,
    signals.SKIP: Skipped,
    signals.RETRY: Retrying,
    signals.PAUSE: Paused,
    signals.LOOP: Looped,
}


@pytest.mark.parametrize(("signal", "kind"), KINDS.items(), ids=lambda value: value.__name__)
def test_a_signal_carries_its_state_with_message_and_result(signal, kind):
    raised = signal("why", result=3)

    assert (type(raised.state), raised.state.message, raised.state.result, str(raised)) == (kind, "why", 3, "why")
    assert signal().state.result is None


@pytest.mark.parametrize("signal", KINDS, ids=lambda value: value.__name__)
def test_a_signal_passes_through_except_exception_and_pickles(signal):
    twin = pickle.loads(pickle.dumps(signal("why", result=3)))

    assert not issubclass(signal, Exception)
    assert (type(twin), twin.message, twin.state.result) == (signal, "why", 3)


def test_failed_is_another_name_of_fail():
    assert signals.FAILED is signals.FAIL


def test_a_field_that_the_state_lacks_is_refused():
    with pytest.raises(TypeError):
        signals.SKIP("why", colour="red")
