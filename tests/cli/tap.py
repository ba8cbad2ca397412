# SPDX-License-Identifier: MIT
"""unittest that speaks TAP, for tests/run."""
import traceback
import unittest


class TapResult(unittest.TestResult):
    """Prints TAP: one line for each test, and behind a failure all that went wrong."""

    def __init__(self, stream):
        super().__init__()
        self.stream, self.count, self.faults, self.skip = stream, 0, [], None

    def startTest(self, test):
        super().startTest(test)
        self.faults, self.skip = [], None

    def stopTest(self, test):
        super().stopTest(test)
        self._line(test)

    def _line(self, test):
        self.count += 1
        name = getattr(test, "_testMethodName", str(test))
        skip = "" if self.skip is None or self.faults else f" # SKIP {self.skip}"
        print(f"{'not ok' if self.faults else 'ok'} {self.count} - {name}{skip}", file=self.stream)
        for line in "".join(self.faults).splitlines():
            print(f"# {line}", file=self.stream)
        self.stream.flush()

    def _fault(self, test, error):
        self.faults.append("".join(traceback.format_exception(*error)))
        if not isinstance(test, unittest.TestCase):  # setUpClass: its tests do not even start
            self._line(test)

    def addError(self, test, error):
        super().addError(test, error)
        self._fault(test, error)

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self._fault(test, error)

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error:
            self.faults.append(f"in {subtest}\n" + "".join(traceback.format_exception(*error)))

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.skip = reason


def flatten(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from flatten(test)
        else:
            yield test
