"""A record's JSON read without parsing what an export copies as it is: nine tenths of its bytes.

Most of the cost of parsing and of writing again is in the digits of numbers. Finding where the `attributes` of each
instance and the `objects` of the scene end in the text takes a quarter of the time.
"""

from __future__ import annotations

from typing import Any

import orjson

__all__ = ["skim"]

# A quote inside a JSON string is written \", so that text that begins with a bare quote and holds a key is that key.
ATTRIBUTES = b',"attributes":'
NEXT_INSTANCE = b'}},{"id":'
AFTER_INSTANCES = b',"verification":'
OBJECTS = b',"objects":['
AFTER_OBJECTS = b'],"camera":'


def skim(data: bytes) -> Any:
    """`orjson.loads(data)` of a record, with `scene.objects` and every instance's `attributes` left as text.

    That text is an `orjson.Fragment`. Defects, of which there are few, are parsed.

    What is left as text is not checked; `validate` does that. A record that is not laid out as `records.write_record`
    does it, one edited by hand for example, is parsed as a whole.

    Raises:
        orjson.JSONDecodeError: it is no JSON.
    """
    try:
        return _skim(data)
    except (ValueError, KeyError, TypeError):
        return orjson.loads(data)


def _skim(data: bytes) -> dict[str, Any]:
    """What is left when the copied texts are cut out must be JSON: a cut at a wrong place leaves a bracket too many."""
    after = data.index(AFTER_INSTANCES)
    head, *tails = data[:after].split(ATTRIBUTES)
    start = head.index(OBJECTS) + len(OBJECTS) - 1
    end = head.index(AFTER_OBJECTS, start) + 1
    rest, texts = [head[:start], b"null", head[end:]], []
    for tail in tails:
        cut = tail.rfind(NEXT_INSTANCE) + 1 or len(tail) - len(b"}]")
        texts.append(orjson.Fragment(tail[:cut]))
        rest.append(tail[cut:])
    record: dict[str, Any] = orjson.loads(b"".join([*rest, data[after:]]))
    record["scene"]["objects"] = orjson.Fragment(head[start:end])
    for item, text in zip(record["instances"], texts, strict=True):
        item["attributes"] = text
    return record
