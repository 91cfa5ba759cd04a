"""Counts what a conformance suite reported, and fails unless every check passed.

usage: tally.py scim2-tester|scim-sanity|scim2-cli REPORT STATUS

REPORT is what the suite printed and STATUS its exit status. A suite asks only about what a server announces, so
a server that announces less is asked less: fewer passes than FEWEST fail too.
"""

import json
import re
import sys
from importlib.metadata import version

FEWEST = {"scim2-tester": 138, "scim-sanity": 28, "scim2-cli": 6}

# Resource types of an Internet draft, which a server need not have.
MAY_SKIP = {"Agent CRUD Lifecycle", "AgenticApplication CRUD Lifecycle", "Agent Rapid Lifecycle"}

# All of the identifiers extension is read-only (RFC 7643 §7) for a client without a scope of its own: the server fills
# it in from the addresses and numbers. scim2-tester patches it with no attribute at all and expects it back empty, where
# RFC 7644 §3.5.2 has a server answer with the resource as it is.
READ_ONLY = "PATCH modify() returned unexpected value for 'urn:muster:params:scim:schemas:extension:identifiers:2.0:User'."
EXCUSED = {("check_add_attribute", READ_ONLY), ("check_replace_attribute", READ_ONLY)}


def scim2_tester(report):
    """Yields (name, outcome, explanation) from lines like `SUCCESS object_query`, then indented reasons."""
    statuses = "SUCCESS|COMPLIANT|ACCEPTABLE|DEVIATION|ERROR|CRITICAL|SKIPPED"
    for entry in re.split(rf"^(?=(?:{statuses}) \w+$)", report, flags=re.MULTILINE)[1:]:
        head, _, explanation = entry.partition("\n")
        status, name = head.split(" ")
        outcome = "pass" if status == "SUCCESS" else status.lower()
        if (name, explanation.strip().partition("\n")[0]) in EXCUSED:
            outcome = "excused"
        yield name, outcome, explanation.strip()


def scim_sanity(report):
    """Yields (name, outcome, explanation) from the results of a JSON report, which commands.py writes, too."""
    for result in json.loads(report)["results"]:
        outcome, name = result["status"], result["name"]
        if outcome == "skip" and name in MAY_SKIP:
            outcome = "skip allowed"
        yield name, outcome, result.get("message", "")


def main(suite, path, status):
    with open(path, encoding="utf-8") as file:
        report = file.read()
    read = {"scim2-tester": scim2_tester, "scim-sanity": scim_sanity, "scim2-cli": scim_sanity}[suite]
    try:
        results = list(read(report))
    except (ValueError, KeyError, TypeError):
        results = []

    passed = [result for result in results if result[1] == "pass"]
    failed = [result for result in results if result[1] not in ("pass", "skip allowed", "excused")]
    excused = any(result[1] == "excused" for result in results)
    for name, outcome, explanation in failed:
        print(f"{outcome} {name}: {explanation}")
    if not results:
        print(report)
    if not failed and len(passed) < FEWEST[suite]:
        print(f"only {len(passed)} checks passed; there were {FEWEST[suite]} before")
    ended_well = status == "0" or excused
    if not failed and not ended_well:
        print(f"the suite ended with status {status}")
    print(f"suite {suite} {version(suite)}: {len(passed)} passed, {len(failed)} failed", flush=True)
    return 1 if failed or len(passed) < FEWEST[suite] or not ended_well else 0


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
