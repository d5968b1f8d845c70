"""A pod's log is read in pieces, and each of its lines arrives once."""

from hypothesis import given
from hypothesis import strategies as st

from flowbook.flow_runners.pod_log import PodLog


def line(second, text, fraction=0):
    return f"2026-11-30T09:{second // 60:02}:{second % 60:02}.{fraction:09}Z {text}\n".encode()


def test_lines_arrive_without_their_times():
    log = PodLog()

    taken = [log.take(each) for each in (line(1, "10 flights"), line(2, ""), b"2026-11-30T09:00:03+01:00 cut off")]

    assert taken == [b"10 flights\n", b"\n", b"cut off"]


def test_a_log_that_is_read_again_gives_only_what_is_new():
    log = PodLog()
    lines = [line(second, f"line {second}") for second in range(20)]
    for each in lines[:12]:
        log.take(each)

    log.reopened()

    assert [found for each in lines if (found := log.take(each)) is not None] == [
        f"line {n}\n".encode() for n in range(12, 20)
    ]


def test_equal_lines_of_one_moment_are_counted():
    log = PodLog()
    same = [line(5, "again")] * 3
    for each in same[:2]:
        log.take(each)

    log.reopened()

    assert [log.take(each) for each in same] == [None, None, b"again\n"]


def test_lines_of_two_streams_may_be_in_the_wrong_order():
    log = PodLog()
    lines = [line(4, "a"), line(5, "b", 7), line(4, "c", 9), line(5, "d", 8)]
    for each in lines[:3]:
        log.take(each)

    log.reopened()

    assert [log.take(each) for each in lines] == [None, None, None, b"d\n"]


def test_what_the_cluster_says_in_place_of_a_line_is_kept_apart():
    log = PodLog()

    taken = log.take(b"unable to retrieve container logs for docker://9cfc")

    assert (taken, log.says) == (None, "unable to retrieve container logs for docker://9cfc")


def test_a_line_that_is_late_is_taken():
    log = PodLog()

    taken = [log.take(each) for each in (line(9, "a"), line(12, "b"), line(2, "late"))]

    assert taken == [b"a\n", b"b\n", b"late\n"]


def test_what_somebody_else_has_taken_is_not_taken_again_and_what_is_as_old_is():
    lines = [line(1, "x"), line(5, "a"), line(5, "a"), line(5, "b"), line(4, "late"), line(5, "a")]
    other = PodLog()
    kept = [other.last for each in lines[:4] if other.take(each) is not None]

    log = PodLog(kept=kept)

    assert [log.take(each) for each in lines] == [None, None, None, None, b"late\n", b"a\n"]


@st.composite
def logs(draw):
    """Return the lines of a log: of two streams, so that times may be equal, or up to a second and a half in the wrong order."""
    count, at = draw(st.integers(1, 40)), 0
    found = []
    for _ in range(count):
        at += draw(st.sampled_from([0, 1, 1000, 400_000_000, 1_000_000_000, 7_000_000_000]))
        stamp = max(0, at - draw(st.sampled_from([0, 0, 0, 3, 1_500_000_000])))
        found.append(line(stamp // 1_000_000_000, draw(st.sampled_from(["a", "b", ""])), stamp % 1_000_000_000))
    return found


def texts_of(lines):
    return [each.partition(b" ")[2] for each in lines]


@given(logs(), st.data())
def test_however_often_it_is_cut_nothing_is_lost_or_doubled(lines, data):
    log, taken, begin = PodLog(), [], 0
    for cut in sorted(data.draw(st.lists(st.integers(0, len(lines)), max_size=6))):
        taken += [found for each in lines[begin:cut] if (found := log.take(each)) is not None]
        log.reopened()
        begin = data.draw(st.integers(0, max(0, min(begin, cut))))

    taken += [found for each in lines[begin:] if (found := log.take(each)) is not None]

    assert taken == texts_of(lines)


@given(logs(), st.data())
def test_however_often_somebody_else_goes_on_nothing_is_lost_or_doubled(lines, data):
    kept, taken = [], []
    for cut in [*data.draw(st.lists(st.integers(0, len(lines)), max_size=6)), len(lines)]:
        log = PodLog(kept=kept)
        for each in lines[:cut]:
            found = log.take(each)
            if found is not None:
                taken.append(found)
                kept.append(log.last)

    assert taken == texts_of(lines)
