-- Signs of life, ends and events of sessions, as a function. As a statement of its own it was planned at most
-- executions, which took longer than carrying it out; in here each part is planned once a connection, and what a batch
-- has nothing of is skipped.
--
-- Sessions, calls and events come as arrays and are numbered from 1. A call has the number of its session, and an event
-- that of its call. Where there are no events, all that is about calls and events is null. A session is given once, with
-- the first and the last of its moments; `tells` says whether it has events, `acts` whether they are more than signs of
-- life. Seconds, and no intervals: those have days, which are as long as the server's time zone says.
--
-- Gives how each session stood, by its number; one that is not there is left out. `counts` is how many events of which
-- of the `calls` were stored, and both are null where all of all were.
--
-- Rows are held in one order by everybody: first all the sessions, by id, and then the event ids, by key. A session
-- that has been silent for too long is ended here just as the reaper would have; what it reports may still be taken.
--
-- The settings: a plan made for the arrays at hand always looks a little cheaper than one for any arrays, so that
-- PostgreSQL would plan each time; and even if it plans while the tables are empty, it must look rows up by their keys.
create function hear_sessions(
    session_ids uuid[], installation_ids uuid[], first_ats timestamptz[], last_ats timestamptz[], ends boolean[],
    tells boolean[], acts boolean[],
    timeout_seconds double precision, max_length_seconds double precision, late_seconds double precision,
    fresh_seconds double precision, long_seconds double precision,
    call_sessions integer[], call_ats timestamptz[], call_acts boolean[],
    event_calls integer[], event_ids uuid[], event_names text[], event_ats timestamptz[], raw_ats timestamptz[],
    event_seqs bigint[], event_props text[], event_cuts boolean[],
    out places integer[], out standings text[], out calls integer[], out counts integer[]
)
language plpgsql
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
    timeout constant interval := make_interval(secs => timeout_seconds);
    max_length constant interval := make_interval(secs => max_length_seconds);
    late constant interval := make_interval(secs => late_seconds);
    fresh constant interval := make_interval(secs => fresh_seconds);
    long constant interval := make_interval(secs => long_seconds);
    plain_ids uuid[];
    others integer[];
    standing_of text[];
    takes boolean[];  -- null: all do
    told boolean[] := tells;
    acted_now boolean[] := acts;
    latest_ats timestamptz[];
    new_installations uuid[];
    new_ids uuid[];
    is_new boolean[];  -- null: all are
    tally record;
    before record;
    is_alive boolean;
    seen_at timestamptz;
    over_at timestamptz;
    gap tstzmultirange;
    is_change boolean;
begin
    -- Whoever is alive, was heard of lately and goes on is plain: of nearly all sessions in nearly all batches nothing
    -- else has to be known.
    with held as materialized (
        select
            array_position(session_ids, id) as place,
            id, installation_id, started_at, last_seen_at, ended_at, end_reason, is_withdrawn
        from sessions
        where id = any(session_ids)
        order by id
        for update
    ),
    judged as materialized (
        select
            held.*,
            not is_withdrawn and coalesce(
                end_reason, silence(started_at, last_seen_at, first_ats[place], timeout, max_length)
            ) is null as lives
        from held
        where installation_id = installation_ids[place]
    ),
    found as materialized (
        select
            place,
            id,
            case
                when is_withdrawn then 'withdrawn'
                when lives then 'alive'
                when coalesce(ended_at, last_seen_at) + late >= first_ats[place] then 'ended'
                else 'too late'
            end as standing,
            lives and not ends[place] and last_seen_at + fresh >= first_ats[place]
            and (last_seen_at >= started_at + long or last_ats[place] < started_at + long) as is_plain,
            tells[place] or last_seen_at < last_ats[place] as is_news
        from judged
    )
    select
        array_agg(place), array_agg(standing),
        array_agg(id) filter (where is_plain and is_news), array_agg(place) filter (where not is_plain)
    into places, standings, plain_ids, others
    from found;

    if others is not null or cardinality(places) is distinct from cardinality(session_ids) then
        takes := '{}';
        for i in 1 .. coalesce(cardinality(places), 0) loop
            standing_of[places[i]] := standings[i];
            takes[places[i]] := standings[i] in ('alive', 'ended');
        end loop;
    end if;

    if event_calls is not null then
        with added as (
            insert into event_ids (installation_id, event_id)
            select installation_ids[call_sessions[call]], id
            from (select unnest(event_calls) as call, unnest(hear_sessions.event_ids) as id) as given
            where takes is null or takes[call_sessions[call]]
            order by 1, 2
            on conflict do nothing
            returning installation_id, event_id
        )
        select array_agg(installation_id), array_agg(event_id) into new_installations, new_ids from added;

        -- What comes twice in a batch is new the first time that somebody tells it whose events are taken.
        if cardinality(new_ids) is distinct from cardinality(event_calls) then
            select array_agg(is_first order by number) into is_new
            from (
                select
                    number,
                    is_taken
                    and (installation, id) in (select * from unnest(new_installations, new_ids))
                    and row_number() over (partition by installation, id, is_taken order by number) = 1 as is_first
                from unnest(event_calls, hear_sessions.event_ids) with ordinality as given (call, id, number)
                cross join lateral (
                    select
                        installation_ids[call_sessions[call]] as installation,
                        takes is null or takes[call_sessions[call]] is true as is_taken
                ) as known
            ) as numbered;
        end if;

        -- In a select's list arrays are taken apart as they are read; in its `from` each would be written out first.
        insert into events (received_at, session_id, installation_id, id, name, at, raw_at, seq, props, is_cut)
        select
            call_ats[call], session_ids[call_sessions[call]], installation_ids[call_sessions[call]],
            id, name, at, raw_at, seq, given.props::json, is_cut
        from (
            select
                unnest(event_calls) as call, unnest(hear_sessions.event_ids) as id, unnest(event_names) as name,
                unnest(event_ats) as at, unnest(raw_ats) as raw_at, unnest(event_seqs) as seq,
                unnest(event_props) as props, unnest(event_cuts) as is_cut,
                generate_series(1, cardinality(event_calls)) as number
        ) as given
        where is_new is null or is_new[number];

        if is_new is not null then
            select coalesce(array_agg(call), '{}'), coalesce(array_agg(events), '{}') into calls, counts
            from (
                select call, count(*) as events
                from unnest(event_calls, is_new) as given (call, is_stored)
                where is_stored
                group by call
            ) as tallied;
        end if;

        -- One without a time of its own may have happened at any time, so it says nothing of how long the session was.
        if is_new is not null or 'ended' = any(standings) then
            told := '{}';
            acted_now := '{}';
            for tally in
                select
                    call_sessions[call] as place,
                    max(at) filter (where raw_at is not null) as latest_at,
                    bool_or(call_acts[call]) as acted
                from unnest(event_calls, event_ats, raw_ats) with ordinality as given (call, at, raw_at, number)
                where is_new is null or is_new[number]
                group by 1
            loop
                told[tally.place] := true;
                acted_now[tally.place] := tally.acted;
                latest_ats[tally.place] := tally.latest_at;
            end loop;
        end if;
    end if;

    update sessions
    set (last_seen_at, acted, changes, stale_since) = (
        select
            greatest(sessions.last_seen_at, last_ats[place]),
            sessions.acted or is_told and acted_now[place],
            sessions.changes + is_told::integer,
            case when is_told then coalesce(sessions.stale_since, last_ats[place]) else sessions.stale_since end
        from (select array_position(session_ids, sessions.id) as place) as numbered
        cross join lateral (select coalesce(told[place], false) as is_told) as known
    )
    where id = any(plain_ids);

    for i in 1 .. coalesce(cardinality(others), 0) loop
        declare
            place constant integer := others[i];
        begin
            select * into before from sessions where id = session_ids[place];
            is_alive := standing_of[place] = 'alive';
            seen_at := before.last_seen_at;
            if is_alive then
                seen_at := greatest(seen_at, last_ats[place]);
            end if;
            over_at := case
                when not is_alive then greatest(
                    coalesce(before.ended_at, before.last_seen_at),
                    case
                        when latest_ats[place] is not null
                        then least(latest_ats[place], before.started_at + max_length)
                    end
                )
                when ends[place] then seen_at
            end;
            gap := case
                when is_alive and before.last_seen_at + fresh < first_ats[place]
                then tstzmultirange(tstzrange(before.last_seen_at + fresh, first_ats[place], '()'))
                else '{}'
            end;
            is_change := coalesce(told[place], false)
                or over_at is distinct from before.ended_at
                or not isempty(gap)
                or (before.last_seen_at < before.started_at + long and seen_at >= before.started_at + long);
            continue when not is_change and seen_at = before.last_seen_at;
            update sessions
            set
                last_seen_at = seen_at,
                ended_at = over_at,
                end_reason = case
                    when not is_alive then coalesce(
                        end_reason, silence(started_at, last_seen_at, first_ats[place], timeout, max_length)
                    )
                    when ends[place] then 'explicit'
                end,
                acted = acted or coalesce(acted_now[place], false),
                away = away + gap,
                changes = changes + is_change::integer,
                stale_since = case when is_change then coalesce(stale_since, last_ats[place]) else stale_since end
            where id = session_ids[place];
        end;
    end loop;
end
$$;
