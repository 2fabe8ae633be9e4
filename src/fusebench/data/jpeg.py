"""What Pillow does not check of a JPEG: that it goes to its end.

Format: ITU-T T.81, annex B. A JPEG has no checksum: a turned bit may give other pixels, unnoticed.
"""

import re

from fusebench.data.unpack import BadMemberError

JPEG_START = b"\xff\xd8\xff"
# In the pixels a zero follows each 255 that is none.
_MARKER = re.compile(rb"\xff([^\x00\xff])")
_END = 0xD9
# Markers that nothing belongs to: start, restarts, and one that is no longer used.
_BARE = (0x01, 0xD8, *range(0xD0, 0xD8))


def check_jpeg(content: bytes) -> None:
    """Refuse a JPEG without an end, whose last rows Pillow may make up.

    What follows its end is passed over: many cameras put something there.

    Raises
    ------
    BadMemberError
        It was cut off.
    """
    place = 0
    while marker := _MARKER.search(content, place):
        place, kind = marker.end(), marker[1][0]
        if kind == _END:
            return
        if kind not in _BARE:
            # The pictures in its notes have ends, too.
            place += int.from_bytes(content[place : place + 2], "big")
    raise BadMemberError("broken image (cut off before its end)")
