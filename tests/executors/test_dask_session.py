"""What a run's calls on a Dask cluster come to where Dask, or a call, is not as it should be."""

import queue

from flowbook.executors import DaskExecutor
from flowbook.executors.base import Answer, Call


def echo(payload, blobs, held, report):
    del blobs, held
    report("running", 0.0)
    return Answer(payload)


def test_calls_that_cannot_be_handed_over_are_reported_as_lost():
    reports = queue.SimpleQueue()
    sound, unsound = Call(1, "sound", b"x"), Call(2, "unsound", b"x", held=(object(),))

    with DaskExecutor().start() as session:
        session.listen(echo, reports.put)
        session.submit_batch([sound, unsound])
        ended = [reports.get(timeout=20) for _ in range(2)]

    assert {(report.kind, report.id) for report in ended} == {("lost", 1), ("lost", 2)}
    assert ended[0].body.startswith("Dask failed: ")
