"""Counts what a client's checks come to, and says it as the suites do."""

import os
import sys
import traceback

BASE = os.environ["MUSTER_BASE"]
TOKEN = os.environ["MUSTER_TOKEN"]


class Checks:
    """Runs each check where it is defined."""

    def __init__(self, name):
        self.name, self.passed, self.failed = name, 0, 0

    def __call__(self, sentence):
        def run(body):
            try:
                body()
                self.passed += 1
            except Exception:
                self.failed += 1
                print(f"{self.name}: {sentence}", file=sys.stderr)
                traceback.print_exc()

        return run

    def end(self):
        print(f"suite {self.name}: {self.passed} passed, {self.failed} failed")
        sys.exit(1 if self.failed or not self.passed else 0)
