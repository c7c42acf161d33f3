-- What the archive reads. It changes nothing.

-- name: archived_session
-- One session, as it is stored.
select
    id as session_id, installation_id, started_at, last_seen_at, ended_at, end_reason, app_version, platform, timezone
from sessions
where id = :session_id

-- name: timeline_page
-- Some events of a session, in order, from the one after `after`. An event with a number has its place at the latest
-- time of all numbers up to its own, so that places follow the numbers whatever the clock did; one without has its place
-- at its own time. `since` lies before the session's start, so that older partitions are not looked at.
with placed as (
    select
        id, seq, at, received_at,
        case when seq is null then at else max(at) over (
            partition by seq is null order by seq, at, id rows unbounded preceding
        ) end as place
    from events
    where session_id = :session_id and received_at >= :since
),
numbered as (
    select id, received_at, row_number() over (order by place, seq nulls last, at, id) as number
    from placed
),
page as (
    select id, received_at, number
    from numbered
    where number > case when :after::uuid is null then 0 else (select number from numbered where id = :after) end
    order by number
    limit :limit
)
select events.id, name, at, raw_at, events.received_at, seq, props, is_cut
from page
join events using (received_at, id)
where session_id = :session_id and events.received_at >= :since
order by number

-- name: event_of_session
-- Whether a session has this event.
select exists (select from events where session_id = :session_id and received_at >= :since and id = :event_id)

-- name: first_session_at
-- When the oldest session that is kept was started; no event is older.
select min(started_at) from sessions

-- name: check
-- Nothing: whether there is a database that answers.
select from sessions limit 0

-- name: lose_slow_readers
-- For this transaction: its snapshot keeps dead rows alive, so who does not read on loses it.
select set_config('idle_in_transaction_session_timeout', :limit, true)

-- name: exported_events
-- The raw events of a time, in the order in which they are stored, which is about that of their receipt: sorting them
-- would keep the first one back until the last one is read.
select
    received_at, session_id::text, installation_id::text, id::text, name, at, raw_at, seq, props, is_cut
from events
where received_at >= :since and received_at < :until
