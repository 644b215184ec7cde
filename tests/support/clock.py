"""A clock that can be set, for the processes that are started with its variables."""

import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("set_clock.c")


class Clock:
    """So many seconds off the real one; monotonic clocks go on, as they do when a machine's clock is set."""

    def __init__(self, folder: Path, compiler: str) -> None:
        self._file = folder / "offset"
        self.set(0)
        library = folder / "set_clock.so"
        command = [compiler, "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library, SOURCE, "-ldl"]
        subprocess.run(command, check=True)
        self.env = {"LD_PRELOAD": str(library), "SET_CLOCK": str(self._file)}

    def set(self, seconds: int) -> None:
        """Set it, for all processes at once."""
        with self._file.open("r+b" if self._file.exists() else "wb") as file:
            file.write(seconds.to_bytes(8, "little", signed=True))


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    """A clock at the real time."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler, for a library that sets the clock of single processes")
    folder = tmp_path / "clock"
    folder.mkdir()
    return Clock(folder, compiler)
