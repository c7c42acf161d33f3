-- name: pages
-- How many pages a table has, 0 where there is no such table.
select coalesce(pg_relation_size(to_regclass(:table)) / current_setting('block_size')::bigint, 0)

-- name: forget_event_ids
-- Takes out the ids of events that were received in a span of time and stand on some pages of their partition. It goes
-- by pages because a partition has no index on its ids, and because its pages stay what they are when the ids are gone.
-- Each id is looked for by its key, however many the server expects on the pages, and locked in the order of keys.
with old as (
    select installation_id, id
    from events
    where received_at >= :start and received_at < :end and ctid >= :first::tid and ctid < :last::tid
    order by installation_id, id
),
gone as (
    select taken.ctid
    from old
    cross join lateral (
        select ctid
        from event_ids
        where event_ids.installation_id = old.installation_id and event_ids.event_id = old.id
        limit 1
        for update
    ) as taken
)
delete from event_ids where ctid = any(array(select ctid from gone))

-- name: delete_sessions
-- Deletes some of the sessions that ended too long ago, with what was worked out of them. Who is being written to is
-- passed over. None ends before it starts, so the index on the start finds them.
with gone as (
    select id
    from sessions
    where started_at < :before and ended_at < :before
    order by started_at
    limit :limit
    for update skip locked
),
unrolled as (
    delete from session_rollups using gone where session_rollups.session_id = gone.id
),
deleted as (
    delete from sessions using gone where sessions.id = gone.id returning sessions.id
)
select count(*) from deleted

-- name: delete_event_rollups
-- Deletes some of the figures of quarters of an hour that are too long ago. Those that somebody is at are passed over.
delete from event_rollups
where ctid = any(array(select ctid from event_rollups where quarter < :before limit :limit for update skip locked))

-- name: delete_presence_rollups
-- The same of presence.
delete from presence_rollups
where ctid = any(array(select ctid from presence_rollups where quarter < :before limit :limit for update skip locked))
