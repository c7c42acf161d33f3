-- Who is using it: sessions of installations that have said yes, and what happened in them.

-- The secrets that sign the tokens of sessions. The one with the highest id signs; it and the one before are believed.
create table session_keys (
    id         bigint primary key,
    secret     bytea not null check (octet_length(secret) = 32),
    created_at timestamptz not null
);

-- One row an installation: an id that the service has made, and the statement of consent. Nothing leads to a person.
-- The row outlives a withdrawal, so that whatever comes later can be refused.
create table installations (
    id              uuid primary key,
    first_at        timestamptz not null,
    consented_at    timestamptz not null,
    consent_version text,
    withdrawn_at    timestamptz,
    first_active_at timestamptz
);

-- One row a session. It is rewritten whenever its client speaks, so pages keep room for the new version beside the old
-- one, and no index has a column that changes with every call: `check_at` is a deadline that is put off lazily, when it
-- is reached, and `stale_since` stays as it is until the roll-ups have caught up. `is_withdrawn` repeats what the
-- installation's row says of its sessions so far: who holds a session's row knows by it alone whether events are taken.
-- For how long stories were open is worked out with the roll-ups; unclosed ones count until `open_until`, and the signs of
-- life that come after it are added when the figures are read.
-- Columns of a fixed size that always have a value come first: what stands behind others takes longer to get at, which is
-- felt where all sessions of a month are read.
create table sessions (
    id               uuid primary key,
    installation_id  uuid not null,
    started_at       timestamptz not null,
    last_seen_at     timestamptz not null,
    check_at         timestamptz not null,
    changes          bigint not null default 0,
    story_seconds    double precision not null default 0,
    stories_unclosed bigint not null default 0,
    acted            boolean not null default false,
    is_withdrawn     boolean not null default false,
    ended_at         timestamptz,
    end_reason       text check (end_reason in ('explicit', 'timeout', 'consent', 'max_length', 'replaced')),
    stale_since      timestamptz,
    open_until       timestamptz,
    away             tstzmultirange not null default '{}',
    app_version      text,
    platform         text,
    timezone         text,
    check ((ended_at is null) = (end_reason is null))
) with (fillfactor = 70);
create index sessions_open on sessions (check_at) where ended_at is null;
create index sessions_started on sessions (started_at);
create index sessions_installation on sessions (installation_id);
create index sessions_stale on sessions (stale_since, started_at) where stale_since is not null;

-- Why a session is over at a moment, if nobody has said anything about its end; null while it is alive. Intervals are to
-- have no days in them: a day is as long as the server's time zone says, and so not always 24 hours.
create function silence(
    started_at timestamptz, last_seen_at timestamptz, moment timestamptz, timeout interval, max_length interval
) returns text language sql stable parallel safe return case
    when last_seen_at + timeout >= moment and started_at + max_length >= moment then null
    when started_at + max_length < last_seen_at + timeout then 'max_length'
    else 'timeout'
end;

-- What happened, as it was received. `at` is corrected by what is known of the client's clock, `raw_at` is what it said.
create table events (
    received_at     timestamptz not null,
    session_id      uuid not null,
    installation_id uuid not null,
    id              uuid not null,
    name            text not null,
    at              timestamptz not null,
    raw_at          timestamptz,
    seq             bigint,
    props           json,
    is_cut          boolean not null
) partition by range (received_at);
create index events_session on events (session_id);
create table events_default partition of events default;

-- Every event that is stored, under the id that its client gave it. It is apart because a table that is kept by the day
-- cannot promise that an id is there once: a retry may come on another day.
create table event_ids (
    installation_id uuid not null,
    event_id        uuid not null,
    primary key (installation_id, event_id)
);

-- What has been counted of a session's events: its share of `event_rollups`, as [[quarter, name, value, events], …], so
-- that it can be taken out again.
create table session_rollups (
    session_id uuid primary key,
    counts     jsonb not null
);

-- Events by the quarter of an hour in which they happened (every zone's midnight is at a quarter), by name, and by the
-- story or page that they were about, or ''.
create table event_rollups (
    quarter timestamptz not null,
    name    text not null,
    value   text not null,
    events  bigint not null,
    primary key (quarter, name, value)
);

-- Sums of `event_rollups` that a month can be read from in little time: by the hour and name, with '' as the value, and by
-- UTC's day, name and value, where there is one. Most zones' midnights are at a full hour; the quarters between a midnight
-- and the full hour or day are read from `event_rollups`.
create table event_sums (
    span   text not null check (span in ('hour', 'day')),
    start  timestamptz not null,
    name   text not null,
    value  text not null,
    events bigint not null,
    primary key (span, start, name, value)
);

-- Keeps the sums with whatever is written to the roll-up, whoever does it: they cannot differ. Transactions take turns,
-- because nearly all of them write the sums of the same day, and some more than once.
create function sum_up_events() returns trigger language plpgsql as $$
begin
    perform pg_advisory_xact_lock(7308324466019233137);
    execute format(
        $sql$
            insert into event_sums (span, start, name, value, events)
            select span, start, name, sums.value, sum(events)
            from (%s) as changed
            cross join lateral (values
                ('hour', date_bin('1 hour', quarter, 'epoch'), ''),
                ('day', date_bin('1 day', quarter, 'epoch'), changed.value)
            ) as sums (span, start, value)
            where span = 'hour' or sums.value <> ''
            group by 1, 2, 3, 4
            having sum(events) <> 0
            on conflict (span, start, name, value) do update set events = event_sums.events + excluded.events
        $sql$,
        case tg_op
            when 'INSERT' then 'select * from added'
            when 'DELETE' then 'select quarter, name, value, -events as events from removed'
            else 'select * from added union all select quarter, name, value, -events from removed'
        end
    );
    if tg_op <> 'INSERT' then  -- nothing is left of what was erased, not even its name
        delete from event_sums
        using (select min(quarter) as first, max(quarter) as last from removed) as removed
        where
            span in ('hour', 'day') and start > removed.first - interval '1 day' and start <= removed.last
            and events = 0;
    end if;
    return null;
end
$$;
create trigger event_rollups_inserted after insert on event_rollups
referencing new table as added for each statement execute function sum_up_events();
create trigger event_rollups_updated after update on event_rollups
referencing old table as removed new table as added for each statement execute function sum_up_events();
create trigger event_rollups_deleted after delete on event_rollups
referencing old table as removed for each statement execute function sum_up_events();

-- The most sessions that were open and fresh at one time in a quarter of an hour. The last ones may still change.
create table presence_rollups (
    quarter  timestamptz primary key,
    peak     bigint not null,
    is_final boolean not null
);
