-- The commit of a batch of decisions, as a function. As a statement of its own it was planned anew for every execution,
-- which could take longer than carrying it out; in here each part is planned once a session, and what a batch has
-- nothing of is skipped. Nodes of the version before go on with that statement meanwhile: it locks in the same order.

-- Times come as whole microseconds since 1970, which take the caller half the time to send.
create function moment(microseconds bigint) returns timestamptz language sql stable parallel safe return
    timestamptz 'epoch' + microseconds * interval '1 microsecond';

-- Writes new states where the person's row is as it was when it was read, and what hangs on the decisions of those
-- people: rows of the log, impressions, visits and links, each under the key of the person whose state it came from.
-- Nothing at all is written when the rules have changed meanwhile.
--
-- Gives back what was not written, so nothing in nearly every case: the keys of those people, each with the row that
-- stands there now, if there is one; and a single row without a key when it was the rules that have changed.
--
-- Keys are given once each. Arrays of which there is nothing may be null. JSON and ids come as text and are cast here:
-- for a driver that is the cheapest way, and for the server as cheap as any.
--
-- The settings, and `= any (array[…])` where rows are looked up: a plan that is made for the arrays at hand looks a
-- little cheaper than one for any arrays, so that PostgreSQL would plan each time. And whenever the one plan is made,
-- say while there is one visitor, it has to do for a million: people are looked up by the primary key, one after the
-- other in the order given. Such a condition leaves no other way: no merging, no hashing, no reading of a whole index.
create function commit_decisions(
    revision bigint, rule_book text, now timestamptz,
    keys text[], seen_versions bigint[], seen_ats bigint[],
    new_versions bigint[], last_seen_ats bigint[], states text[],
    decision_ids text[], people text[], identities text[], requests text[],
    states_before text[], replies text[], reasons text[],
    impressed text[], impressed_campaigns text[], impressed_events text[], impressed_releases text[],
    impressed_decisions text[],
    visiting text[], visited_releases text[],
    linking text[], linked_keys text[], linked_before text[], linked_anonymous text[]
) returns table (unsaved_key text, present_version bigint, present_last_seen_at timestamptz, present_state jsonb)
language plpgsql
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
    saved text[] := '{}';
    everybody boolean;
begin
    if not exists (
        select from rule_book_revision where only_row and rule_book_revision.revision = commit_decisions.revision
    ) then
        return query select null::text, null::bigint, null::timestamptz, null::jsonb;
        return;
    end if;

    -- Whoever is new comes before whoever is known, and both in the order of their keys, on all nodes: two batches with
    -- the same people in them wait for each other instead of deadlocking.
    if 0 = any (seen_versions) then
        with given as (
            select
                unnest(keys) as key, unnest(seen_versions) as seen_version, unnest(new_versions) as new_version,
                unnest(last_seen_ats) as last_seen_at, unnest(states) as state
        ),
        added as (
            insert into visitors (person_key, version, last_seen_at, state)
            select key, new_version, moment(given.last_seen_at), given.state::jsonb
            from given
            where seen_version = 0
            order by key
            on conflict (person_key) do nothing
            returning person_key
        )
        select array_agg(person_key) into saved from added;
    end if;

    -- An update that has waited for another one looks at the row again, and leaves it alone if it has changed.
    if seen_versions[1] > 0 and cardinality(keys) = 1 then  -- a fifth cheaper without a join and its sorting
        update visitors
        set version = new_versions[1], last_seen_at = moment(last_seen_ats[1]), state = states[1]::jsonb
        where person_key = keys[1] and version = seen_versions[1] and last_seen_at = moment(seen_ats[1]);
        if found then
            saved := keys;
        end if;
    elsif 0 < any (seen_versions) then
        with changed as (
            update visitors
            set version = given.new_version, last_seen_at = moment(given.last_seen_at), state = given.state::jsonb
            from (
                select
                    unnest(keys) as key, unnest(seen_versions) as seen_version, unnest(seen_ats) as seen_at,
                    unnest(new_versions) as new_version, unnest(last_seen_ats) as last_seen_at,
                    unnest(states) as state
                order by key
            ) as given
            where
                visitors.person_key = any (array[given.key]) and visitors.version = given.seen_version
                and visitors.last_seen_at = moment(given.seen_at)
            returning visitors.person_key
        )
        select saved || array_agg(person_key) into saved from changed;
    end if;
    saved := coalesce(saved, '{}');
    everybody := cardinality(saved) = cardinality(keys);  -- then there is nobody to look for in what follows

    if people is not null then
        insert into decision_log
            (decision_id, decided_at, person_key, identity, rule_book, request, state_before, reply, reasons)
        select
            given.decision_id::uuid, now, given.person_key, given.identity::json, commit_decisions.rule_book,
            given.request::json, given.state_before::json, given.reply::json, given.reasons::json
        from (
            select
                unnest(decision_ids) as decision_id, unnest(people) as person_key, unnest(identities) as identity,
                unnest(requests) as request, unnest(states_before) as state_before, unnest(replies) as reply,
                unnest(commit_decisions.reasons) as reasons
        ) as given
        where everybody or given.person_key = any (saved);
    end if;

    if impressed is not null then
        insert into impressions (happened_at, person_key, campaign_id, event, release_id, decision_id)
        select now, given.person_key, given.campaign_id, given.event, given.release_id, given.decision_id::uuid
        from unnest(impressed, impressed_campaigns, impressed_events, impressed_releases, impressed_decisions)
            as given (person_key, campaign_id, event, release_id, decision_id)
        where everybody or given.person_key = any (saved);
    end if;

    if visiting is not null then
        insert into release_visits (release_id, person_key, first_at)
        select given.release_id, given.person_key, now
        from unnest(visiting, visited_releases) as given (person_key, release_id)
        where everybody or given.person_key = any (saved)
        on conflict do nothing;
    end if;

    if linking is not null then
        insert into links (person_key, anonymous_key, linked_at, state_before, anonymous_state)
        select given.person_key, given.anonymous_key, now, given.before::json, given.anonymous::json
        from unnest(linking, linked_keys, linked_before, linked_anonymous)
            as given (person_key, anonymous_key, before, anonymous)
        where everybody or given.person_key = any (saved)
        on conflict do nothing;
    end if;

    if not everybody then
        return query
        select given.key, visitors.version, visitors.last_seen_at, visitors.state
        from unnest(keys) as given (key)
        left join visitors on visitors.person_key = any (array[given.key])
        where given.key <> all (saved);
    end if;
end
$$;
