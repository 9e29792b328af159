-- The features of jobs/usedcar, as somebody would write them for DuckDB: one statement a view, each from the archive's
-- Parquet files to one Parquet file of profiles as of the newest event. Approximate where tidemark is (distinct), and where
-- the two differ DuckDB has less to do: it keeps no tiles that could be merged with anything later.
--
-- ARCHIVE and OUT are replaced by run.py.

create macro since(t, ms) as t > getvariable('newest') - ms;
create macro decayed(t, ms) as pow(0.5, (getvariable('newest') - t) / ms);

create view events as
select *, greatest(0, least(epoch_ms(event_time), epoch_ms(_append))) as t,
  case when price_cent < 3000000 then 0 when price_cent < 5000000 then 1 when price_cent < 8000000 then 2
    when price_cent < 10000000 then 3 when price_cent < 15000000 then 4 when price_cent < 20000000 then 5
    when price_cent < 30000000 then 6 when price_cent < 50000000 then 7 when price_cent is not null then 8 end as price_band,
  case when event_type in ('call', 'book') then 8 when event_type = 'im' then 5 when event_type = 'favorite' then 3
    when event_type = 'search' then 2 when event_type = 'view' then 1
    when event_type = 'view_end' and dwell_ms >= 30000 then 1
    when event_type = 'unfavorite' then -3 when event_type = 'dislike' then -8 else 0 end as interest,
  event_type in ('call', 'im') as is_contact,
  fuel in ('phev', 'electric', 'range_extender') as is_new_energy,
  case event_type when 'favorite' then 1 when 'unfavorite' then -1 else 0 end as favorite_step,
  coalesce(user_id, device_id) as visitor
from read_parquet('ARCHIVE/*/*/*.parquet') where _reject = 0;

set variable newest = (select max(t) from events);

copy (
with plain as (
  select visitor,
    count(*) filter (event_type = 'view' and since(t, 3600000)) as view_cnt_1h,
    count(*) filter (event_type = 'view' and since(t, 86400000)) as view_cnt_24h,
    count(*) filter (event_type = 'view' and since(t, 604800000)) as view_cnt_7d,
    count(*) filter (event_type = 'view' and since(t, 2592000000)) as view_cnt_30d,
    count(*) filter (event_type = 'view') as view_cnt_all,
    count(*) filter (event_type = 'impression' and since(t, 86400000)) as imp_cnt_24h,
    count(*) filter (event_type = 'impression' and since(t, 604800000)) as imp_cnt_7d,
    (view_cnt_7d + 50 * 0.06) / (imp_cnt_7d + 50) as ctr_7d,
    count(*) filter (is_contact and since(t, 2592000000)) as contact_cnt_30d,
    contact_cnt_30d / view_cnt_30d as contact_rate_30d,
    count(*) filter (event_type = 'call' and since(t, 604800000)) as call_cnt_7d,
    count(*) filter (event_type = 'call' and since(t, 2592000000)) as call_cnt_30d,
    sum(call_sec) filter (event_type = 'call' and since(t, 2592000000)) as call_sec_sum_30d,
    avg(call_sec) filter (event_type = 'call' and since(t, 2592000000)) as call_sec_avg_30d,
    max(call_sec) filter (event_type = 'call' and since(t, 2592000000)) as call_sec_max_30d,
    arg_max({l: listing_id, s: series_id, r: seller, d: dealer_id, c: call_sec}, t) filter (event_type = 'call') as last_call,
    arg_min({e: event_type, l: listing_id, s: series_id}, t) filter (is_contact) as first_contact,
    count(*) filter (event_type = 'view' and is_new_energy and since(t, 2592000000)) as nev_view_cnt_30d,
    nev_view_cnt_30d / view_cnt_30d as nev_share_30d,
    min(price_cent) filter (event_type = 'favorite' and since(t, 7776000000)) as fav_price_min_90d,
    max(price_cent) filter (event_type = 'favorite' and since(t, 7776000000)) as fav_price_max_90d,
    avg(price_cent) filter (event_type = 'view' and since(t, 2592000000)) as view_price_avg_30d,
    var_pop(price_cent) filter (event_type = 'view' and since(t, 2592000000)) as view_price_variance_30d,
    histogram(price_band) filter (event_type = 'view' and since(t, 2592000000)) as price_band_hist_30d,
    avg(mileage_km) filter (event_type = 'view' and since(t, 2592000000)) as mileage_avg_30d,
    count(distinct t // 86400000) filter (event_type <> 'impression' and since(t, 2592000000)) as active_days_30d,
    approx_count_distinct(listing_id) filter (event_type = 'view' and since(t, 604800000)) as uniq_listings_7d,
    approx_count_distinct(listing_id) filter (event_type = 'view' and since(t, 2592000000)) as uniq_listings_30d,
    arg_max({q: query, f: filters}, t) filter (event_type = 'search' and since(t, 2592000000)) as last_search,
    min(recv_time) as first_seen,
    max(recv_time) as last_seen
  from events where visitor is not null group by visitor
),
tags as (
  select visitor, max_by({s: series_id, b: price_band, w: w}, w, 20) as tag_pref from (
    select visitor, series_id, price_band, sum(interest * decayed(t, 604800000)) as w
    from events where interest <> 0 and since(t, 5184000000) and series_id is not null group by all)
  group by visitor
),
series as (
  select visitor, max_by({s: series_id, w: short}, short, 10) as series_short, max_by({s: series_id, w: long}, long, 20) as series_long from (
    select visitor, series_id, sum(interest * decayed(t, 43200000)) filter (since(t, 604800000)) as short,
      sum(interest * decayed(t, 2592000000)) as long
    from events where interest <> 0 and since(t, 15552000000) and series_id is not null group by all)
  group by visitor
),
brands as (
  select visitor, max_by({k: brand_id, w: w}, w, 10) as brand_pref from (
    select visitor, brand_id, sum(interest * decayed(t, 604800000)) as w
    from events where interest <> 0 and since(t, 5184000000) and brand_id is not null group by all)
  group by visitor
),
cities as (
  select visitor, max_by({k: item_city, w: w}, w, 5) as city_pref from (
    select visitor, item_city, sum(interest * decayed(t, 1209600000)) as w
    from events where interest <> 0 and since(t, 7776000000) and item_city is not null group by all)
  group by visitor
),
favorites as (
  select visitor, max_by(listing_id, t, 50) as fav_set, count(*) as fav_cnt from (
    select visitor, listing_id, max(t) as t, arg_max(event_type, t) as last
    from events where event_type in ('favorite', 'unfavorite') and listing_id is not null group by all)
  where last = 'favorite' group by visitor
),
subscribed as (
  select visitor, max_by({q: query, v: v}, t, 50) as subscriptions from (
    select visitor, query, max(t) as t, arg_max(event_type, t) as last, arg_max({t: event_time, f: filters}, t) as v
    from events where event_type in ('subscribe', 'unsubscribe') and query is not null group by all)
  where last = 'subscribe' group by visitor
),
visits as (
  select visitor, count(*) as sessions_7d, avg(length) as session_ms_avg_7d, arg_max(length, last) as session_ms_now from (
    select visitor, session, max(t) - min(t) as length, max(t) as last from (
      select visitor, t, count(*) filter (gap is null or gap > 1800000) over (partition by visitor order by t) as session from (
        select visitor, t, t - lag(t) over (partition by visitor order by t) as gap
        from events where event_type <> 'impression' and since(t, 604800000) and visitor is not null))
    group by all)
  group by visitor
),
viewed as (
  select visitor, max_by(listing_id, t, 50) as last_views from (
    select visitor, listing_id, max(t) as t
    from events where event_type = 'view' and listing_id is not null and since(t, 2592000000) group by all)
  group by visitor
)
select * from plain left join tags using (visitor) left join series using (visitor) left join brands using (visitor)
  left join cities using (visitor) left join favorites using (visitor) left join subscribed using (visitor)
  left join visits using (visitor) left join viewed using (visitor)
) to 'OUT/user.parquet';

copy (
with plain as (
  select listing_id,
    count(*) filter (event_type = 'impression' and since(t, 86400000)) as imp_cnt_24h,
    count(*) filter (event_type = 'impression' and since(t, 604800000)) as imp_cnt_7d,
    count(*) filter (event_type = 'view' and since(t, 86400000)) as view_cnt_24h,
    count(*) filter (event_type = 'view' and since(t, 604800000)) as view_cnt_7d,
    count(*) filter (event_type = 'view') as view_cnt_all,
    (view_cnt_24h + 100 * 0.06) / (imp_cnt_24h + 100) as ctr_24h,
    (view_cnt_7d + 100 * 0.06) / (imp_cnt_7d + 100) as ctr_7d,
    count(*) filter (event_type = 'call' and since(t, 604800000)) as calls_7d,
    avg(call_sec) filter (event_type = 'call' and since(t, 2592000000)) as call_sec_avg_30d,
    avg(dwell_ms) filter (event_type = 'view_end' and since(t, 604800000)) as dwell_ms_avg_7d,
    sum(favorite_step) as favs,
    arg_max(price_cent, t) as last_price,
    min(price_cent) filter (since(t, 2592000000)) as price_min_30d,
    max(price_cent) filter (since(t, 2592000000)) as price_max_30d,
    min(recv_time) as first_seen,
    approx_count_distinct(device_id) filter (event_type = 'view' and since(t, 86400000)) as uniq_viewers_24h
  from events where listing_id is not null group by listing_id
),
viewers as (
  select listing_id, max_by(device_id, t, 20) as last_viewers from (
    select listing_id, device_id, max(t) as t
    from events where event_type = 'view' and listing_id is not null and since(t, 86400000) group by all)
  group by listing_id
),
cities as (
  select listing_id, max_by({k: city_id, w: w}, w, 5) as viewer_cities from (
    select listing_id, city_id, sum(decayed(t, 259200000)) as w
    from events where event_type = 'view' and listing_id is not null and city_id is not null and since(t, 2592000000) group by all)
  group by listing_id
)
select * from plain left join viewers using (listing_id) left join cities using (listing_id)
) to 'OUT/listing.parquet';
