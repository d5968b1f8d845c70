"""`scripts/verdict.py`: which runs of the tests are good enough."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

from verdict import Verdict, judge, main

PASSED = '<testcase classname="a" name="b"/>'
FAILED = '<testcase classname="a" name="c"><failure message="no"/></testcase>'
BROKEN = '<testcase classname="a" name="d"><error message="no"/></testcase>'
ELSEWHERE = '<testcase classname="a" name="e"><skipped type="pytest.skip" message="platform: macOS only"/></testcase>'
LEFT_OUT = '<testcase classname="a" name="f"><skipped type="pytest.skip" message="no chromium"/></testcase>'


def _junit(*cases: str) -> str:
    return f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>"


def test_passed_failed_and_skipped_tests_are_counted():
    verdict = judge(_junit(PASSED, PASSED, FAILED, BROKEN, ELSEWHERE))

    assert verdict == Verdict(passed=2, failed=2, skipped=1, unexcused=())


@pytest.mark.parametrize(
    ("cases", "good"),
    [
        ([PASSED], True),
        ([PASSED, ELSEWHERE], True),
        ([PASSED, LEFT_OUT], False),
        ([PASSED, FAILED], False),
        ([PASSED, BROKEN], False),
        ([ELSEWHERE], False),
        ([], False),
    ],
)
def test_a_run_is_good_when_something_passed_and_nothing_failed_or_was_left_out(cases, good):
    verdict = judge(_junit(*cases))

    assert verdict.is_good is good


def test_the_last_line_counts_and_a_skip_is_named(tmp_path, capsys):
    (tmp_path / "junit.xml").write_text(_junit(PASSED, LEFT_OUT))

    code = main(str(tmp_path / "junit.xml"), "0")

    assert code == 1
    assert capsys.readouterr().out.splitlines() == [
        "Skipped, and not because of the platform (its reason must begin with 'platform:'): a::f: no chromium",
        "1 passed, 0 failed, 1 skipped",
    ]


def test_a_run_that_ended_badly_though_its_tests_passed_has_one_failure(tmp_path, capsys):
    (tmp_path / "junit.xml").write_text(_junit(PASSED))

    codes = [main(str(tmp_path / "junit.xml"), status) for status in ("0", "2")]

    assert codes == [0, 1]
    assert capsys.readouterr().out.splitlines() == [
        "1 passed, 0 failed, 0 skipped",
        "make test ended with 2 though no test failed: another check did, and counts as one.",
        "1 passed, 1 failed, 0 skipped",
    ]
