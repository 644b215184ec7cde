"""Reading the prompt templates from the package `prompts`."""

from importlib.resources import files

from runbooks.core.prompts import GAPS, Prompts, prompts_from
from runbooks.errors import CatalogueError


def load_prompts() -> Prompts:
    """Read and check the templates of the LLM writer."""
    folder = files("prompts") / "llm"
    try:
        return prompts_from({name: (folder / f"{name}.md").read_text(encoding="utf-8") for name in GAPS})
    except (OSError, ValueError) as error:
        raise CatalogueError(f"prompts/llm: {error}") from error
