"""How often a server of S3 that says nothing is asked."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

from fusebench.remotes.settings import Remote

# Read by botocore. DVC's config has no key for it.
_VARIABLE = "AWS_MAX_ATTEMPTS"


@contextmanager
def few_attempts(remote: Remote) -> Iterator[None]:
    """Have a server of S3 that says nothing given up after the 5 tries of s3fs.

    In each of them botocore would try 5 times. Where the user has set how often, that stays.
    """
    if not remote.url.startswith("s3://") or _is_set(remote.remotes[remote.name].get("profile")):
        yield
        return
    os.environ[_VARIABLE] = "1"
    try:
        yield
    finally:
        os.environ.pop(_VARIABLE, None)


def _is_set(profile: str | None) -> bool:
    """Tell whether the environment or a profile of ~/.aws says how often botocore tries."""
    if _VARIABLE in os.environ:
        return True
    try:
        errors, sessions = (import_module(f"botocore.{name}") for name in ("exceptions", "session"))
    except ImportError:
        # DVC says which package is lacking.
        return False
    try:
        return sessions.Session(profile=profile).get_config_variable("max_attempts") is not None
    except (errors.BotoCoreError, ValueError):
        # A profile that is not there, or a broken file: what asks the server says so.
        return False
