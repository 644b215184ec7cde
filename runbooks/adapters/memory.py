"""Keeping the memory of a long run low: the C library's own settings, and giving back between batches."""

import ctypes
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

ONE_POOL = {-8: 1}
"""M_ARENA_MAX of glibc's malloc.h. A pool for each thread is of no use where one thread runs at a time."""
LARGE_APART = {-3: 256 * 1024, -1: 128 * 1024}
"""M_MMAP_THRESHOLD, M_TRIM_THRESHOLD: statements of megabytes go back to the system at once and leave no holes."""


@cache
def _libc() -> Any:
    """The C library, where it is glibc; None elsewhere."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        library = ctypes.CDLL("libc.so.6")
    except OSError:
        return None
    return library if hasattr(library, "malloc_trim") and hasattr(library, "mallopt") else None


def keep_memory_low() -> None:
    """Set up this process for a long run: without it, holes between what lives grow the longer it runs."""
    library = _libc()
    if library is not None:
        for option, value in {**ONE_POOL, **LARGE_APART}.items():
            library.mallopt(option, value)


def give_back() -> None:
    """Return freed memory to the system: glibc keeps what was freed below something that lives."""
    library = _libc()
    if library is not None:
        library.malloc_trim(0)


@contextmanager
def short_collections() -> Iterator[None]:
    """Leave what lives already out of the search for cycles: each look at all of it halts every thread for long.

    It is not searched a last time, either, which would take a quarter of a second: hardly any of it is garbage.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
