"""Passwords in addresses, which no line and no log may hold."""

import re

# To the last "@" of a word: a password may hold one, or a slash.
_BEFORE_HOST = re.compile(r"(?<=://)\S*@")


def without_passwords(text: str) -> str:
    """Return a text whose addresses are without what stands before their hosts."""
    return _BEFORE_HOST.sub("", text)
