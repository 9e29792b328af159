#!/usr/bin/env python3
"""Makes the profiles of jobs/usedcar with DuckDB, from an archive of tidemark's: the yardstick of the full run.

    run.py ARCHIVE OUT [THREADS]

Prints one line of JSON: seconds of wall clock and CPU, how many events and profiles of each view, and the version. Needs
Python's package duckdb (pip install -r requirements.txt beside this file).
"""
import json
import pathlib
import sys
import time

import duckdb


def main():
    archive, out = sys.argv[1], pathlib.Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    sql = (pathlib.Path(__file__).parent / "usedcar.sql").read_text()
    db = duckdb.connect()
    db.execute(f"set threads = {int(sys.argv[3]) if len(sys.argv) > 3 else 2}")
    wall, cpu = time.monotonic(), time.process_time()
    db.execute(sql.replace("ARCHIVE", archive).replace("OUT", str(out)))
    wall, cpu = time.monotonic() - wall, time.process_time() - cpu
    one = lambda q: db.execute(q).fetchone()[0]
    print(json.dumps({
        "duckdb": duckdb.__version__, "seconds": wall, "cpu_seconds": cpu,
        "events": one("select count(*) from events"),
        "user": one(f"select count(*) from '{out}/user.parquet'"),
        "listing": one(f"select count(*) from '{out}/listing.parquet'"),
        "views": one(f"select sum(view_cnt_all)::bigint from '{out}/user.parquet'"),
    }))


main()
