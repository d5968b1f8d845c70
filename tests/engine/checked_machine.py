"""A machine that checks itself after every event, and remembers them so that they can be replayed."""

from __future__ import annotations

from flowbook.engine.machine import Machine

__all__ = ["CheckedMachine", "replayed"]


class CheckedMachine(Machine):
    def __init__(self, *args, **options):
        self.made_with = (args, options)
        #: What was called, with its arguments and what it returned.
        self.log = []
        super().__init__(*args, **options)

    def begin(self):
        return self._checked("begin")

    def handle(self, event):
        return self._checked("handle", event)

    def succeed(self, key, state):
        return self._checked("succeed", key, state)

    def finish(self):
        return self._checked("finish")

    def mark(self, key, state):
        self.log.append(("mark", (key, state), None))
        super().mark(key, state)

    def _checked(self, name, *args):
        answer = getattr(super(), name)(*args)
        self.log.append((name, args, answer))
        self.validate()
        return answer


def replayed(machine):
    """Return a machine to which the same happened once more; it must have answered the same."""
    args, options = machine.made_with
    again = Machine(*args, **options)
    for name, given, answer in machine.log:
        found = getattr(again, name)(*given)
        assert [repr(each) for each in found or ()] == [repr(each) for each in answer or ()]
    return again
