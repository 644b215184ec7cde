"""Giving memory back to the system between batches."""

import ctypes
import sys
from functools import cache
from typing import Any


@cache
def _libc() -> Any:
    """The C library, where it is glibc; None elsewhere."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        library = ctypes.CDLL("libc.so.6")
    except OSError:
        return None
    return library if hasattr(library, "malloc_trim") else None


def give_back() -> None:
    """Return freed memory to the system.

    glibc keeps what each of Prefect's threads has freed in a pool of that thread: without this a long sweep holds
    several times what its batches need.
    """
    library = _libc()
    if library is not None:
        library.malloc_trim(0)
