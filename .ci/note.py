"""Put a comment on a merge request of GitLab, or a new one in its place: python .ci/note.py FILE

Its first line is how the earlier one is found, among those of the token's owner. From GitLab's CI:
CI_API_V4_URL, CI_PROJECT_ID, CI_MERGE_REQUEST_IID; FUSEBENCH_TOKEN is a project's access token with
the scope api. It needs nothing but Python.
"""

import json
import os
import sys
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.request import HTTPRedirectHandler, Request, build_opener

# The second is this machine itself, where no other sees the token.
_ALLOWED = ("https://", "http://127.0.0.1:")


class _NoRedirect(HTTPRedirectHandler):
    """Goes nowhere else: the token would go along, also to another host."""

    def redirect_request(self, *_: Any) -> None:
        """Make an error of it."""


def main() -> None:
    """Read the file and the environment; put the comment."""
    try:
        body = Path(sys.argv[1]).read_text("utf-8")
        api = os.environ["CI_API_V4_URL"]
        project, number = os.environ["CI_PROJECT_ID"], os.environ["CI_MERGE_REQUEST_IID"]
        token = os.environ["FUSEBENCH_TOKEN"]
    except IndexError:
        sys.exit("error: python .ci/note.py FILE: must name a file")
    except (OSError, UnicodeDecodeError) as error:
        sys.exit(f"error: {sys.argv[1]}: {getattr(error, 'strerror', None) or 'is not UTF-8'}")
    except KeyError as error:
        sys.exit(f"error: {error.args[0]}: not set; GitLab's CI sets it, but for the token")
    if not api.startswith(_ALLOWED):
        sys.exit("error: CI_API_V4_URL: must begin with https://")
    of = f"{project}, merge request {number}"
    try:
        print(put(f"{api}/projects/{project}/merge_requests/{number}/notes", token, body))
    except (OSError, HTTPException) as error:
        sys.exit(f"error: {of}: {error}; is the token's scope api?")
    except (ValueError, LookupError, TypeError):
        sys.exit(f"error: {of}: {api} answers what GitLab's API does not")


def put(notes: str, token: str, body: str) -> str:
    """Write the comment; return what was done.

    Parameters
    ----------
    notes : str
        Address of the merge request's notes.
    """
    owner = _asked(f"{notes.partition('/projects/')[0]}/user", token)[0]["id"]
    mark, page = body.partition("\n")[0], "1"
    while page:
        found, page = _asked(f"{notes}?per_page=100&page={page}", token)
        for note in found:
            if note["author"]["id"] == owner and note["body"].startswith(mark):
                _asked(f"{notes}/{note['id']}", token, "PUT", body)
                return f"comment {note['id']} was replaced"
    made, _ = _asked(notes, token, "POST", body)
    return f"comment {made['id']} was made"


def _asked(url: str, token: str, method: str = "GET", body: str = "") -> tuple[Any, str]:
    """Return what GitLab answers, and the number of the next page or ""."""
    content = json.dumps({"body": body}).encode() if body else None
    headers = {"PRIVATE-TOKEN": token, "Content-Type": "application/json"}
    request = Request(url, content, headers, method=method)  # noqa: S310
    with build_opener(_NoRedirect).open(request, timeout=60) as answer:
        return json.load(answer), answer.headers.get("X-Next-Page") or ""


if __name__ == "__main__":
    main()
