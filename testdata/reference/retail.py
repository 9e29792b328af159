"""The job retail, restated by hand from jobs/retail; a test compares the names."""

from definitions import (Feature, View, active_days, average, count, days, distinct, each, element_set, first,
                         histogram, horizon, key_values, last, last_n, maximum, minimum, ratios, sessions, top_k,
                         total, variance)
from records import Source


def revenue(e):
    if e.quantity is None or e.price is None:
        return None
    units = e.quantity * e.price
    return units if -2**63 <= units < 2**63 else None  # int64 overflows to null


def is_sale(e):
    return e.quantity is not None and e.price is not None and e.quantity > 0 and e.price > 0


LINES = Source(
    "lines",
    event_time="invoice_time",
    fields={
        "invoice": "string required",
        "stock_code": "string required",
        "description": "string",
        "quantity": "int32",
        "invoice_time": "time required",
        "price": "decimal(3)",
        "customer_id": "string",
        "country": "string",
    },
    columns={
        "revenue": ("decimal(3)", revenue),
        "is_sale": ("bool", is_sale),
        "is_return": ("bool", lambda e: e.invoice.startswith("C")),
    })


def sale(e):
    return e.is_sale


def returned(e):
    return e.is_return


def kept(name, **more):
    return Feature(name, element_set("stock_code", n=500, remove=returned, **more), where=lambda e: e.is_sale or e.is_return)


CUSTOMER = View(
    "customer", ["customer_id"],
    each("30d 90d all", "lines", count()),
    each("30d 90d all", "units", total("quantity")),
    each("30d 90d all", "revenue", total("revenue")),
    each("90d all", "return_lines", count(), where=returned),
    ratios("90d all", "returns_share", "return_lines", "lines"),
    Feature("line_revenue_avg_all", average("revenue"), where=sale),
    Feature("line_revenue_max_90d", maximum("revenue"), where=sale, window="90d", default='"0.000"'),
    Feature("line_revenue_variance_all", variance("revenue"), where=sale),
    Feature("quantity_hist_90d", histogram("quantity", [2, 6, 12, 24, 100]), where=sale, window="90d"),
    each("30d 90d all", "items", distinct("stock_code"), where=sale),
    Feature("top_items", top_k("stock_code", weight="quantity", half_life="30d", limit=10), where=sale,
            window=horizon("360d", "30d")),
    kept("kept_items", limit=20),
    kept("kept_items_cnt", size=True),
    Feature("active_days_90d", active_days(), window=days("90d")),
    Feature("active_days_all", active_days(), window=days("all")),
    Feature("seasons_360d", sessions("28d"), where=sale, window="360d"),
    Feature("season_ms_avg_360d", sessions("28d", "avg_length"), where=sale, window="360d"),
    Feature("last_items", last_n("stock_code", 20), where=sale),
    Feature("last_line", last("invoice", "stock_code", "description", "quantity", "price", "country")),
    Feature("first_line", first("invoice", "stock_code", "quantity", "price")),
    Feature("first_seen", minimum("invoice_time")),
    Feature("last_seen", maximum("invoice_time")))

ITEM = View(
    "item", ["stock_code"],
    each("7d 30d all", "units", total("quantity"), where=sale),
    each("30d all", "revenue", total("revenue")),
    Feature("lines_all", count()),
    each("90d all", "price_min", minimum("price"), where=sale),
    each("90d all", "price_max", maximum("price"), where=sale),
    Feature("price_avg_90d", average("price"), where=sale, window="90d"),
    Feature("country_prices", key_values("country", values=("price", "quantity"), n=50), where=sale),
    Feature("price_variance_90d", variance("price"), where=sale, window="90d"),
    Feature("price_hist_90d", histogram("price", [500, 1000, 2000, 5000, 10000, 20000]), where=sale, window="90d"),
    each("30d all", "buyers", distinct("customer_id"), where=sale),
    Feature("last_sale", last("price", "quantity", "customer_id", "country"), where=sale),
    Feature("first_description", first("description")),
    Feature("last_buyers", last_n("customer_id", 20), where=sale),
    Feature("top_countries", top_k("country", weight="quantity", half_life="30d", limit=5), where=sale,
            window=horizon("180d", "30d")))

SOURCE, VIEWS = LINES, [CUSTOMER, ITEM]
