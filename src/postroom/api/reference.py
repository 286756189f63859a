"""docs/reference/api.md, printed from the API itself: `python -m postroom.api.reference [--check] [FILE]`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

FILE: Final = Path(__file__).resolve().parents[3] / "docs" / "reference" / "api.md"
HEAD: Final = """\
# The API v1

<!-- Printed by `python -m postroom.api.reference`. Do not edit: change the code and print it again. -->

Base address: `/api/v1`. Send `Authorization: Bearer TOKEN`; make a token in Settings or with
`bin/postroom token create --email ADDRESS`. A token acts as its member and sees what that member sees; everything else
is 404. `/api/v1/openapi.json` describes the same for programs.

- **JSON** both ways, UTF-8. Ids are UUIDs, times RFC 3339 in UTC. Unknown fields of a body are ignored.
- **Lists** are `{"items": […], "next": "…"}`: at most `limit` items (1 to 100, default 50), newest first. Give `next`
  back as `?next=…` for the following page; `null` is the end.
- **Repeating safely**: send an `Idempotency-Key` (up to 255 characters of your own) with a POST that creates. The same
  key with the same body gets the same answer for 48 hours and does nothing again (`Idempotent-Replayed: true`); with
  another body it is 409. An answer that made nothing (4xx, 5xx) is not kept.
- **One-line fields** take no line breaks, NUL or other control characters.

```
curl -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \\
     -d '{"name": "Katrin Voss", "addresses": ["katrin@lagerhaus.example"]}' http://localhost:8000/api/v1/contacts
```
"""


def main(arguments: list[str]) -> int:
    """Write the page, or with --check say (1) that it is not up to date."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "postroom.config.settings")
    import django  # noqa: PLC0415  set up before anything of ours is imported

    django.setup()
    wanted = page()
    if "--check" in arguments:
        return 0 if FILE.exists() and FILE.read_text() == wanted else 1
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(wanted)
    return 0


def page() -> str:
    """The whole page as Markdown. Django has to be set up."""
    from postroom.api.v1 import api  # noqa: PLC0415  needs Django set up

    schema = api.get_openapi_schema(path_prefix="/api/v1/")
    lines = [HEAD, "## Requests", *_requests(schema), "## Shapes", *_shapes(schema), "## Errors", *_errors()]
    return "\n".join(lines).rstrip() + "\n"


def _requests(schema: dict[str, Any]) -> Iterator[str]:
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield f"\n### {method.upper()} {path.removeprefix('/api/v1')}\n"
            yield operation.get("description", "")
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
            if body:
                yield f"\nBody: {_name(body)}"
            query = [f"`{one['name']}`" for one in operation.get("parameters", []) if one["in"] == "query"]
            if query:
                yield f"\nQuery: {', '.join(query)}"
            yield f"\nAnswers: {', '.join(_answer(status, one) for status, one in operation['responses'].items())}"


def _answer(status: Any, response: dict[str, Any]) -> str:
    shape = response.get("content", {}).get("application/json", {}).get("schema")
    return f"{status} {_name(shape)}" if shape else f"{status}"


def _shapes(schema: dict[str, Any]) -> Iterator[str]:
    for name, shape in sorted(schema["components"]["schemas"].items()):
        if name.startswith("Page_") or "properties" not in shape:
            continue
        yield f"\n### {name}\n"
        yield shape.get("description", "")
        yield "\n| field | holds |\n|---|---|"
        required = shape.get("required", [])
        for field, holds in shape["properties"].items():
            yield f"| `{field}`{'' if field in required else ' (optional)'} | {_name(holds)} |"


def _name(shape: dict[str, Any]) -> str:
    """A schema in a few words."""
    if "$ref" in shape:
        name = shape["$ref"].rsplit("/", 1)[-1]
        return f"page of {name.removeprefix('Page_').rstrip('_')}" if name.startswith("Page_") else name
    if "enum" in shape:
        return " · ".join(f"`{value}`" for value in shape["enum"])
    if "const" in shape:
        return f"`{shape['const']}`"
    for many in ("anyOf", "allOf", "oneOf"):
        if many in shape:
            return " or ".join(dict.fromkeys(_name(one) for one in shape[many]))
    if shape.get("type") == "array":
        return f"list of {_name(shape.get('items', {}))}"
    return str(shape.get("format") or shape.get("type") or "any")


def _errors() -> Iterator[str]:
    from postroom.api.problems import PROBLEMS  # noqa: PLC0415  needs Django set up

    yield (
        "\nEvery answer that is no success is `application/problem+json` (RFC 9457) with `type`, `title`, `status`,"
        " `code`, `detail`, `fix`, `docs` and `fields` (field → what is wrong with it; `a.b` is `b` inside of `a`)."
    )
    for code, kind in PROBLEMS.items():
        yield f"\n### {code}\n\n{kind.status}. {kind.title} {kind.fix}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
