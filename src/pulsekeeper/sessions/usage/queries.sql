-- Figures about sessions, and the roll-ups that they are read from.

-- name: take_turn_at_accounting
-- Whether nobody else is at it. The lock is the session's, so that a node that dies lets go of it.
select pg_try_advisory_lock(7308324466019233136)

-- name: wait_for_turn_at_accounting
-- The same for somebody who has the time to wait.
select pg_advisory_lock(7308324466019233136)

-- name: end_turn_at_accounting
-- Lets the next node have its turn.
select pg_advisory_unlock(7308324466019233136)

-- name: stale_sessions
-- Some of the sessions that have changed since they were worked out, those first that have waited longest, with how many
-- events they have, and what these say of stories: as JSON, which can be read in a thread. Escapes that PostgreSQL cannot
-- turn into text are in no story's name.
select
    stale.id, changes, coalesce(ended_at, last_seen_at) as until, events, coalesce(stories, '[]') as stories
from (
    select * from sessions where stale_since <= :until order by stale_since, started_at limit :limit
) as stale
cross join lateral (
    select count(*) as events
    from events
    where
        session_id = stale.id
        and received_at >= started_at - interval '2 hours'
        and received_at <= coalesce(ended_at, last_seen_at) + :late::interval + interval '2 hours'
) as counted
cross join lateral (
    select json_agg(json_build_array(seq, at, opens, story)) as stories
    from (
        select
            seq, at, name = :opened_event as opens,
            case
                when props::text like '%\\u%' and props::text ~* '\\u(0000|d[89a-f])' then ''
                else coalesce(props ->> :story_property::text, '')
            end as story
        from events
        where
            session_id = stale.id
            and received_at >= started_at - interval '2 hours'
            and received_at <= coalesce(ended_at, last_seen_at) + :late::interval + interval '2 hours'
            and name in (:opened_event, :closed_event)
        order by seq, at
        limit :most
    ) as about_stories
) as told

-- name: hold_installations_of
-- Keeps these sessions from being erased until the transaction ends. Installations are always locked before sessions.
select id
from installations
where id in (select installation_id from sessions where id = any(:ids::uuid[]))
order by id
for no key update

-- name: account
-- Writes what was worked out of sessions, where they are as they were when they were read: their events are counted, the
-- difference to what was counted before goes to the roll-up, and who has become active is told from it. The counts are of
-- the same moment as the check, because an event is stored together with the change that it is. Tells how many sessions
-- were written, and in which quarters something is less than before: nothing may be left of it there.
with given as (
    select id, changes, until, story_seconds, stories_unclosed
    from unnest(
        :ids::uuid[], :changes::bigint[], :untils::timestamptz[], :story_seconds::double precision[],
        :stories_unclosed::bigint[]
    ) as given (id, changes, until, story_seconds, stories_unclosed)
),
held as (
    select
        sessions.id, installation_id, started_at, coalesce(ended_at, last_seen_at) as heard_at,
        given.until, given.story_seconds, given.stories_unclosed
    from sessions
    join given using (id)
    where sessions.changes = given.changes and stale_since is not null
    order by sessions.id
    for update of sessions
),
counted as (
    select held.id, extract(epoch from start)::bigint / 900 as quarter, name, value, events
    from held
    cross join lateral (
        select
            date_bin('15 minutes', at, 'epoch') as start,
            name,
            case
                when name not in (:opened_event, :closed_event, :page_event) then ''
                when props::text like '%\\u%' and props::text ~* '\\u(0000|d[89a-f])' then ''
                when name = :page_event then coalesce(props ->> :page_property::text, '')
                else coalesce(props ->> :story_property::text, '')
            end as value,
            count(*) as events
        from events
        where
            session_id = held.id
            and received_at >= started_at - interval '2 hours'
            and received_at <= heard_at + :late::interval + interval '2 hours'
        group by 1, 2, 3
        order by events desc, 1, 2, 3
        limit :most
    ) as counts
),
packed as (
    select
        id, jsonb_agg(jsonb_build_array(quarter, name, value, events)) as counts,
        bool_or(name <> all(:own_events::text[])) as acted
    from counted
    group by id
),
outdated as (
    select
        (entry ->> 0)::bigint as quarter, entry ->> 1 as name, entry ->> 2 as value, (entry ->> 3)::bigint as events
    from held
    join session_rollups on session_id = held.id
    cross join jsonb_array_elements(counts) as entry
),
difference as (
    select quarter, name, value, sum(events)::bigint as events
    from (
        select quarter, name, value, events from counted
        union all
        select quarter, name, value, -events from outdated
    ) as changed
    group by quarter, name, value
    having sum(events) <> 0
),
settled as (
    update sessions
    set
        stale_since = null,
        acted = coalesce(packed.acted, false),
        story_seconds = held.story_seconds,
        stories_unclosed = held.stories_unclosed,
        open_until = case when held.stories_unclosed > 0 then held.until end
    from held
    left join packed using (id)
    where sessions.id = held.id
    returning sessions.installation_id, sessions.started_at, heard_at, sessions.acted
),
kept as (
    insert into session_rollups (session_id, counts)
    select held.id, coalesce(packed.counts, '[]')
    from held
    left join packed using (id)
    on conflict (session_id) do update set counts = excluded.counts
),
rolled as (
    insert into event_rollups (quarter, name, value, events)
    select to_timestamp(quarter * 900), name, value, events from difference order by quarter, name, value
    on conflict (quarter, name, value) do update set events = event_rollups.events + excluded.events
),
active as (
    select installation_id, min(started_at) as earliest
    from settled
    where acted and heard_at >= started_at + :long::interval
    group by installation_id
),
known as (
    update installations
    set first_active_at = earliest
    from active
    where installations.id = active.installation_id and (first_active_at is null or first_active_at > earliest)
)
select
    (select count(*) from settled) as accounted,
    array(select distinct to_timestamp(quarter * 900) from difference where events < 0) as lessened

-- name: forget_empty_counts
-- Deletes what has not happened after all. Below nothing is what was taken out of a quarter that is deleted already,
-- because it is past the retention.
delete from event_rollups where quarter = any(:quarters::timestamptz[]) and events <= 0

-- name: next_unsettled_quarter
-- The first quarter of an hour, of those from a moment to the present, whose presence was not worked out, or may still
-- change. They begin with the first session, or with one that was erased since.
select min(start)
from generate_series(
    least(
        date_bin('15 minutes', (select min(started_at) from sessions), 'epoch'),
        (select min(quarter) from presence_rollups)
    ),
    :now::timestamptz,
    '15 minutes'
) as start
where
    start >= :since
    and not exists (select from presence_rollups where quarter = start and is_final)

-- name: work_out_presence
-- The most sessions that were present at one time in each quarter of an hour between two. A session is present from its
-- start until two intervals after its last sign of life, or until somebody ended it, if that was before; but not while it
-- was away. Late events may move its end later, and yet nobody heard of it in between.
-- A quarter is final when it was worked out again after everything about it is known, and after everybody is done who was
-- at work when it was written before: an erasure may have begun when there was no row that it could have forgotten.
with spans as (
    select lower(span) as since, upper(span) as until
    from sessions
    cross join unnest(
        tstzmultirange(tstzrange(
            started_at,
            greatest(started_at, least(
                last_seen_at + :fresh::interval,
                case when end_reason in ('explicit', 'consent', 'replaced') then ended_at else :now::timestamptz end
            ))
        ))
        * tstzmultirange(tstzrange(:start, :until)) - away
    ) as span
    where started_at < :until and started_at >= :start::timestamptz - :longest::interval
),
steps as (
    select since as at, 1 as step from spans
    union all
    select until, -1 from spans
    union all
    select start, 0
    from generate_series(:start::timestamptz, :until::timestamptz - interval '15 minutes', '15 minutes') as start
),
levels as (
    select at, sum(sum(step)) over (order by at) as present
    from steps
    group by at
),
peaks as (
    select date_bin('15 minutes', at, 'epoch') as quarter, max(present)::bigint as peak
    from levels
    where at < :until
    group by 1
)
insert into presence_rollups (quarter, peak, is_final)
select quarter, peak, false from peaks order by quarter
on conflict (quarter) do update
set
    peak = excluded.peak,
    is_final = excluded.quarter < :settled_before
    and age(presence_rollups.xmin) > age(pg_snapshot_xmin(pg_current_snapshot())::xid)
where not presence_rollups.is_final

-- name: mark_stale
-- Has some sessions worked out again, in the order of their starts, from one of them on.
with lot as (
    select id, started_at
    from sessions
    where started_at >= :since and (started_at, id) > (:after_start, :after_id)
    order by started_at, id
    limit :limit
),
held as (
    select sessions.id from sessions join lot using (id) order by sessions.id for update of sessions
),
marked as (
    update sessions
    set stale_since = least(stale_since, :now), changes = changes + 1
    from held
    where sessions.id = held.id
)
select started_at, id from lot order by started_at desc, id desc limit 1

-- name: take_out_counts
-- Takes what happened since a quarter out of what is counted of the sessions that were marked.
update session_rollups
set counts = coalesce(
    (
        select jsonb_agg(entry)
        from jsonb_array_elements(counts) as entry
        where (entry ->> 0)::bigint < extract(epoch from :since::timestamptz)::bigint / 900
    ),
    '[]'
)
from sessions
where sessions.id = session_id and started_at >= :marked_since

-- name: take_out_events
-- Takes what happened since a quarter out of the roll-up.
delete from event_rollups where quarter >= :since

-- name: take_out_presence
-- The same for presence.
with held as materialized (
    select quarter from presence_rollups where quarter >= :since order by quarter for update
)
delete from presence_rollups using held where presence_rollups.quarter = held.quarter

-- name: count_stale
-- How many sessions have waited to be worked out since a moment, or for longer.
select count(*) from sessions where stale_since <= :until

-- name: measure_sessions
-- The sessions that were started in a bucket, or before the first one, by the reason of their end: how many, how many of
-- them ended in the same bucket, in which ones the others did, the lengths in seconds of those that are over, and for how
-- long their stories were open. A place that is none of the buckets' is before or after all of them. No session is longer
-- than `longest`. Buckets are looked up one by one, for then nothing is sorted, whatever the server expects.
select (bucket.place - 2)::integer as place, counted.*
from unnest(
    array_prepend((:edges::timestamptz[])[1] - :longest::interval, :edges::timestamptz[]), :edges::timestamptz[]
) with ordinality as bucket (start, until, place)
cross join lateral (
    select
        end_reason as reason,
        count(*) as sessions,
        count(*) filter (where ended_at < bucket.until) as ended,
        coalesce(
            array_agg(width_bucket(ended_at, :edges::timestamptz[]) - 1) filter (where ended_at >= bucket.until), '{}'
        ) as later_ends,
        coalesce(
            array_agg(date_part('epoch', ended_at - started_at)) filter (where ended_at is not null), '{}'
        ) as lengths,
        sum(story_seconds) + coalesce(
            sum(stories_unclosed * date_part('epoch', coalesce(ended_at, last_seen_at) - open_until))
            filter (where open_until is not null),
            0
        ) as story_seconds,
        sum(stories_unclosed)::bigint as stories_unclosed
    from sessions
    where started_at >= bucket.start and started_at < bucket.until
    group by end_reason
) as counted
order by place

-- name: plan_for_values
-- Has the statements of a transaction planned for the values that they are given: without them, a month looks like a few
-- rows, which are best sorted.
select set_config('plan_cache_mode', 'force_custom_plan', true)

-- name: list_activity
-- For each installation that was active, a text with a 1 for the buckets in which it was and a 0 for the others, and the
-- bucket in which it was so for the first time ever. What the accountant has not told the installations yet is seen in the
-- sessions.
select places, width_bucket(least(first_active_at, earliest), :edges::timestamptz[]) - 1 as first_place
from (
    select
        installation_id,
        bit_or(
            set_bit(repeat('0', :count::integer)::varbit, width_bucket(started_at, :edges::timestamptz[]) - 1, 1)
        )::text as places,
        min(started_at) as earliest
    from sessions
    where
        started_at >= :start and started_at < :until
        and acted and coalesce(ended_at, last_seen_at) >= started_at + :long::interval
    group by installation_id
) as active
join installations on installations.id = installation_id

-- name: count_events
-- How often what happened, by bucket and name: what the full hours say, and the quarters between them and the midnights.
select (place - 1)::integer as place, name, sum(events)::bigint as events
from unnest(:starts::timestamptz[], :ends::timestamptz[]) with ordinality as bucket (start, until, place)
cross join lateral (
    select date_bin('1 hour', start, 'epoch') as first_hour, date_bin('1 hour', until, 'epoch') as last_hour
) as hours
cross join lateral (
    select name, events
    from event_sums
    where span = 'hour' and event_sums.start >= first_hour and event_sums.start < last_hour
    union all
    select name, events from event_rollups where quarter >= last_hour and quarter < bucket.until
    union all
    select name, -events from event_rollups where quarter >= first_hour and quarter < bucket.start
) as counted
group by place, name
having sum(events) <> 0

-- name: count_values
-- How often what was done to which story or page, in all buckets together. The same of UTC's days.
with days as (
    select
        date_bin('1 day', :start::timestamptz, 'epoch') as first_day,
        date_bin('1 day', :until::timestamptz, 'epoch') as last_day
)
select name, value, sum(events)::bigint as events
from days
cross join lateral (
    select name, value, events
    from event_sums
    where span = 'day' and event_sums.start >= first_day and event_sums.start < last_day
    union all
    select name, value, events from event_rollups where quarter >= last_day and quarter < :until and value <> ''
    union all
    select name, value, -events from event_rollups where quarter >= first_day and quarter < :start and value <> ''
) as counted
group by name, value
having sum(events) <> 0

-- name: list_peaks
-- The most sessions that were present at one time, by bucket.
select width_bucket(quarter, :edges::timestamptz[]) - 1 as place, max(peak) as peak
from presence_rollups
where quarter >= :start and quarter < :until
group by place

-- name: look_at_present
-- How many sessions are open and were heard of lately, and whether none has waited long to be worked out.
select
    (select count(*) from sessions where ended_at is null and last_seen_at >= :fresh_since) as present,
    not exists (select from sessions where stale_since < :behind_since) as is_current
