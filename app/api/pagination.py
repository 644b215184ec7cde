"""Lists in pages, as the platform's own API has them."""

from collections.abc import Sequence
from typing import Any

from fastapi import Request, Response
from pydantic import BaseModel, Field

from app.api.answers import json_answer

DEFAULT_PER_PAGE = 20
MOST_PER_PAGE = 100
LAST_PAGE = 1_000_000_000


class Page(BaseModel):
    """Which page is asked for."""

    page: int = Field(1, ge=1, le=LAST_PAGE)
    per_page: int = Field(DEFAULT_PER_PAGE, ge=1, le=MOST_PER_PAGE)

    @property
    def offset(self) -> int:
        """How many rows come before it."""
        return (self.page - 1) * self.per_page


class Links(BaseModel):
    """Addresses of pages; null where there is none."""

    first: str
    last: str
    prev: str | None
    next: str | None


class Meta(BaseModel):
    """Where in the list this page is."""

    current_page: int
    from_: int | None = Field(alias="from")
    last_page: int
    path: str
    per_page: int
    to: int | None
    total: int


def page_answer(request: Request, page: Page, *, total: int, rows: Sequence[str]) -> Response:
    """Answer one page of rows that are JSON already."""
    last = max(1, -(-total // page.per_page))
    path = str(request.url.replace(query=""))

    def address(number: int) -> str:
        return str(request.url.include_query_params(page=number))

    links = Links(
        first=address(1),
        last=address(last),
        prev=address(min(page.page - 1, last)) if page.page > 1 else None,
        next=address(page.page + 1) if page.page < last else None,
    )
    meta: dict[str, Any] = {
        "current_page": page.page,
        "from": page.offset + 1 if rows else None,
        "last_page": last,
        "path": path,
        "per_page": page.per_page,
        "to": page.offset + len(rows) if rows else None,
        "total": total,
    }
    return json_answer({"links": links.model_dump(), "meta": meta}, data=f"[{','.join(rows)}]")
