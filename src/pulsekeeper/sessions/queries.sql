-- name: hold_installations
-- Keeps these installations from everybody else until the transaction ends. The statement that waits for another start
-- does not see the session of it; the next one does.
select from installations where id = any(:ids::uuid[]) order by id for update

-- name: start_sessions
-- Opens sessions. A known installation agrees anew; one that nobody knows gets the id that it is offered. Where a session
-- takes the place of others, those end at their last sign of life.
with given as materialized (
    select *
    from unnest(
        :ats::timestamptz[], :session_ids::uuid[], :known_as::uuid[], :otherwise::uuid[], :consent_versions::text[],
        :app_versions::text[], :platforms::text[], :timezones::text[], :replaces::boolean[]
    ) with ordinality as given (
        at, session_id, known_as, otherwise, consent_version, app_version, platform, timezone, replaces, place
    )
),
known as materialized (
    select id from installations where id = any(:known_as::uuid[]) order by id for update
),
opening as materialized (
    select
        given.*,
        is_known,
        installation_id,
        coalesce(bool_or(replaces) over (
            partition by installation_id order by place rows between 1 following and unbounded following
        ), false) as is_replaced
    from given
    cross join lateral (select coalesce(known_as = any(array(select id from known)), false) as is_known) as looked_up
    cross join lateral (select case when is_known then known_as else otherwise end as installation_id) as settled
),
renewed as (
    update installations
    set consented_at = latest.at, consent_version = latest.consent_version, withdrawn_at = null
    from (
        select distinct on (installation_id) installation_id, at, consent_version
        from opening
        where is_known
        order by installation_id, place desc
    ) as latest
    where installations.id = latest.installation_id
),
added as (
    insert into installations (id, first_at, consented_at, consent_version)
    select installation_id, at, at, consent_version from opening where not is_known
),
replacing as materialized (
    select installation_id, max(at) as at from opening where replaces group by installation_id
),
replaced as materialized (
    select sessions.id, replacing.at
    from sessions
    join replacing using (installation_id)
    where
        ended_at is null and sessions.installation_id = any(array(select installation_id from opening where replaces))
    order by sessions.id
    for update of sessions
),
ended as (
    update sessions
    set
        ended_at = last_seen_at,
        end_reason = coalesce(
            silence(
                started_at, last_seen_at, replaced.at,
                make_interval(secs => :timeout), make_interval(secs => :max_length)
            ),
            'replaced'
        ),
        changes = changes + 1,
        stale_since = coalesce(stale_since, replaced.at)
    from replaced
    where sessions.id = replaced.id
),
opened as (
    insert into sessions (
        id, installation_id, started_at, last_seen_at, ended_at, end_reason, check_at, changes, stale_since,
        app_version, platform, timezone
    )
    select
        session_id, installation_id, at, at,
        case when is_replaced then at end,
        case when is_replaced then 'replaced' end,
        at + least(make_interval(secs => :timeout), make_interval(secs => :max_length)),
        1, at, app_version, platform, timezone
    from opening
)
select installation_id from opening order by place

-- name: speak
-- Stores signs of life, ends and events of sessions, and tells how each session stood. The columns come as text, which
-- costs the client a tenth of what arrays do; null where there are no events.
select *
from hear_sessions(
    :session_ids::text::uuid[], :installation_ids::text::uuid[], :first_ats::text::timestamptz[],
    :last_ats::text::timestamptz[], :ends::text::boolean[], :tells::text::boolean[], :acts::text::boolean[],
    :timeout, :max_length, :late, :fresh, :long,
    :call_sessions::text::integer[], :call_ats::text::timestamptz[], :call_acts::text::boolean[],
    :event_calls::text::integer[], :event_ids::text::uuid[], :names::text::text[], :event_ats::text::timestamptz[],
    :raw_ats::text::timestamptz[], :seqs::text::bigint[], string_to_array(:props, :separator, ''),
    :cuts::text::boolean[]
)

-- name: withdrawn_installations
-- Which of these have taken their consent back, as it is now.
select id from installations where id = any(:ids::uuid[]) and withdrawn_at is not null

-- name: withdraw_consent
-- Marks an installation, and keeps its row from everybody else until the transaction ends.
update installations
set
    withdrawn_at = coalesce(withdrawn_at, :at),
    consent_version = case when not :erase::boolean then consent_version end,
    first_active_at = case when not :erase::boolean then first_active_at end
where id = :id
returning id

-- name: withdraw_sessions
-- Ends the open sessions of an installation, and takes no more events of any. The rows are held until the transaction
-- ends.
with held as materialized (
    select id from sessions where installation_id = :id order by id for update
)
update sessions
set
    is_withdrawn = true,
    ended_at = coalesce(ended_at, last_seen_at),
    end_reason = coalesce(
        end_reason,
        silence(
            started_at, last_seen_at, :at, make_interval(secs => :timeout), make_interval(secs => :max_length)
        ),
        'consent'
    ),
    changes = changes + (ended_at is null)::integer,
    stale_since = case when ended_at is null then coalesce(stale_since, :at) else stale_since end
from held
where sessions.id = held.id and not is_withdrawn

-- name: has_sessions
-- Whether an installation has anything to erase.
select exists (select from sessions where installation_id = :id)

-- name: take_out_of_presence
-- Forgets the peaks of the quarters in which an installation's sessions were there: they are worked out again. Whoever
-- writes several of them holds them in the order of time.
with held as materialized (
    select quarter
    from presence_rollups
    where
        quarter = any(array(
            select quarter
            from presence_rollups
            join sessions
                on quarter > started_at - interval '15 minutes'
                and quarter <= coalesce(ended_at, last_seen_at) + make_interval(secs => :fresh)
            where installation_id = :id
        ))
    order by quarter
    for update
)
delete from presence_rollups using held where presence_rollups.quarter = held.quarter

-- name: take_out_of_counts
-- Takes the counts of an installation's sessions out of the sums, and forgets them.
with gone as (
    delete from session_rollups
    using sessions
    where session_id = sessions.id and installation_id = :id
    returning counts
),
less as materialized (
    select
        to_timestamp((count ->> 0)::bigint * 900) as quarter,
        count ->> 1 as name,
        count ->> 2 as value,
        sum((count ->> 3)::bigint) as events
    from gone
    cross join lateral jsonb_array_elements(counts) as count
    group by 1, 2, 3
),
held as materialized (
    select event_rollups.quarter, event_rollups.name, event_rollups.value, event_rollups.events - less.events as events
    from event_rollups
    join less using (quarter, name, value)
    order by 1, 2, 3
    for update of event_rollups
),
emptied as (
    delete from event_rollups as sums
    using held
    where
        (sums.quarter, sums.name, sums.value) = (held.quarter, held.name, held.value)
        and held.events <= 0
)
update event_rollups as sums
set events = held.events
from held
where (sums.quarter, sums.name, sums.value) = (held.quarter, held.name, held.value) and held.events > 0

-- name: erase_events
-- Deletes the events of an installation's sessions.
delete from events using sessions where events.session_id = sessions.id and sessions.installation_id = :id

-- name: erase_event_ids
-- Deletes the ids of an installation's events.
delete from event_ids where installation_id = :id

-- name: erase_sessions
-- Deletes the sessions of an installation.
delete from sessions where installation_id = :id

-- name: sweep
-- Ends sessions that have been silent for too long, and puts off the next look at those that have not. Rows that somebody
-- else is at are passed over.
with due as materialized (
    select id, started_at, last_seen_at
    from sessions
    where ended_at is null and check_at < :now
    order by check_at
    limit :limit
    for update skip locked
),
judged as materialized (
    select
        due.*,
        silence(
            started_at, last_seen_at, :now, make_interval(secs => :timeout), make_interval(secs => :max_length)
        ) as reason
    from due
),
swept as (
    update sessions
    set
        ended_at = case when reason is not null then judged.last_seen_at end,
        end_reason = reason,
        check_at = case
            when reason is not null then check_at
            else least(
                judged.last_seen_at + make_interval(secs => :timeout),
                judged.started_at + make_interval(secs => :max_length)
            )
        end,
        changes = changes + (reason is not null)::integer,
        stale_since = case when reason is not null then coalesce(stale_since, :now) else stale_since end
    from judged
    where sessions.id = judged.id
    returning reason
)
select
    count(reason) as ended,
    count(*) - count(reason) as put_off,
    count(*) filter (where reason = 'max_length') as overlong
from swept

-- name: next_check
-- When the first of the open sessions is to be looked at.
select min(check_at) from sessions where ended_at is null

-- name: session_keys
-- The keys that are believed, the one that signs first.
select id, secret from session_keys order by id desc limit 2

-- name: add_first_session_key
-- Keeps the key of the node that comes first; all others find it there.
insert into session_keys (id, secret, created_at)
select 1, :secret, :now
where not exists (select from session_keys)
on conflict (id) do nothing

-- name: add_session_key
-- Puts a newer key above all others. With a `before`, not if that would push out one under which tokens may be alive:
-- they were signed until the newest key was made.
insert into session_keys (id, secret, created_at)
select coalesce(max(id), 0) + 1, :secret, :now
from session_keys
having count(*) < 2 or :before::timestamptz is null or max(created_at) < :before

-- name: retire_session_keys
-- Forgets the keys that are not believed any more.
delete from session_keys
where id not in (select id from session_keys order by id desc limit 2)
