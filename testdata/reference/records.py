"""From the lines of `tidemark log JOB -o json` to events. What a record means is decided by testdata/decoding/decode.py,
docs/decoding.md in Python: the log's own word on rejects is only compared with it.
"""

import base64
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "decoding"))
import decode  # noqa: E402


class Unusual(ValueError):
    """A document that only the full decoder decides."""


def once(pairs):
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Unusual
    return members


QUICK = json.JSONDecoder(
    object_pairs_hook=once, parse_int=decode.Number, parse_float=decode.Number, parse_constant=decode.refuse)


class Source:
    """What a log's records are, restated from the job's files. Fields that no feature reads are left out: declaring one
    that is not required changes neither which records are accepted nor any other field.

    fields: name -> type, with " required" behind it, in declared order. columns: name -> (type, function of an event),
    computed in this order; a function returns None where its expression is null or errs.
    """

    def __init__(self, name, event_time, fields, columns, tolerance_ms=0):
        self.name, self.columns, self.fields = name, columns, []
        self.kinds = {c: kind for c, (kind, _) in columns.items()}
        for field, text in fields.items():
            kind = text.removesuffix(" required")
            self.fields.append(declared(field, kind, text != kind))
            self.kinds[field] = kind
        self.decoding = {"fields": self.fields, "event_time": event_time, "tolerance_ms": tolerance_ms}
        self.event = type("Event", (), {"__slots__": ("time", "partition", "offset", *fields, *columns)})

    def read(self, value, append, plain):
        """The reason of the reject, or "", and the event, or None."""
        values = None if plain else self.quick(value)
        if values is None:
            row = decode.decode(self.decoding, value, append)
            if row["code"] != 0:
                return row["reject"], None
            values, time = row["values"], row["time"]
        else:
            time = values[self.decoding["event_time"]]
            if append != -1:
                time = max(0, min(time, append + self.decoding["tolerance_ms"]))
        e = self.event()
        e.time = time
        for name, v in values.items():
            setattr(e, name, v)
        for name, (_, compute) in self.columns.items():
            setattr(e, name, compute(e))
        return "", e

    def quick(self, value):
        """The values of a record without any oddity, None for all others: decode.py is too slow for most of the log."""
        if value is None or len(value) > decode.MAX_BYTES:
            return None
        try:
            text = value.decode()
            if text.count("{") + text.count("[") > decode.MAX_DEPTH or "\\ud" in text.lower():
                return None
            document = QUICK.decode(text)
        except ValueError:
            return None
        if type(document) is not dict:
            return None
        values = {}
        for f in self.fields:
            v = document.get(f["name"])
            if v is not None:
                v = plain_value(f, v)
            elif f["required"]:
                v = decode.FAULT
            if v is decode.FAULT:
                return None
            values[f["name"]] = v
        return values


def declared(name, kind, required):
    assert "." not in name, name
    field = {"name": name, "type": kind, "required": required}
    base, _, inside = kind.rstrip(")").partition("(")
    if base == "decimal":
        field.update(type=base, scale=int(inside))
    if base == "enum":
        field.update(type=base, enum=[v.strip() for v in inside.split(",")])
    return field


def plain_value(field, v):
    """The value, or FAULT for whatever is no plain matter."""
    kind = field["type"]
    if type(v) is decode.Number:
        if kind == "decimal":
            return decode.decimal(v, field["scale"])
        if kind in decode.RANGES and decode.INTEGER.match(v):
            n = decode.integer(v, *decode.RANGES[kind])
            return decode.FAULT if n is decode.RANGE else n
    elif type(v) is str and (kind == "string" or kind == "enum" and v in field["enum"]):
        return v
    return decode.FAULT


def value_of(v):
    """The bytes of a record's value, None for a tombstone."""
    if isinstance(v, dict):
        return base64.b64decode(v["base64"], validate=True)
    return v if v is None else v.encode()


class Log:
    """The accepted events of some sources, and where the log's word on rejects differs from the page's."""

    def __init__(self, sources, plain=False):
        self.sources = {s.name: s for s in sources}
        self.plain = plain
        self.events = {s.name: [] for s in sources}
        self.records = self.rejected = 0
        self.differences = []
        self.next = {}

    def add(self, line):
        record = json.loads(line)
        source = self.sources[record["source"]]
        place = record["source"], record["partition"]
        # A record told twice would be counted twice, one told out of order might hide that.
        if record["offset"] < self.next.get(place, 0):
            raise ValueError(f"{place[0]}/{place[1]}@{record['offset']} comes after @{self.next[place] - 1}")
        self.next[place] = record["offset"] + 1
        self.records += 1
        reject, event = source.read(value_of(record["value"]), record["append"], self.plain)
        if reject != record["reject"]:
            where = f"{place[0]}/{place[1]}@{record['offset']}"
            self.differences.append(f"{where}: reference {reject or 'accepted'}, log {record['reject'] or 'accepted'}")
        if event is None:
            self.rejected += 1
            return
        event.partition, event.offset = record["partition"], record["offset"]
        self.events[record["source"]].append(event)
