"""Recomputes every feature of a job from its log and a time, without tidemark: the outside judge of what answers mean.

    tidemark log JOB -o json | python3 reference.py JOB --as-of newest
    tidemark log JOB -o json | python3 reference.py JOB --against ANSWERS

JOB is usedcar or retail, restated by hand in usedcar.py and retail.py. Python 3.9 and its standard library are all it
needs. It knows how records decode (testdata/decoding/decode.py), what windows, decay and operators mean (definitions.py), and
nothing of how tidemark computes or stores: no blocks, tiles, runs or lanes.

It prints a JSON object for each entity, in order of views and keys:
{"view", "key", "found", "events", "newest", "as_of", "features": {name: value}}; or with "error" in place of features, if
the entity's newest event is more than 10 s after the as_of; and with "estimated", the features that are exact here and an
estimate there, with the relative error allowed. With --against it compares answers of `tidemark get JOB VIEW
- -o json` with its own at the very as_of of each, and prints every difference. Exit code 1 says that something differs.
"""

import sys

sys.dont_write_bytecode = True  # a test leaves nothing behind in the source tree

import argparse  # noqa: E402
import os  # noqa: E402

import records  # noqa: E402
import retail  # noqa: E402
import usedcar  # noqa: E402
from compare import Comparison, answered  # noqa: E402
from definitions import ESTIMATE_ERROR, SECOND, Estimated  # noqa: E402
from output import encoded, milliseconds, rfc3339  # noqa: E402

JOBS = {"retail": retail, "usedcar": usedcar}

# A lookup reads a profile whose newest event is this much later than the time asked for at that event instead.
MAX_AHEAD = 10 * SECOND

SHOWN_DIFFERENCES = 100


class Entity:
    """One entity of a view, with its events in their order."""

    def __init__(self, view, kinds, key, events):
        self.view, self.kinds, self.key, self.found = view, kinds, key, bool(events)
        self.events = sorted(events, key=lambda e: (e.time, e.partition, e.offset))
        self.newest = self.events[-1].time if events else 0

    def features(self, as_of):
        """name -> (value, status)."""
        out = {}
        for name, v in self.view.answers(self.kinds, self.events, as_of).items():
            default = self.view.defaults[name]
            if v is not None:
                out[name] = v, "present"
            elif default is not None:
                out[name] = default, "default"
            else:
                out[name] = None, "null"
        return out


class Job:
    """The entities of all views. Each view reads the job's one source, so no tie is left for the source's name to break."""

    def __init__(self, definition, events):
        self.views, self.kinds = definition.VIEWS, definition.SOURCE.kinds
        self.by_view = {v.name: v for v in self.views}
        self.groups = {v.name: {} for v in self.views}
        for v in self.views:
            for e in events:
                key = v.key(e)
                if key is not None:
                    self.groups[v.name].setdefault(key, []).append(e)

    def keys(self, view):
        return self.groups[view].keys()

    def entity(self, view, key):
        return Entity(self.by_view[view], self.kinds, key, self.groups[view].get(key, []))


def profile(entity, as_of):
    """What the reference prints of an entity; as_of None means its newest event."""
    if as_of is None or entity.newest - MAX_AHEAD <= as_of < entity.newest:
        as_of = entity.newest
    out = {"view": entity.view.name, "key": entity.key, "found": entity.found, "events": len(entity.events),
           "newest": rfc3339(entity.newest), "as_of": rfc3339(as_of)}
    if as_of < entity.newest:
        return out | {"error": "the newest event is later than as_of"}
    features = {name: v for name, (v, _) in entity.features(as_of).items()}
    estimated = {name: ESTIMATE_ERROR for name, v in features.items() if isinstance(v, Estimated)}
    return out | ({"estimated": estimated} if estimated else {}) | {"features": features}


def arguments():
    p = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    p.add_argument("job", metavar="JOB", help="usedcar or retail; a path such as jobs/retail will do")
    p.add_argument("log", metavar="LOG", nargs="?", default="-", help="output of tidemark log JOB -o json (default stdin)")
    p.add_argument("--as-of", metavar="TIME", default="newest",
                   help="RFC 3339, or newest (default): each entity's newest event")
    p.add_argument("--against", metavar="FILE", action="append", help="compare with these answers; may be repeated")
    p.add_argument("--sample", action="store_true", help="with --against: entities without an answer are no difference")
    p.add_argument("--plain", action="store_true", help="decode every record with decode.py itself, slowly")
    p.add_argument("--names", action="store_true", help="print the names of each view's features, and read nothing")
    a = p.parse_args()
    a.job = os.path.basename(os.path.normpath(a.job))
    if a.job not in JOBS:
        p.error(f"no job {a.job!r}: want {' or '.join(JOBS)}")
    try:
        a.as_of = None if a.as_of == "newest" else milliseconds(a.as_of)
    except (TypeError, ValueError):
        p.error(f"--as-of {a.as_of!r}: want a time such as 2026-01-31T18:00:00Z, or newest")
    return a


def read(a):
    log = records.Log([JOBS[a.job].SOURCE], a.plain)
    with open(sys.stdin.fileno() if a.log == "-" else a.log, "rb", closefd=a.log != "-") as file:
        for line in file:
            log.add(line)
    return log


def compare(a, job):
    comparison = Comparison(job)
    for name in a.against:
        with open(name, encoding="utf-8") as file:
            for view, answer in answered(file):
                comparison.add(view, answer)
    if not a.sample:
        comparison.missing()
    return comparison


def report(differences, summary, file):
    """Prints the differences, not all of very many, and returns the exit code."""
    print(*differences[:SHOWN_DIFFERENCES], summary, sep="\n", file=file)
    return 1 if differences else 0


def main():
    a = arguments()
    sys.stdout.reconfigure(encoding="utf-8")
    if a.names:
        print(encoded({v.name: list(v.defaults) for v in JOBS[a.job].VIEWS}))
        return 0
    log = read(a)
    job = Job(JOBS[a.job], log.events[JOBS[a.job].SOURCE.name])
    if a.against:
        comparison = compare(a, job)
        differences = log.differences + comparison.differences
        return report(differences, f"compared {comparison.compared} profiles, {len(differences)} differences", sys.stdout)
    for view in sorted(job.by_view):
        for key in sorted(job.keys(view)):
            print(encoded(profile(job.entity(view, key), a.as_of)))
    summary = f"{log.records} records, {log.rejected} rejected, {len(log.differences)} decided otherwise by the log"
    return report(log.differences, summary, sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
