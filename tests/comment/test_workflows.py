"""The workflows of GitHub and GitLab, as far as they can be checked without a host."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests.comment.workflows import GITHUB, GITLAB, github_commands, gitlab_commands, read, step
from tests.project import ROOT

from fusebench.comment.sections import MARKER

COMMANDS = [*github_commands(), *gitlab_commands()]
# What whoever opens a pull request may write as they like.
UNTRUSTED = re.compile(r"title|body|head\.ref|head_ref|label|message|author|name|email")
COMMENT = f"{MARKER}\n\nWhat it says: \"quoted\", 'too', $HOME and `x`.\n"


def _check(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", *arguments], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


def test_githubs_workflow_fits_its_schema_and_each_job_ends_by_itself() -> None:
    _check("--builtin-schema", "vendor.github-workflows", str(GITHUB))
    _check("--builtin-schema", "custom.github-workflows-require-timeout", str(GITHUB))


def test_gitlabs_fits_its_schema() -> None:
    schema = ["--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci"]
    _check(*schema, str(GITLAB))


@pytest.mark.parametrize("command", [command for _, command in COMMANDS])
def test_no_expression_stands_in_a_command(command: str) -> None:
    assert "${{" not in command


def test_no_expression_anywhere_reads_what_a_stranger_writes() -> None:
    expressions = re.findall(r"\$\{\{(.*?)\}\}", GITHUB.read_text("utf-8"), re.DOTALL)
    assert len(expressions) > 5
    for expression in expressions:
        # Names of what there is, not what is in it.
        words = expression.replace("event_name", "").replace("full_name", "")
        assert not UNTRUSTED.search(words), expression


@pytest.mark.parametrize(("job", "command"), COMMANDS)
def test_what_a_command_names_is_there(job: str, command: str) -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in re.findall(r"\bmake ([a-z-]+)", command):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), (job, target)
    for path in re.findall(r"(?:^|\s)((?:\.ci|src)/\S+)", command):
        assert (ROOT / path).is_file(), (job, path)
    if command.startswith(".ci/"):
        assert os.access(ROOT / command.split()[0], os.X_OK)


def test_both_hosts_run_the_same_checks_and_the_same_comment() -> None:
    for commands in (dict_of(github_commands()), dict_of(gitlab_commands())):
        checks = " ".join(commands["checks"])
        for target in ("setup-dev", "check", "current", "test-quick", "test"):
            assert re.search(rf"make {target}\b", checks)
        assert sum(line.startswith(".ci/comment ") for line in commands["results"]) == 1
    run = (ROOT / ".ci/run").read_text("utf-8")
    assert set(re.findall(r"^make (\w+)$", run, re.MULTILINE)) == {"check", "current", "test"}


def dict_of(commands: Iterator[tuple[str, str]]) -> dict[str, list[str]]:
    """Return the commands by their job."""
    jobs: dict[str, list[str]] = {}
    for job, command in commands:
        jobs.setdefault(job, []).append(command)
    return jobs


def test_githubs_workflow_may_do_no_more_than_it_needs() -> None:
    workflow = read(GITHUB)
    assert workflow["permissions"] == {"contents": "read"}
    assert {*workflow["on"]} == {"pull_request", "push", "workflow_dispatch"}
    jobs = workflow["jobs"]
    writing = [name for name, job in jobs.items() if "permissions" in job]
    assert writing == ["comment"]
    assert jobs["comment"]["permissions"] == {"pull-requests": "write"}
    # What may write runs no code of the pull request, and is not run for a fork's.
    assert not any("checkout" in of.get("uses", "") for of in jobs["comment"]["steps"])
    assert "head.repo.full_name == github.repository" in jobs["comment"]["if"]
    for job in jobs.values():
        for of in job["steps"]:
            if "uses" in of:
                assert re.fullmatch(r"(actions|astral-sh)/[a-z-]+@v\d+", of["uses"])
            if "checkout" in of.get("uses", ""):
                assert of["with"]["persist-credentials"] is False
                assert of["with"]["fetch-depth"] == 0
    secrets = [name for name, job in jobs.items() if "secrets." in json.dumps(job)]
    assert secrets == ["results"]


def test_gitlabs_token_is_optional_and_for_one_job() -> None:
    jobs = {name: json.dumps(job) for name, job in read(GITLAB).items()}
    assert [name for name, job in jobs.items() if "FUSEBENCH_TOKEN" in job] == ["note"]
    (rule,) = read(GITLAB)["note"]["rules"]
    conditions = rule["if"].split(" && ")
    assert "$FUSEBENCH_TOKEN" in conditions
    # Code of a fork's request may have written what is to be put.
    same = "$CI_MERGE_REQUEST_SOURCE_PROJECT_ID == $CI_MERGE_REQUEST_PROJECT_ID"
    assert same in conditions


def test_a_later_push_ends_no_suite_of_main() -> None:
    of_request, of_main = read(GITLAB)["checks"]["rules"]
    assert read(GITLAB)["default"]["interruptible"] is True
    assert "interruptible" not in of_request
    assert of_main == {
        "if": "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH", "interruptible": False,
    }  # fmt: skip
    assert "event_name == 'pull_request'" in read(GITHUB)["concurrency"]["cancel-in-progress"]


def test_a_relative_remote_of_this_folder_is_the_same_from_a_worktree(tmp_path: Path) -> None:
    script = (ROOT / ".ci/comment").read_text("utf-8")
    (function,) = re.findall(r"^from_here\(\) .*?^\}$", script, re.MULTILINE | re.DOTALL)
    root = tmp_path / "a & b"
    (root / ".dvc").mkdir(parents=True)
    lines = "['remote \"{}\"']\n    url = {}\n"
    others = lines.format("b", "s3://bucket/../a") + lines.format("c", "/srv/a")
    (root / ".dvc/config.local").write_text(lines.format("a", "../../shelf") + others, "utf-8")
    done = subprocess.run(
        ["bash", "-ec", f"{function}\nfrom_here .dvc/config.local"],
        cwd=root, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == lines.format("a", f"{root}/.dvc/../../shelf") + others


def test_the_script_of_both_hosts_has_nothing_that_the_bash_of_macos_lacks() -> None:
    script = (ROOT / ".ci/comment").read_text("utf-8")
    commands = "\n".join(line for line in script.splitlines() if not line.startswith("#"))
    # Of bash 4 and later; 3.2 ends at each of them.
    newer = re.compile(
        r"\b(mapfile|readarray|coproc|globstar|lastpipe)\b|\b(declare|local) -[a-zA-Z]*[Ang]"
        r"|\$\{[^}]*(@[A-Za-z]\}|\^|,,?\})|&>>|\|&|;;?&|\{\w+\}[<>]|wait -n"
    )
    assert not newer.search(commands)
    # There an empty array is an error: `small` never is, and how many `added` has is asked first.
    arrays = {*re.findall(r'"\$\{(\w+)\[@\]', commands)}
    assert arrays == {"small", "added"}
    assert '"${@' not in commands


# --- Until there is a comment ---


def _stands_for(text: str, commit: str) -> None:
    """See that a text stands for the comment of a commit."""
    assert text.startswith(f"{MARKER}\n\nNo comment could be made of {commit};")
    assert len(text.splitlines()) == 3


def test_on_github_no_comment_of_the_push_before_stays(tmp_path: Path) -> None:
    jobs = read(GITHUB)["jobs"]
    first, *_, last = jobs["results"]["steps"]
    given = {"FOLDER": str(tmp_path / "comment"), "OF": "1f2e"}
    assert {*first["env"]} == {*given}
    subprocess.run(["bash", "-ec", first["run"]], cwd=tmp_path, env=os.environ | given, check=True)
    _stands_for((tmp_path / "comment/comment.md").read_text("utf-8"), "1f2e")
    # It is where the comment is written, and is put whatever becomes of the job.
    where = step(read(GITHUB), "results", "small run and comment")["env"]["FOLDER"]
    assert first["env"]["FOLDER"] == where == last["with"]["path"]
    assert first["env"]["OF"] == jobs["results"]["steps"][1]["with"]["ref"]
    assert last["if"] == "always()"
    assert "needs.results.result != 'skipped'" in jobs["comment"]["if"]


@pytest.mark.parametrize("finishes", [True, False])
@pytest.mark.parametrize("merged", [True, False])
def test_gitlabs_comment_is_of_the_change_as_it_was_pushed(
    merged: bool, finishes: bool, tmp_path: Path
) -> None:
    def git(*arguments: str) -> str:
        return _at(tmp_path, "git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments)

    # A make that does nothing, and a script that says what it finds.
    written = 'printf "%s %s %s" "$1" "$PICTURES" "$(git rev-parse HEAD)" > "$2/comment.md"'
    (tmp_path / "bin").mkdir()
    (tmp_path / ".ci").mkdir()
    for name, commands in (("bin/make", ""), (".ci/comment", written if finishes else "exit 1")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{commands}\n", "utf-8")
        (tmp_path / name).chmod(0o755)
    git("init", "--quiet", "--initial-branch=main")
    git("add", "--all")
    git("commit", "--quiet", "--message", "main")
    git("commit", "--quiet", "--message", "pushed", "--allow-empty")
    pushed, main = git("rev-parse", "HEAD").strip(), git("rev-parse", "HEAD~1").strip()
    git("checkout", "--quiet", "--detach", main)
    git("merge", "--quiet", "--no-ff", "--message", "merged", pushed)
    head = git("rev-parse", "HEAD").strip() if merged else pushed
    # GitLab sets the branch's commit only where the other is a merge of it.
    given = {
        "CI_COMMIT_SHA": head, "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA": pushed if merged else "",
        "CI_MERGE_REQUEST_DIFF_BASE_SHA": main, "CI_PROJECT_URL": "https://host/project",
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
    }  # fmt: skip
    commands = "\n".join(dict_of(gitlab_commands())["results"])
    done = subprocess.run(["bash", "-ec", commands], cwd=tmp_path, env=os.environ | given)
    assert (done.returncode == 0) is finishes
    (kept,) = read(GITLAB)["results"]["artifacts"]["paths"]
    said = (tmp_path / kept / "comment.md").read_text("utf-8")
    if finishes:
        assert said == f"{main} https://host/project/-/raw/{pushed}/plots {pushed}"
    else:
        _stands_for(said, pushed)
    assert read(GITLAB)["results"]["artifacts"]["when"] == "always"


def _at(root: Path, *command: str) -> str:
    return subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout


def test_gitlab_keeps_no_wheels_of_the_index() -> None:
    jobs = read(GITLAB)
    (prune,) = jobs["default"]["after_script"]
    words = prune.removeprefix(".venv/bin/").split()
    uv = Path(sys.executable).with_name(words[0])
    help_of = subprocess.run(
        [str(uv), *words[1:-1], "--help"], capture_output=True, text=True, check=True
    )
    assert words[-1] in help_of.stdout
    # What sets nothing up has none.
    assert jobs["note"]["after_script"] == []


# --- GitHub's comment, with a gh that gives what it is told and writes down what it is asked ---

GH = """#!/usr/bin/env python3
import json, os, pathlib, sys
log = pathlib.Path(os.environ["LOG"])
asked = [*json.loads(log.read_text()), sys.argv[1:]] if log.exists() else [sys.argv[1:]]
log.write_text(json.dumps(asked))
if sys.argv[1:4] == ["api", "--paginate", "--slurp"]:
    print(os.environ["THERE"])
"""


def _put_on_github(root: Path, *pages: list[dict[str, Any]]) -> list[list[str]]:
    """Run the workflow's command where `gh` finds pages of comments; return what it was asked."""
    (root / "bin").mkdir()
    (root / "bin/gh").write_text(GH, "utf-8")
    (root / "bin/gh").chmod(0o755)
    (root / "comment").mkdir()
    (root / "comment/comment.md").write_text(COMMENT, "utf-8")
    of = step(read(GITHUB), "comment", "put the comment in place of the last one")
    given = {
        "PATH": f"{root / 'bin'}:{os.environ['PATH']}", "GITHUB_REPOSITORY": "somebody/project",
        "NUMBER": "7", "LOG": str(root / "log.json"), "THERE": json.dumps(pages),
        "LAST": of["env"]["LAST"],
    }  # fmt: skip
    # As GitHub runs what says `shell: bash`.
    shell = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", of["run"]]
    subprocess.run(shell, cwd=root, env=os.environ | given, check=True)
    asked: list[list[str]] = json.loads((root / "log.json").read_text("utf-8"))
    return asked


def _by(login: str | None, number: int, body: str | None) -> dict[str, Any]:
    return {"id": number, "user": login and {"login": login}, "body": body}


ROBOT = "github-actions[bot]"
OTHERS = [
    _by("somebody", 1, COMMENT), _by(ROBOT, 2, f"Not at its beginning: {MARKER}"),
    _by(None, 3, COMMENT), _by(ROBOT, 4, None),
]  # fmt: skip


@pytest.mark.parametrize("pages", [[[]], [OTHERS], [OTHERS, []]])
def test_the_first_comment_is_made(pages: list[list[dict[str, Any]]], tmp_path: Path) -> None:
    looked, put = _put_on_github(tmp_path, *pages)
    assert looked == ["api", "--paginate", "--slurp", "repos/somebody/project/issues/7/comments"]
    assert put == [
        "api", "--silent", "--method", "POST", "repos/somebody/project/issues/7/comments",
        "--field", "body=@comment/comment.md",
    ]  # fmt: skip


def test_the_next_comment_takes_the_place_of_the_last(tmp_path: Path) -> None:
    first, second = ([_by(ROBOT, number, f"{MARKER}\nof before")] for number in (11, 12))
    _, put = _put_on_github(tmp_path, [*OTHERS, *first], [*second, *OTHERS])
    assert put[3:5] == ["PATCH", "repos/somebody/project/issues/comments/12"]


# --- GitLab's, against a server that answers as GitLab does ---


class GitLab(HTTPServer):
    """The notes of one merge request, two on a page."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.notes: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.elsewhere = ""
        self.text: bytes | None = None


class Answer(BaseHTTPRequestHandler):
    """What GitLab answers."""

    server: GitLab

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        if path.endswith("/user"):
            self._answer({"id": 5})
            return
        page = int(re.findall(r"\bpage=(\d+)", query)[0])
        shown = self.server.notes[2 * page - 2 : 2 * page]
        more = str(page + 1) if len(self.server.notes) > 2 * page else ""
        self._answer(shown, more)

    def do_POST(self) -> None:
        self.server.notes.append({"id": 90, "author": {"id": 5}, "body": self._body()})
        self._answer(self.server.notes[-1])

    def do_PUT(self) -> None:
        number = int(self.path.rpartition("/")[2])
        (note,) = (each for each in self.server.notes if each["id"] == number)
        note["body"] = self._body()
        self._answer(note)

    def _body(self) -> str:
        length = int(self.headers["Content-Length"])
        return str(json.loads(self.rfile.read(length))["body"])

    def _answer(self, content: Any, more: str = "") -> None:
        self.server.asked.append(f"{self.command} {self.path.partition('?')[0]}")
        if self.server.elsewhere:
            self.send_response(302)
            self.send_header("Location", self.server.elsewhere)
            self.end_headers()
            return
        allowed = self.headers["PRIVATE-TOKEN"] == "a-token"
        self.send_response(200 if allowed else 401)
        self.send_header("X-Next-Page", more)
        self.end_headers()
        text = json.dumps(content if allowed else {"message": "no"}).encode()
        self.wfile.write(text if self.server.text is None else self.server.text)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def gitlab() -> Iterator[GitLab]:
    """A server on this machine, which ends with the test."""
    with GitLab() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def _put_on_gitlab(
    root: Path, server: GitLab, **other: str
) -> subprocess.CompletedProcess[str]:  # fmt: skip
    (root / ".work/comment").mkdir(parents=True, exist_ok=True)
    (root / ".work/comment/comment.md").write_text(COMMENT, "utf-8")
    (command,) = read(GITLAB)["note"]["script"]
    given = {
        "CI_API_V4_URL": f"http://127.0.0.1:{server.server_port}/api/v4", "CI_PROJECT_ID": "3",
        "CI_MERGE_REQUEST_IID": "7", "FUSEBENCH_TOKEN": "a-token",
    }  # fmt: skip
    arguments = command.replace("python .ci", f"{sys.executable} {ROOT}/.ci").split()
    # A proxy of this machine is not to be asked for itself.
    environment = os.environ | given | {"no_proxy": "127.0.0.1"} | other
    return subprocess.run(arguments, cwd=root, env=environment, capture_output=True, text=True)


NOTES = "/api/v4/projects/3/merge_requests/7/notes"


def test_a_note_is_made_and_then_replaced(gitlab: GitLab, tmp_path: Path) -> None:
    # One of somebody else, who quotes it, and one of its own that is another.
    gitlab.notes = [
        {"id": 1, "author": {"id": 4}, "body": COMMENT},
        {"id": 2, "author": {"id": 5}, "body": f"Not at its beginning: {MARKER}"},
        {"id": 3, "author": {"id": 4}, "body": "Fine."},
    ]
    done = _put_on_gitlab(tmp_path, gitlab)
    assert (done.returncode, done.stdout) == (0, "comment 90 was made\n")
    assert gitlab.notes[-1]["body"] == COMMENT
    assert gitlab.asked == ["GET /api/v4/user", f"GET {NOTES}", f"GET {NOTES}", f"POST {NOTES}"]
    gitlab.notes[-1]["body"] = f"{MARKER}\nof before"
    done = _put_on_gitlab(tmp_path, gitlab)
    assert (done.returncode, done.stdout) == (0, "comment 90 was replaced\n")
    assert [note["body"] for note in gitlab.notes].count(COMMENT) == 2
    assert len(gitlab.notes) == 4


def test_a_token_that_gitlab_refuses_is_one_line_without_it(gitlab: GitLab, tmp_path: Path) -> None:
    done = _put_on_gitlab(tmp_path, gitlab, FUSEBENCH_TOKEN="a-wrong-one")  # noqa: S106
    assert done.returncode == 1
    assert done.stderr.startswith("error: 3, merge request 7: HTTP Error 401")
    assert len(done.stderr.splitlines()) == 1
    assert "a-wrong-one" not in done.stderr
    assert gitlab.notes == []


@pytest.mark.parametrize("address", ["file:///etc", "http://gitlab.example.org/api/v4"])
def test_an_address_that_is_none_or_shows_the_token_is_one_line(
    address: str, gitlab: GitLab, tmp_path: Path
) -> None:
    done = _put_on_gitlab(tmp_path, gitlab, CI_API_V4_URL=address)
    assert done.stderr == "error: CI_API_V4_URL: must begin with https://\n"
    assert done.returncode == 1


def test_the_token_goes_to_no_other_host(gitlab: GitLab, tmp_path: Path) -> None:
    # The same server by another name: it would answer.
    gitlab.elsewhere = f"http://localhost:{gitlab.server_port}/elsewhere"
    done = _put_on_gitlab(tmp_path, gitlab, no_proxy="127.0.0.1,localhost")
    assert done.stderr.startswith("error: 3, merge request 7: HTTP Error 302")
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert gitlab.asked == ["GET /api/v4/user"]


@pytest.mark.parametrize("text", [b"<html>", b"[]", b"null", b"\xff"])
def test_an_answer_that_is_not_gitlabs_is_one_line(
    text: bytes, gitlab: GitLab, tmp_path: Path
) -> None:
    gitlab.text = text
    done = _put_on_gitlab(tmp_path, gitlab)
    assert done.stderr == (
        f"error: 3, merge request 7: http://127.0.0.1:{gitlab.server_port}/api/v4 answers what "
        "GitLab's API does not\n"
    )
    assert done.returncode == 1


def test_a_comment_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    given = {"CI_API_V4_URL": "", "CI_PROJECT_ID": "", "CI_MERGE_REQUEST_IID": ""}
    done = subprocess.run(
        [sys.executable, str(ROOT / ".ci/note.py"), "none.md"],
        cwd=tmp_path, env=os.environ | given, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stderr == "error: none.md: No such file or directory\n"
    assert done.returncode == 1
