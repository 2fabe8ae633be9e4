"""The workflows of both hosts, as data."""

from collections.abc import Iterator
from typing import Any

from tests.project import ROOT

from fusebench import yaml12

GITHUB, GITLAB = ROOT / ".github/workflows/checks.yml", ROOT / ".gitlab-ci.yml"
# What of GitLab's file is no job.
_GLOBAL = {"workflow", "variables", "default", "stages"}


def read(path: Any) -> dict[str, Any]:
    """Return a workflow."""
    content: dict[str, Any] = yaml12.load(path.read_text("utf-8"))
    return content


def step(workflow: dict[str, Any], job: str, name: str) -> dict[str, Any]:
    """Return the step of a job by its name."""
    (found,) = (of for of in workflow["jobs"][job]["steps"] if of.get("name") == name)
    return dict(found)


def github_commands() -> Iterator[tuple[str, str]]:
    """Yield each job's name with each of its commands."""
    for name, job in read(GITHUB)["jobs"].items():
        yield from ((name, of["run"]) for of in job["steps"] if "run" in of)


def gitlab_commands() -> Iterator[tuple[str, str]]:
    """Yield each job's name with each of its commands."""
    for name, job in read(GITLAB).items():
        if name not in _GLOBAL:
            yield from ((name, command) for command in job["script"])
