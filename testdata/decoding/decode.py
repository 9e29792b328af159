"""docs/decoding.md in Python, standard library only: what a record decodes to, computed without tidemark.

As a program it reads lines like those of cases.jsonl on standard input and prints, for each, the object that "want"
should hold. As a module it offers decode(source, value, append).
"""

import base64
import json
import re
import sys

MAX_BYTES, MAX_DEPTH, MAX_TIME = 64 << 20, 128, 253402300799999
INTEGER = re.compile(r"-?(0|[1-9][0-9]*)\Z")
NUMBER = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?)([0-9]+))?\Z")
SURROGATE = re.compile("[\ud800-\udfff]")
LITERAL_OR_SPACE = re.compile(r'("(?:[^"\\]|\\.)*")|[ \t\r\n]+')
REASONS = [
    "accepted", "tombstone", "too large", "not UTF-8", "too deep", "not JSON", "not an object",
    "required field duplicate", "required field missing", "required field null", "required field at fault",
    "event time out of range",
]
RANGES = {"int32": (-2**31, 2**31 - 1), "int64": (-2**63, 2**63 - 1), "time": (0, MAX_TIME)}
MISSING, NULL, FAULT, DUPLICATE, RANGE = (object() for _ in range(5))


class Rejected(Exception):
    """A record is rejected for the reason args[0]."""


class Number(str):
    """A number as it was written; int and float would change it or refuse its length."""


class Object(list):
    """An object as pairs, duplicates and order kept."""


def refuse(_):
    raise ValueError("NaN and Infinity are no JSON")


DECODER = json.JSONDecoder(
    object_pairs_hook=Object, parse_int=Number, parse_float=Number, parse_constant=refuse)


def too_deep(text):
    depth, in_string, escaped = 0, False, False
    for c in text:
        if escaped:
            escaped = False
        elif in_string and c == "\\":
            escaped = True
        elif c == '"':
            in_string = not in_string
        elif not in_string and c in "{[":
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif not in_string and c in "}]":
            depth -= 1
    return False


def check_text(value):
    """The document, for a value that is one well-formed JSON object."""
    if value is None:
        raise Rejected("tombstone")
    if len(value) > MAX_BYTES:
        raise Rejected("too large")
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        raise Rejected("not UTF-8") from None
    if too_deep(text):
        raise Rejected("too deep")
    text = text.strip(" \t\r\n")
    try:
        document, end = DECODER.raw_decode(text)
    except ValueError:
        raise Rejected("not JSON") from None
    if end != len(text) or has_lone_surrogate(document):
        raise Rejected("not JSON")
    if not isinstance(document, Object):
        raise Rejected("not an object")
    return LITERAL_OR_SPACE.sub(lambda m: m.group(1) or "", text)


def has_lone_surrogate(value):
    if isinstance(value, Object):
        return any(SURROGATE.search(name) or has_lone_surrogate(v) for name, v in value)
    if isinstance(value, list):
        return any(map(has_lone_surrogate, value))
    return isinstance(value, str) and SURROGATE.search(value) is not None


def members(text):
    """The members of an object without white space, as (name, name's literal, value's text)."""
    out, i = [], 1
    while text[i] != "}":
        name, colon = DECODER.raw_decode(text, i)
        _, end = DECODER.raw_decode(text, colon + 1)
        out.append((name, text[i:colon], text[colon + 1:end]))
        i = end + 1 if text[end] == "," else end
    return out


def resolve(text, path):
    """The text of the value at a path, or MISSING, NULL, FAULT, DUPLICATE."""
    found = [value for name, _, value in members(text) if name == path[0]]
    if not found:
        return MISSING
    if len(found) > 1:
        return DUPLICATE
    if found[0] == "null":
        return NULL
    if len(path) == 1:
        return found[0]
    return resolve(found[0], path[1:]) if found[0][0] == "{" else FAULT


def convert(field, text):
    kind = field["type"]
    if kind == "json":
        return text
    value = DECODER.decode(text)
    if kind == "bool" and isinstance(value, bool):
        return int(value)
    if isinstance(value, Number):
        if kind == "decimal":
            return decimal(value, field.get("scale", 0))
        if kind in RANGES and INTEGER.match(value):
            return integer(value, *RANGES[kind])
    elif isinstance(value, str) and (kind == "string" or kind == "enum" and value in field["enum"]):
        return value
    return FAULT


def integer(text, low, high):
    if len(text) > 20 or not low <= int(text) <= high:
        return RANGE
    return int(text)


def decimal(text, scale):
    sign, whole, fraction, exponent_sign, exponent = NUMBER.match(text).groups("")
    digits = (whole + fraction).lstrip("0")
    significant = digits.rstrip("0")
    if not significant:
        return 0
    # More than 12 digits of exponent are beyond what the digits of any record could make up for.
    exponent = exponent.lstrip("0")
    power = 10**12 if len(exponent) > 12 else int(exponent or "0")
    power = (-power if exponent_sign == "-" else power) + scale - len(fraction) + len(digits) - len(significant)
    if power < 0 or len(significant) + power > 19:
        return FAULT
    value = int(sign + significant) * 10**power
    return value if -2**63 <= value < 2**63 else FAULT


def rest(text, names):
    kept = []
    for name, literal, value in members(text):
        below = [n.partition(".") for n in names if n.partition(".")[0] == name]
        if not below:
            kept.append(literal + ":" + value)
        elif below[0][1] and value[0] == "{":
            inner = rest(value, [tail for _, _, tail in below])
            if inner != "{}":
                kept.append(literal + ":" + inner)
    return "{" + ",".join(kept) + "}"


def decode_fields(source, value):
    text = check_text(value)
    values, faults = {}, []
    for field in source["fields"]:
        name = field["name"]
        v = resolve(text, name.split("."))
        if isinstance(v, str):
            v = convert(field, v)
        if field.get("required") or name == source["event_time"]:
            if v is RANGE and name == source["event_time"]:
                raise Rejected("event time out of range")
            if v is DUPLICATE or v is MISSING or v is NULL:
                raise Rejected("required field " + {DUPLICATE: "duplicate", MISSING: "missing", NULL: "null"}[v])
            if v is RANGE or v is FAULT:
                raise Rejected("required field at fault")
        if v in (RANGE, FAULT, DUPLICATE):
            faults.append(name)
        values[name] = v if isinstance(v, (str, int)) else None
    kept = rest(text, [f["name"] for f in source["fields"]])
    return values, faults, None if kept == "{}" else kept


def decode(source, value, append):
    """What the record decodes to. value is bytes or None; append is its append time, -1 for none."""
    try:
        values, faults, kept = decode_fields(source, value)
    except Rejected as why:
        return {"code": REASONS.index(why.args[0]), "reject": why.args[0], "time": 0,
                "values": {f["name"]: None for f in source["fields"]}, "faults": [], "rest": None,
                "raw": value is not None}
    time = values[source["event_time"]]
    if append != -1:
        time = max(0, min(time, append + source.get("tolerance_ms", 0)))
    return {"code": 0, "reject": "accepted", "time": time, "values": values, "faults": faults, "rest": kept,
            "raw": bool(faults)}


def main():
    for line in sys.stdin.buffer:
        case = json.loads(line)
        value = case["value"].encode() if case["value"] is not None else None
        if "value_base64" in case:
            value = base64.b64decode(case["value_base64"])
        print(json.dumps(decode(case["source"], value, case["append"])))


if __name__ == "__main__":
    main()
