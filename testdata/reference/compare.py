"""Compares what `tidemark get JOB VIEW - -o json` answered with the reference: numbers that are no integers within 1e-12
relative, estimates within their stated error, everything else equal. What cannot be judged counts as different.
"""

import json

import decode
from definitions import Estimated
from output import encoded, milliseconds

TOLERANCE = 1e-12

# Objects keep their order and double members, numbers how they were written: a lax parser would be a lax judge.
STRICT = decode.DECODER


def same(a, b):
    if type(a) is not type(b):
        return False
    if isinstance(a, decode.Number):
        return a == b or not integers(a, b) and abs(float(a) - float(b)) <= TOLERANCE * max(abs(float(a)), abs(float(b)))
    if isinstance(a, decode.Object):
        return len(a) == len(b) and all(m == n and same(x, y) for (m, x), (n, y) in zip(a, b))
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def agree(value, answer):
    """Whether an answer is the reference's value, or near enough to it where it is an estimate."""
    if isinstance(value, Estimated):
        return isinstance(answer, decode.Number) and decode.INTEGER.match(answer) and value.allows(int(answer))
    return same(STRICT.decode(encoded(value)), answer)


def integers(a, b):
    return decode.INTEGER.match(a) and decode.INTEGER.match(b)


def answered(file):
    """The profiles of a file of answers as (view, profile); both forms of the service, of one profile and of many."""
    for line in file:
        if line.strip():
            answer = dict(STRICT.decode(line))
            for profile in answer.get("profiles", [list(answer.items())]):
                yield answer["view"], dict(profile)


class Comparison:
    """Profiles against the entities of the reference."""

    def __init__(self, job):
        self.job = job
        self.compared, self.seen, self.differences = 0, {v.name: set() for v in job.views}, []

    def differ(self, view, key, what, reference, answer):
        self.differences.append(f"view {view}, entity {key}, {what}: reference {reference}, answer {answer}")

    def add(self, view, profile):
        key = profile["key"]
        self.seen[view].add(key)
        self.compared += 1
        for trouble in ("error", "degraded"):
            if profile.get(trouble) is not None:
                self.differ(view, key, trouble, None, text(profile[trouble]))
        if "error" in profile:
            return
        entity = self.job.entity(view, key)
        asked = milliseconds(profile["as_of"])
        if asked < entity.newest:
            self.differ(view, key, "as_of", f"not before {entity.newest}", asked)
            return
        self.facts(entity, profile)
        self.features(entity, asked, dict(profile["features"]))

    def facts(self, entity, profile):
        facts = {"found": entity.found, "events": len(entity.events), "newest": entity.newest}
        for name, want in facts.items():
            got = milliseconds(profile[name]) if name == "newest" else json.loads(text(profile[name]))
            if type(got) is not type(want) or got != want:
                self.differ(entity.view.name, entity.key, name, want, got)

    def features(self, entity, as_of, got):
        want = entity.features(as_of)
        for name in [*want, *(n for n in got if n not in want)]:
            a, b = want.get(name), dict(got[name]) if name in got else None
            ours, theirs = a and f"{encoded(a[0])} ({a[1]})", b and f"{text(b['value'])} ({b['status']})"
            if a is None or b is None or a[1] != b["status"] or not agree(a[0], b["value"]):
                self.differ(entity.view.name, entity.key, name, ours, theirs)

    def missing(self):
        """Adds the entities that no answer was about, of the views that some answer was about."""
        for view, seen in self.seen.items():
            if seen:
                for key in sorted(self.job.keys(view) - seen):
                    self.differ(view, key, "profile", "found", "none")


def text(value):
    """A strictly parsed value as JSON again."""
    if isinstance(value, decode.Number):
        return str(value)
    if isinstance(value, decode.Object):
        return "{" + ",".join(json.dumps(n, ensure_ascii=False) + ":" + text(v) for n, v in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(text, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
