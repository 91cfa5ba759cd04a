"""Works on a server with the commands of scim2-cli, as a person at a terminal does, and says what became of each.

usage: commands.py SCIM2 BASE

Prints {"results": [{"name", "status", "message"}]}; the token is in SCIM_CLI_HEADERS.
"""

import json
import subprocess
import sys

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"


class Refused(Exception):
    """A command ended otherwise than it should."""


class Terminal:
    """Where the commands are typed."""

    def __init__(self, scim2, base):
        self.command = [scim2, "--url", base]

    def run(self, *arguments, stdin=None, status=0):
        """What a command printed, as JSON; None if nothing. `stdin` is sent as JSON, `status` is how it must end."""
        text = "" if stdin is None else json.dumps(stdin)
        done = subprocess.run([*self.command, *arguments], input=text, capture_output=True, text=True, check=False)
        if done.returncode != status:
            raise Refused(f"{' '.join(arguments)}: {done.stdout} {done.stderr}")
        return json.loads(done.stdout) if done.stdout.strip() else None


def names(page):
    """The names of the users and groups of a page."""
    return [found.get("userName") or found["displayName"] for found in page["Resources"]]


def bulk(terminal):
    """A group that is made before its member, in one request."""
    user = {"schemas": [USER], "userName": "ann", "title": "T"}
    group = {"schemas": [GROUP], "displayName": "Staff", "members": [{"value": "bulkId:ann", "type": "User"}]}
    operations = [
        {"method": "POST", "path": "/Groups", "bulkId": "staff", "data": group},
        {"method": "POST", "path": "/Users", "bulkId": "ann", "data": user},
        {"method": "POST", "path": "/Users", "bulkId": "bob", "data": {"schemas": [USER], "userName": "bob"}},
    ]
    answer = terminal.run("bulk", stdin={"schemas": [BULK], "failOnErrors": 1, "Operations": operations})
    assert [entry["status"] for entry in answer["Operations"]] == ["201"] * 3, answer
    members = terminal.run("query", "group", "--filter", 'displayName eq "staff"')["Resources"][0]["members"]
    assert members[0]["value"] == answer["Operations"][1]["location"].rsplit("/", 1)[1], members


def bulk_that_fails(terminal):
    """What is wrong with one operation is said of that one."""
    taken = {"method": "POST", "path": "/Users", "bulkId": "1", "data": {"schemas": [USER], "userName": "ANN"}}
    answer = terminal.run("bulk", stdin={"schemas": [BULK], "Operations": [taken]}, status=1)
    entry = answer["Operations"][0]
    assert (entry["status"], entry["response"]["scimType"]) == ("409", "uniqueness"), answer


def search(terminal):
    """By flags, on users."""
    page = terminal.run("search", "user", "--filter", 'userName sw "a"', "--attribute", "title", "--count", "1")
    assert (page["totalResults"], page["Resources"][0]["title"]) == (1, "T"), page
    assert "userName" not in page["Resources"][0], page


def search_everywhere(terminal):
    """By what comes on stdin, which is sent without `schemas`, on all types."""
    query = {"filter": 'displayName eq "staff" or userName sw "b"', "sortBy": "id", "count": 10}
    assert sorted(names(terminal.run("search", stdin=query))) == ["Staff", "bob"]


def query_pages(terminal):
    """In an order, the second page."""
    page = terminal.run("query", "user", "--sort-by", "userName", "--start-index", "2", "--count", "1")
    assert (page["totalResults"], names(page)) == (2, ["bob"]), page


def one_user(terminal):
    """Made, read, changed and deleted."""
    made = terminal.run("create", "user", "--user-name", "cid")
    assert terminal.run("query", "user", made["id"]) == made
    terminal.run("modify", "user", made["id"], "replace", "title", "Boss")
    assert terminal.run("query", "user", made["id"])["title"] == "Boss"
    terminal.run("delete", "user", made["id"])
    page = terminal.run("query", "user", "--filter", 'userName eq "cid"')
    assert page["totalResults"] == 0, page


def main(scim2, base):
    """Runs all, each on what those before it left."""
    terminal = Terminal(scim2, base)
    results = []
    for check in (bulk, bulk_that_fails, search, search_everywhere, query_pages, one_user):
        try:
            check(terminal)
            results.append({"name": check.__name__, "status": "pass", "message": ""})
        except (Refused, AssertionError, KeyError, IndexError, ValueError) as error:
            results.append({"name": check.__name__, "status": "fail", "message": repr(error)})
    print(json.dumps({"results": results}))


if __name__ == "__main__":
    main(*sys.argv[1:])
