"""The end of a stream, kept while it passes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from swarmkeeper.ports import LogTail


def last_bytes(pieces: Iterable[bytes], most_bytes: int) -> LogTail:
    """The last `most_bytes` of the pieces, from the beginning of a line on; memory stays bounded by that."""
    kept: deque[bytes] = deque()
    size, is_cut = 0, False
    for piece in pieces:
        kept.append(piece)
        size += len(piece)
        while size - len(kept[0]) >= most_bytes:
            size -= len(kept.popleft())
            is_cut = True
    text = b"".join(kept)
    if len(text) <= most_bytes and not is_cut:
        return LogTail(text)
    rest = text[-most_bytes:]
    return LogTail(rest.partition(b"\n")[2] or rest, is_cut=True)
