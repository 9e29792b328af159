"""JSON and times as the reference writes them."""

import datetime
import json

from definitions import Raw

scalar = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def encoded(value):
    """A value as JSON. Raw texts stand as they are; strings keep their letters."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(scalar(n) + ":" + encoded(v) for n, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(encoded, value)) + "]"
    return scalar(value)


def rfc3339(ms):
    return (EPOCH + datetime.timedelta(milliseconds=ms)).strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03d}Z"


def milliseconds(time):
    """Of a time as RFC 3339; null is 0, as in answers."""
    if time is None:
        return 0
    return (datetime.datetime.fromisoformat(time.replace("Z", "+00:00")) - EPOCH) // datetime.timedelta(milliseconds=1)
