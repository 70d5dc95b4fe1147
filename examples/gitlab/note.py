#!/usr/bin/env python3
"""Writes a plan as a note on the merge request, in place of the one it wrote last time.

    ess-callbacks plan --no-secrets --format markdown > plan.md
    NOTE_TOKEN=... note.py plan.md

NOTE_TOKEN is a project access token with the scope `api` and the role Reporter: the job's own token may
not write notes. A pipeline in a fork has no such variable; the script then reports that, and the plan is in
the job's artifacts. Needs Python 3.8 and nothing else.
"""

import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request

MARK = "<!-- ess-callbacks plan "
LONGEST = 65536


class Refused(Exception):
    """A request to GitLab that failed."""


class Notes:
    """The notes of one merge request."""

    def __init__(self, env):
        project = urllib.parse.quote(env["CI_MERGE_REQUEST_PROJECT_ID"], safe="")
        self.api = env["CI_API_V4_URL"].rstrip("/")
        self.path = "/projects/%s/merge_requests/%d/notes" % (project, int(env["CI_MERGE_REQUEST_IID"]))
        self.token = env["NOTE_TOKEN"]

    def ask(self, method, path, body=None):
        request = urllib.request.Request(
            self.api + path,
            None if body is None else json.dumps(body).encode(),
            {"PRIVATE-TOKEN": self.token, "Content-Type": "application/json"},
            method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer), answer.headers
        except urllib.error.HTTPError as error:
            raise Refused("%s %s: %s" % (method, path, error.code)) from error
        except (urllib.error.URLError, OSError, ValueError) as error:
            raise Refused("%s %s: %s" % (method, path, getattr(error, "reason", error))) from error

    def mine(self, mark):
        """The note that this token's user wrote with this mark. Others may write the mark as well."""
        me = self.ask("GET", "/user")[0]["id"]
        page = "1"
        while page:
            notes, headers = self.ask("GET", "%s?per_page=100&page=%s" % (self.path, page))
            for note in notes:
                if note["author"]["id"] == me and note["body"].split("\n")[0].strip() == mark:
                    return note
            page = headers.get("X-Next-Page")
        return None

    def put(self, text):
        note = self.mine(text.split("\n")[0])
        if note is None:
            self.ask("POST", self.path, {"body": text})
            return "wrote the note"
        if note["body"].strip() == text.strip():
            return "the note is unchanged"
        self.ask("PUT", "%s/%d" % (self.path, note["id"]), {"body": text})
        return "updated the note"


def main(arguments, env):
    if len(arguments) != 1:
        return "usage: note.py PLAN.md"
    with open(arguments[0], encoding="utf-8") as plan:
        text = plan.read()
    first = text.split("\n")[0]
    if not (first.startswith(MARK) and first.endswith(" -->")) or len(text) > LONGEST:
        return "'%s' is not a Markdown plan" % arguments[0]
    missing = [name for name in ("NOTE_TOKEN", "CI_API_V4_URL", "CI_MERGE_REQUEST_PROJECT_ID", "CI_MERGE_REQUEST_IID")
               if not env.get(name)]
    if missing:
        print("no note: %s is not set; the plan is among the job's artifacts" % missing[0])
        return None
    try:
        print(Notes(env).put(text))
    except Refused as error:
        return "the note was not written: %s" % error
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
