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


@given(st.data())
def test_however_often_it_is_cut_nothing_is_lost_or_doubled(data):
    count = data.draw(st.integers(1, 30))
    seconds = sorted(data.draw(st.lists(st.integers(0, 12), min_size=count, max_size=count)))
    texts = data.draw(st.lists(st.sampled_from(["a", "b", ""]), min_size=count, max_size=count))
    lines = [line(*each) for each in zip(seconds, texts, strict=True)]
    log, taken, begin = PodLog(), [], 0
    for cut in sorted(data.draw(st.lists(st.integers(0, count), max_size=6))):
        taken += [found for each in lines[begin:cut] if (found := log.take(each)) is not None]
        log.reopened()
        read = max(cut, begin)
        last = seconds[read - 1] if read else 0
        begin = data.draw(st.sampled_from([n for n in range(read + 1) if n == 0 or seconds[n - 1] < last - 3]))

    taken += [found for each in lines[begin:] if (found := log.take(each)) is not None]

    assert taken == [f"{text}\n".encode() for text in texts]
