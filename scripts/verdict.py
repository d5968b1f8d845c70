"""Count the tests of a JUnit file, and say no to any that was skipped without another platform being the reason.

    python scripts/verdict.py artifacts/junit.xml 0

The second argument is how the run itself ended. The last line printed is `N passed, N failed, N skipped`.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree as ET

#: A skip is allowed when its reason begins so: the test is for another platform.
ELSEWHERE = "platform:"


@dataclass(frozen=True, slots=True)
class Verdict:
    """How many tests passed, failed and were skipped; `unexcused` are the skips that count as failures."""

    passed: int
    failed: int
    skipped: int
    unexcused: tuple[str, ...]

    @property
    def is_good(self) -> bool:
        """Something passed, and nothing failed or was left out."""
        return self.passed > 0 and not self.failed and not self.unexcused

    @property
    def line(self) -> str:
        """The closing line."""
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def judge(junit: str) -> Verdict:
    """Return the verdict on the text of a JUnit file, as pytest writes it."""
    passed = failed = skipped = 0
    unexcused = []
    for case in ET.fromstring(junit).iter("testcase"):  # noqa: S314  # pytest's own file, just written
        skip = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
        elif skip is None:
            passed += 1
        else:
            skipped += 1
            reason = skip.get("message", "")
            if not reason.startswith(ELSEWHERE):
                unexcused.append(f"{case.get('classname')}::{case.get('name')}: {reason}")
    return Verdict(passed, failed, skipped, tuple(unexcused))


def main(path: str, status: str) -> int:
    """Print the verdict on the file at `path`; return 0 if it is good and the run ended with `status` 0."""
    verdict = judge(Path(path).read_text(encoding="utf-8"))
    for skip in verdict.unexcused:
        print(f"Skipped, and not because of the platform (its reason must begin with '{ELSEWHERE}'): {skip}")
    if status != "0" and not verdict.failed:
        print(f"make test ended with {status} though no test failed: another check did, and counts as one.")
        verdict = replace(verdict, failed=1)
    print(verdict.line)
    return 0 if verdict.is_good else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
