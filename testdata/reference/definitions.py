"""What windows, decay and operators mean: docs/features.md and docs/operators.md in Python, from lists of events.

An operator is a function of the events that count, in order of (time, source, partition, offset), the time asked about,
ms, and the window. It returns what JSON shows: int, float, str, dict, list, Raw, or None for null. Numbers are exact until the
one rounding at the end, so that nothing here can go wrong in the way that the judged program could.
"""

import decimal
import functools
from fractions import Fraction

SECOND = 1000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
UNITS = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}

# Decay factors and scores are in units of 2^-32.
FACTOR_BITS = 32
# 2^32 has 10 digits; the other 70 tell on which side of a half a factor lies, which is irrational or computed in integers.
DECIMALS = decimal.Context(prec=80)


# distinct is exact of entities that have had at most so many elements in all their life.
MAX_EXACT = 1024
# Of others it is an estimate: four times the standard error of 2^12 registers, which one of 16,000 answers is beyond.
ESTIMATE_ERROR = 4 * 1.04 / 64


class Estimated(int):
    """The exact number, where an answer is an estimate."""

    def allows(self, answer):
        return abs(answer - self) <= ESTIMATE_ERROR * self


class Raw(str):
    """A JSON text that stands in the output as it is."""


def duration(text):
    return int(text[:-1]) * UNITS[text[-1]]


class Window:
    """The events with floor(t/hop) > floor(as_of/hop) - length/hop."""

    def __init__(self, length, hop):
        assert length % hop == 0 and DAY % hop == 0, (length, hop)
        self.length, self.hop = length, hop

    def start(self, as_of):
        """The first time that the window at as_of holds."""
        return (as_of // self.hop - self.length // self.hop + 1) * self.hop


class AllTime:
    """The window without bounds."""

    @staticmethod
    def start(_as_of):
        return 0


def days(text):
    """The window of active_days written so: it slides by the day."""
    return AllTime() if text == "all" else Window(duration(text), DAY)


def window_of(text):
    """The window written so in a job file, with the hop that its length implies."""
    if text == "all":
        return AllTime()
    length = duration(text)
    if length >= 12 * DAY:
        return Window(length, DAY)
    if length >= 12 * HOUR:
        return Window(length, HOUR)
    if length >= HOUR:
        return Window(length, 5 * MINUTE)
    return Window(length, length // 12)


def horizon(text, half_life):
    """The window of weights that decay, with the hop that the half-life implies."""
    half_life = duration(half_life)
    if half_life >= 14 * DAY:
        hop = DAY
    elif half_life >= 3 * DAY:
        hop = 6 * HOUR
    elif half_life >= 12 * HOUR:
        hop = 30 * MINUTE
    else:
        hop = 5 * MINUTE
    return Window(duration(text), hop)


@functools.cache
def factor(age, half_life):
    """2^32 * 2^(-age/half_life), rounded half up."""
    halvings, rest = divmod(age, half_life)
    if rest == 0:
        return (2 * 2**FACTOR_BITS // 2**halvings + 1) // 2
    exponent = DECIMALS.divide(decimal.Decimal(FACTOR_BITS * half_life - age), decimal.Decimal(half_life))
    exact = DECIMALS.power(decimal.Decimal(2), exponent)
    return int(DECIMALS.add(exact, decimal.Decimal("0.5")))


def shown(kind, value):
    """A value of a column as JSON shows it. Decimals are held in units of their last digit."""
    if value is None:
        return None
    if kind == "json":
        return Raw(value)
    name, _, scale = kind.partition("(")
    return fixed(value, int(scale[:-1])) if name == "decimal" else value


def fixed(units, scale):
    """A number of units of 10^-scale in plain notation with exactly scale digits after the point."""
    digits = str(abs(units)).rjust(scale + 1, "0")
    point = len(digits) - scale
    sign = "-" if units < 0 else ""
    return sign + digits[:point] + ("." + digits[point:] if scale else "")


def quotient(numerator, denominator):
    """The float nearest to the exact quotient."""
    return float(Fraction(numerator) / Fraction(denominator))


def values_of(events, column):
    return [v for v in (getattr(e, column) for e in events) if v is not None]


def count():
    return lambda kinds, events, as_of, w: len(events)


def total(column):
    return lambda kinds, events, as_of, w: shown(kinds[column], sum(values_of(events, column)))


def average(column):
    def compute(kinds, events, as_of, w):
        values = values_of(events, column)
        scale = int(kinds[column].partition("(")[2].rstrip(")") or 0)
        return quotient(sum(values), len(values) * 10**scale) if values else None
    return compute


def variance(column):
    """The mean of the squared distances from the mean."""
    def compute(kinds, events, as_of, w):
        values = values_of(events, column)
        if not values:
            return None
        scale = int(kinds[column].partition("(")[2].rstrip(")") or 0)
        mean = Fraction(sum(values), len(values))
        return quotient(sum((v - mean) ** 2 for v in values), len(values) * 100**scale)
    return compute


def histogram(column, edges):
    """Counts of values below the first edge, from each edge to the next, and from the last one on. Edges are in units of
    the column's last digit."""
    def compute(kinds, events, as_of, w):
        bins = [0] * (len(edges) + 1)
        for v in values_of(events, column):
            bins[sum(v >= edge for edge in edges)] += 1
        return bins
    return compute


def histogram_of_enum(column):
    """Counts of each value of an enum, in their declared order."""
    def compute(kinds, events, as_of, w):
        names = kinds[column].partition("(")[2].rpartition(")")[0].split(", ")
        values = values_of(events, column)
        return {name: values.count(name) for name in names}
    return compute


def distinct(*columns):
    """How many different tuples of values there are, in none of which one is null."""
    def elements(events):
        return {t for t in (tuple(getattr(e, c) for c in columns) for e in events) if None not in t}

    def compute(kinds, events, as_of, w):
        return len(elements(events))
    compute.elements = elements
    return compute


def extreme(pick):
    def operator(column):
        def compute(kinds, events, as_of, w):
            values = values_of(events, column)
            return shown(kinds[column], pick(values)) if values else None
        return compute
    return operator


minimum, maximum = extreme(min), extreme(max)


def members(kinds, event, columns):
    return {c: shown(kinds[c], getattr(event, c)) for c in columns}


def at_end(end):
    """first and last: of the event at one end that has a value in at least one of the columns, all of them."""
    def operator(*columns):
        def compute(kinds, events, as_of, w):
            having = [e for e in events if any(getattr(e, c) is not None for c in columns)]
            if not having:
                return None
            found = members(kinds, having[end], columns)
            return found if len(columns) > 1 else found[columns[0]]
        return compute
    return operator


first, last = at_end(0), at_end(-1)


def last_n(column, n):
    """The n latest distinct values, the newest first."""
    def compute(kinds, events, as_of, w):
        newest_first = dict.fromkeys(reversed(values_of(events, column)))
        return [shown(kinds[column], v) for v in list(newest_first)[:n]]
    return compute


def top_k(*keys, half_life, limit, weight=None):
    """The keys with the highest decayed weights above 0; of equal ones, the first in order."""
    half_life = duration(half_life)

    def compute(kinds, events, as_of, w):
        scores, example = {}, {}
        for e in events:
            key = tuple(getattr(e, c) for c in keys)
            grams = 1 if weight is None else getattr(e, weight)
            if None in key or grams is None:
                continue
            age = (as_of // w.hop - e.time // w.hop) * w.hop
            scores[key] = scores.get(key, 0) + grams * factor(age, half_life)
            example[key] = e
        # Strings compare by code points, which is the order of their bytes in UTF-8.
        top = sorted((k for k, score in scores.items() if score > 0), key=lambda k: (-scores[k], k))
        return [members(kinds, example[k], keys) | {"score": quotient(scores[k], 2**FACTOR_BITS)} for k in top[:limit]]
    return compute


def standing(kinds, events, keys, values, n, remove):
    """The n keys written last, each with its latest event, the newest first, without those which that event removes.

    A key counts among the n whether it was removed or not. An event that neither removes nor has a value writes nothing.
    """
    latest = {}
    for e in reversed(events):
        key = tuple(getattr(e, c) for c in keys)
        gone = False if remove is None else remove(e)
        if None in key or gone is None or (values and not gone and all(getattr(e, c) is None for c in values)):
            continue
        latest.setdefault(key, (e, gone))
    return [e for e, gone in list(latest.values())[:n] if not gone]


def element_set(*keys, n, remove, limit=None, size=False):
    """The keys whose latest event does not remove them, or how many there are."""
    def compute(kinds, events, as_of, w):
        there = standing(kinds, events, keys, (), n, remove)
        if size:
            return len(there)
        found = [members(kinds, e, keys) for e in there[:limit]]
        return found if len(keys) > 1 else [f[keys[0]] for f in found]
    return compute


def key_values(*keys, values, n, remove=None, limit=None, size=False):
    """map: the keys whose latest event does not remove them with its values, or how many there are."""
    def compute(kinds, events, as_of, w):
        there = standing(kinds, events, keys, values, n, remove)
        return len(there) if size else [members(kinds, e, (*keys, *values)) for e in there[:limit]]
    return compute


def active_days():
    return lambda kinds, events, as_of, w: len({e.time // DAY for e in events})


def sessions(gap, result="count"):
    """Runs of events between which lies no more than the gap: how many, their average length, the length of the last one."""
    gap = duration(gap)

    def compute(kinds, events, as_of, w):
        runs = []
        for t in (e.time for e in events):
            if not runs or t - runs[-1][1] > gap:
                runs.append([t, t])
            runs[-1][1] = t
        if result == "count":
            return len(runs)
        if result == "avg_length":
            return quotient(sum(last - first for first, last in runs), len(runs)) if runs else None
        return runs[-1][1] - runs[-1][0] if runs and as_of - runs[-1][1] <= gap else None
    return compute


class Feature:
    """A value of one operator over the events for which where is true and that the window holds."""

    def __init__(self, name, operator, where=lambda e: True, window="all", default=None):
        self.name, self.operator, self.where, self.default = name, operator, where, default
        self.window = window_of(window) if isinstance(window, str) else window

    def answer(self, kinds, events, as_of, _answers):
        start = self.window.start(as_of)
        counting = [e for e in events if self.where(e)]
        value = self.operator(kinds, [e for e in counting if e.time >= start], as_of, self.window)
        elements = getattr(self.operator, "elements", None)
        return Estimated(value) if elements and len(elements(counting)) > MAX_EXACT else value


class Ratio:
    """(num + alpha * prior) / (den + alpha) of two features before it in the table; null if that divides by 0."""

    def __init__(self, name, num, den, alpha="0", prior="0", default=None):
        self.name, self.num, self.den, self.default = name, num, den, default
        self.alpha, self.prior = Fraction(alpha), Fraction(prior)

    def answer(self, _kinds, _events, _as_of, answers):
        num, den = answers[self.num], answers[self.den]
        if num is None or den is None or Fraction(den) + self.alpha == 0:
            return None
        return quotient(Fraction(num) + self.alpha * self.prior, Fraction(den) + self.alpha)


def each(windows, name, operator, **more):
    """One feature for each window, with the window's text at the end of its name."""
    return [Feature(f"{name}_{w}", operator, window=w, **more) for w in windows.split()]


def ratios(windows, name, num, den, **more):
    return [Ratio(f"{name}_{w}", f"{num}_{w}", f"{den}_{w}", **more) for w in windows.split()]


# A string in a key has at most so many bytes; a longer one counts as null there (docs/views.md).
MAX_KEY_VALUE_BYTES = 1024


class View:
    """Which entity an event belongs to (the first of the keys that it has), and the table of features."""

    def __init__(self, name, keys, *features):
        self.name, self.keys, self.features = name, keys, []
        for f in features:
            self.features += f if isinstance(f, list) else [f]
        # JSON, as the job file declares it.
        self.defaults = {f.name: None if f.default is None else Raw(f.default) for f in self.features}

    def key(self, event):
        """The canonical text of the entity's key, None if the event belongs to nobody."""
        for k in self.keys:
            value = getattr(event, k)
            if value is not None and len(str(value).encode()) <= MAX_KEY_VALUE_BYTES:
                return k + ":" + escaped(str(value))
        return None

    def answers(self, kinds, events, as_of):
        """What every feature answers, by name; None where there is nothing to answer."""
        answers = {}
        for f in self.features:
            answers[f.name] = f.answer(kinds, events, as_of, answers)
        return answers


def escaped(text):
    return "".join(f"%{ord(c):02X}" if c <= " " or c in "%,\x7f" else c for c in text)
