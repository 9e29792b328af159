"""The job usedcar, restated by hand from jobs/usedcar; a test compares the names."""

from definitions import (Feature, Ratio, View, active_days, average, count, days, distinct, each, element_set,
                         first, histogram, horizon, key_values, last, last_n, maximum, minimum, ratios, sessions,
                         top_k, total, variance)
from records import Source

BAND_EDGES = [3000000, 5000000, 8000000, 10000000, 15000000, 20000000, 30000000, 50000000]
INTEREST = {"call": 8, "book": 8, "im": 5, "favorite": 3, "search": 2, "view": 1, "unfavorite": -3, "dislike": -8}


def interest(e):
    if e.event_type != "view_end":
        return INTEREST.get(e.event_type, 0)
    return None if e.dwell_ms is None else int(e.dwell_ms >= 30000)


EVENTS = Source(
    "events",
    event_time="event_time",
    fields={
        "event_id": "string required",
        "event_time": "time required",
        "recv_time": "time",
        "event_type": "enum(impression, view, view_end, search, favorite, unfavorite, im, call, book, dislike, post, "
                      "subscribe, unsubscribe, login) required",
        "user_id": "string",
        "device_id": "string required",
        "city_id": "int64",
        "listing_id": "string",
        "brand_id": "int64",
        "series_id": "int64",
        "price_cent": "int64",
        "mileage_km": "int32",
        "item_city": "int64",
        "fuel": "enum(petrol, diesel, hybrid, phev, electric, range_extender, gas)",
        "seller": "enum(personal, dealer)",
        "dealer_id": "string",
        "dwell_ms": "int32",
        "call_sec": "int32",
        "query": "string",
        "filters": "json",
    },
    columns={
        "price_band": ("int64", lambda e: None if e.price_cent is None else sum(e.price_cent >= x for x in BAND_EDGES)),
        "price": ("decimal(2)", lambda e: e.price_cent),
        "interest": ("int64", interest),
        "favorite_step": ("int64", lambda e: {"favorite": 1, "unfavorite": -1}.get(e.event_type, 0)),
    })


def kind(*names):
    return lambda e: e.event_type in names


def liked(name, *keys, half_life, within, limit):
    """The keys that a visitor likes best: weights are interest, those that are 0 say nothing."""
    return Feature(name, top_k(*keys, weight="interest", half_life=half_life, limit=limit),
                   where=lambda e: e.interest != 0, window=horizon(within, half_life))


def new_energy_view(e):
    return e.event_type == "view" and e.fuel in ("electric", "phev", "range_extender")


def favorites(name, **more):
    return Feature(name, element_set("listing_id", n=200, remove=kind("unfavorite"), **more), where=kind("favorite", "unfavorite"))


def acts(e):
    return e.event_type != "impression"


USER = View(
    "user", ["user_id", "device_id"],
    each("1h 24h 7d 30d all", "view_cnt", count(), where=kind("view")),
    each("24h 7d", "imp_cnt", count(), where=kind("impression")),
    Ratio("ctr_7d", "view_cnt_7d", "imp_cnt_7d", alpha="50", prior="0.06"),
    Feature("contact_cnt_30d", count(), where=kind("call", "im"), window="30d"),
    Ratio("contact_rate_30d", "contact_cnt_30d", "view_cnt_30d", default="0"),

    each("7d 30d", "call_cnt", count(), where=kind("call")),
    Feature("call_sec_sum_30d", total("call_sec"), where=kind("call"), window="30d"),
    Feature("call_sec_avg_30d", average("call_sec"), where=kind("call"), window="30d"),
    Feature("call_sec_max_30d", maximum("call_sec"), where=kind("call"), window="30d", default="0"),
    Feature("last_call", last("listing_id", "series_id", "seller", "dealer_id", "call_sec"), where=kind("call")),
    Feature("first_contact", first("event_type", "listing_id", "series_id"), where=kind("call", "im")),

    liked("tag_pref", "series_id", "price_band", half_life="7d", within="60d", limit=20),
    liked("series_short", "series_id", half_life="12h", within="7d", limit=10),
    liked("series_long", "series_id", half_life="30d", within="180d", limit=20),
    liked("brand_pref", "brand_id", half_life="7d", within="60d", limit=10),
    liked("city_pref", "item_city", half_life="14d", within="90d", limit=5),
    Feature("nev_view_cnt_30d", count(), where=new_energy_view, window="30d"),
    Ratio("nev_share_30d", "nev_view_cnt_30d", "view_cnt_30d"),

    Feature("fav_price_min_90d", minimum("price"), where=kind("favorite"), window="90d"),
    Feature("fav_price_max_90d", maximum("price"), where=kind("favorite"), window="90d"),
    Feature("view_price_avg_30d", average("price"), where=kind("view"), window="30d"),
    Feature("view_price_variance_30d", variance("price"), where=kind("view"), window="30d"),
    Feature("price_band_hist_30d", histogram("price", BAND_EDGES), where=kind("view"), window="30d"),
    Feature("mileage_avg_30d", average("mileage_km"), where=kind("view"), window="30d"),

    favorites("fav_set", limit=50),
    favorites("fav_cnt", size=True),
    Feature("subscriptions", key_values("query", values=("event_time", "filters"), n=50, remove=kind("unsubscribe")),
            where=kind("subscribe", "unsubscribe")),
    Feature("active_days_30d", active_days(), where=acts, window=days("30d")),
    Feature("sessions_7d", sessions("30m"), where=acts, window="7d"),
    Feature("session_ms_avg_7d", sessions("30m", "avg_length"), where=acts, window="7d"),
    Feature("session_ms_now", sessions("30m", "current_length"), where=acts, window="7d", default="0"),

    each("7d 30d", "uniq_listings", distinct("listing_id"), where=kind("view")),
    Feature("last_views", last_n("listing_id", 50), where=kind("view"), window="30d"),
    Feature("last_search", last("query", "filters"), where=kind("search"), window="30d"),
    Feature("first_seen", minimum("recv_time")),
    Feature("last_seen", maximum("recv_time")))

LISTING = View(
    "listing", ["listing_id"],
    each("24h 7d", "imp_cnt", count(), where=kind("impression")),
    each("24h 7d all", "view_cnt", count(), where=kind("view")),
    ratios("24h 7d", "ctr", "view_cnt", "imp_cnt", alpha="100", prior="0.06"),
    Feature("calls_7d", count(), where=kind("call"), window="7d"),
    Feature("call_sec_avg_30d", average("call_sec"), where=kind("call"), window="30d"),
    Feature("dwell_ms_avg_7d", average("dwell_ms"), where=kind("view_end"), window="7d"),
    Feature("favs", total("favorite_step")),
    Feature("last_price", last("price")),
    Feature("price_min_30d", minimum("price"), window="30d"),
    Feature("price_max_30d", maximum("price"), window="30d"),
    Feature("first_seen", minimum("recv_time")),
    Feature("uniq_viewers_24h", distinct("device_id"), where=kind("view"), window="24h"),
    Feature("last_viewers", last_n("device_id", 20), where=kind("view"), window="24h"),
    Feature("viewer_cities", top_k("city_id", half_life="3d", limit=5), where=kind("view"),
            window=horizon("30d", "3d")))

SOURCE, VIEWS = EVENTS, [LISTING, USER]
