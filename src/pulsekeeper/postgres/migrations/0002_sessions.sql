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
create table sessions (
    id               uuid primary key,
    installation_id  uuid not null,
    started_at       timestamptz not null,
    last_seen_at     timestamptz not null,
    ended_at         timestamptz,
    end_reason       text check (end_reason in ('explicit', 'timeout', 'consent', 'max_length', 'replaced')),
    check_at         timestamptz not null,
    is_withdrawn     boolean not null default false,
    acted            boolean not null default false,
    away             tstzmultirange not null default '{}',
    changes          bigint not null default 0,
    stale_since      timestamptz,
    story_seconds    double precision not null default 0,
    stories_unclosed bigint not null default 0,
    open_until       timestamptz,
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

-- The most sessions that were open and fresh at one time in a quarter of an hour. The last ones may still change.
create table presence_rollups (
    quarter  timestamptz primary key,
    peak     bigint not null,
    is_final boolean not null
);
