"""Answers whose data comes from the database as JSON text, which is passed on as it is."""

from collections.abc import Mapping
from typing import Any

import orjson
from fastapi import Response

JSON = "application/json"


def json_answer(beside: Mapping[str, Any] | None = None, *, data: str, status: int = 200) -> Response:
    """`{"data": …}` with further keys beside it."""
    rest = orjson.dumps(beside or {})[1:]
    comma = b"," if beside else b""
    return Response(b'{"data":' + data.encode() + comma + rest, status, media_type=JSON)
