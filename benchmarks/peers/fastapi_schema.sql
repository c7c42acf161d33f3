-- The tables of `fastapi_decide`: as ours, without the days' partitions of the log.
create table visitors (
    person_key   text primary key,
    version      bigint not null,
    last_seen_at timestamptz not null,
    state        jsonb not null
) with (fillfactor = 70);

create table decision_log (
    decision_id  uuid primary key,
    decided_at   timestamptz not null,
    person_key   text not null,
    request      json not null,
    state_before json,
    reply        json not null,
    reasons      json not null
);
create index decision_log_person on decision_log (person_key);
