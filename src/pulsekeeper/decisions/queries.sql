-- name: rule_book_parts
-- The campaigns and releases in force, with their revision, all of one moment.
select
    revision,
    (select coalesce(json_agg(definition order by id), '[]') from campaigns) as campaigns,
    (
        select coalesce(json_agg(
            json_build_object(
                'id', id, 'releasedAt', to_json(released_at at time zone 'utc') #>> '{}' || 'Z', 'notesUrl', notes_url
            ) order by id
        ), '[]')
        from releases
    ) as releases
from rule_book_revision

-- name: record_rule_book
-- Keeps a version of the rules under its hash, so that decisions made by it can be worked out again.
insert into rule_books (hash, content, recorded_at)
values (:hash, :content, :now)
on conflict (hash) do nothing

-- name: lock_rules
-- Writers of rules wait for each other here, so that each sees what the one before it has left.
select revision from rule_book_revision for update

-- name: next_revision
-- Takes the place of the present revision. Writers of rules wait for each other here, too.
update rule_book_revision set revision = revision + 1 returning revision

-- name: campaign_definitions
-- All campaigns as they were saved.
select id, definition from campaigns order by id

-- name: campaign_definitions_after
-- The next few campaigns in the order of their ids.
select id, definition from campaigns where id > :after order by id limit :limit

-- name: campaign_definition
-- One campaign as it was saved.
select definition from campaigns where id = :id

-- name: save_campaigns
-- Adds campaigns, or puts new definitions in the place of old ones.
insert into campaigns (id, definition, updated_at)
select id, definition, :now
from unnest(:ids::text[], :definitions::json[]) as given (id, definition)
on conflict (id) do update set definition = excluded.definition, updated_at = excluded.updated_at

-- name: remove_campaigns
-- Forgets campaigns. What people have had to do with them stays in their states.
delete from campaigns where id = any(:ids::text[])

-- name: releases
-- All releases, the latest first.
select id, released_at, notes_url from releases order by released_at desc, id

-- name: save_releases
-- Adds releases, or corrects them.
insert into releases (id, released_at, notes_url)
select id, released_at, notes_url
from unnest(:ids::text[], :released_ats::timestamptz[], :notes_urls::text[]) as given (id, released_at, notes_url)
on conflict (id) do update set released_at = excluded.released_at, notes_url = excluded.notes_url

-- name: remove_releases
-- Forgets releases.
delete from releases where id = any(:ids::text[])

-- name: add_first_salt
-- Gives the database its first salt; the node that comes first wins.
insert into salts (id, secret, created_at) values (1, :secret, :now)
on conflict (id) do nothing

-- name: salts
-- The secrets under which anonymous people are hashed, the one in force first.
select secret from salts order by id desc limit 2

-- name: salt_is_older
-- Whether the secret in force was made before a moment; nothing where there is none.
select max(created_at) < :moment from salts

-- name: add_salt
-- Puts a new secret in force.
insert into salts (id, secret, created_at) select max(id) + 1, :secret, :now from salts

-- name: retire_salts
-- Deletes every secret but the one in force and the one before it, and with them the way back to who was hashed.
delete from salts where id < (select max(id) - 1 from salts)

-- name: move_visitors
-- Gives rows that were hashed under the previous salt their new keys, with everything that hangs on them.
with moves as (
    select old_key, new_key from unnest(:old_keys::text[], :new_keys::text[]) as given (old_key, new_key)
),
moved as (
    update visitors set person_key = new_key from moves where person_key = old_key
),
relogged as (
    update decision_log set person_key = new_key from moves where person_key = old_key
),
reimpressed as (
    update impressions set person_key = new_key from moves where person_key = old_key
),
revisited as (
    update release_visits set person_key = new_key from moves where person_key = old_key
),
users as (
    select distinct links.person_key from links join moves on links.anonymous_key = moves.old_key
),
relinked as (
    update links set anonymous_key = new_key from moves where anonymous_key = old_key
)
update visitors
set
    version = version + 1,
    state = state || jsonb_build_object('version', version + 1, 'linked', (
        select jsonb_agg(coalesce(new_key, linked))
        from jsonb_array_elements_text(state -> 'linked') as linked
        left join moves on old_key = linked
    ))
from users
where visitors.person_key = users.person_key

-- name: recall_visitors
-- What is known of these people; the version is what a later write must find unchanged.
select person_key, version, last_seen_at, state from visitors where person_key = any(:keys::text[])

-- name: recall_and_hold_visitors
-- The same, and nobody else writes these rows until the transaction ends. Locked in the order in which all nodes lock.
select person_key, version, last_seen_at, state
from visitors
where person_key = any(:keys::text[])
order by person_key
for update

-- name: put_visitor
-- Writes a person's state whatever it was before. For demonstrations and restored backups, never for decisions.
insert into visitors (person_key, version, last_seen_at, state)
values (:key, 1, :last_seen_at, :state)
on conflict (person_key) do update
set
    version = visitors.version + 1,
    last_seen_at = excluded.last_seen_at,
    state = jsonb_set(excluded.state, '{version}', to_jsonb(visitors.version + 1))

-- name: commit_decisions
-- Writes a batch of decisions where nothing has changed since it was read, and gives the people for whom something has,
-- with the rows that stand there now; a row without a key says that the rules have changed, and nothing is written. The
-- function stands in a migration, with its reasons: the statement is the hottest of all, and planning it cost the most.
select
    unsaved_key as person_key, present_version as version, present_last_seen_at as last_seen_at, present_state as state
from commit_decisions(
    revision => :revision, rule_book => :rule_book, now => :now,
    keys => :keys, seen_versions => :seen_versions, seen_ats => :seen_ats,
    new_versions => :new_versions, last_seen_ats => :last_seen_ats, states => :states,
    decision_ids => :decision_ids, people => :people, identities => :identities, requests => :requests,
    states_before => :states_before, replies => :replies, reasons => :reasons,
    impressed => :impressed, impressed_campaigns => :impressed_campaigns, impressed_events => :impressed_events,
    impressed_releases => :impressed_releases, impressed_decisions => :impressed_decisions,
    visiting => :visiting, visited_releases => :visited_releases,
    linking => :linking, linked_keys => :linked_keys, linked_before => :linked_before,
    linked_anonymous => :linked_anonymous
)

-- name: logged_decision
-- One row of the log, looked for on the day on which its id was given.
select decision_id, decided_at, person_key, identity, rule_book, request, state_before, reply, reasons
from decision_log
where decision_id = :decision_id and decided_at >= :at and decided_at < :until

-- name: logged_page
-- Rows of the log since a moment and before a row, the newest first.
select decision_id, decided_at, person_key, identity, rule_book, request, state_before, reply, reasons
from decision_log
where
    decided_at >= :since and decided_at <= :before
    and (decided_at, decision_id) < (:before, :before_id)
order by decided_at desc, decision_id desc
limit :limit

-- name: count_logged
-- How many decisions were made since a moment.
select count(*) from decision_log where decided_at >= :since

-- name: rule_book_content
-- A version of the rules, by its hash.
select content from rule_books where hash = :hash

-- name: purge_anonymous
-- Forgets some of the anonymous people who were last seen too long ago. Who is being decided about is passed over.
-- There is no index on last_seen_at: it changes with every call, and each change would have to change the index as well.
with gone as (
    select person_key
    from visitors
    where last_seen_at < :before and (person_key like 'visitor:%' or person_key like 'ip:%')
    limit :limit
    for update skip locked
),
purged as (
    delete from visitors using gone where visitors.person_key = gone.person_key returning visitors.person_key
),
unlinked as (
    delete from links using gone where links.anonymous_key = gone.person_key
),
unvisited as (
    delete from release_visits using gone where release_visits.person_key = gone.person_key
)
select count(*) from purged

-- name: keys_of_person
-- All keys of the person who has these. Several users on one browser are several people, and the browser is none of them.
with users as (
    select person_key from links where anonymous_key = any(:keys::text[])
    union
    select key from unnest(:keys::text[]) as key where key like 'user:%'
),
only_user as (
    select person_key from users where (select count(*) from users) = 1
)
select key from unnest(:keys::text[]) as key
union
select person_key from only_user
union
select anonymous_key from links join only_user using (person_key)
order by key

-- name: hold_people
-- Keeps everybody else from writing these rows, and those of users who were linked to them, until the transaction ends.
select person_key
from visitors
where
    person_key in (
        select unnest(:keys::text[])
        union all
        select links.person_key from links where anonymous_key = any(:keys::text[])
    )
order by person_key
for update

-- name: unlink_from_others
-- Takes the keys of somebody who is being erased out of the states of other people.
update visitors
set
    version = version + 1,
    state = state || jsonb_build_object(
        'version', version + 1, 'linked', coalesce(state -> 'linked', '[]') - :keys::text[]
    )
where
    person_key <> all(:keys::text[])
    and person_key in (select links.person_key from links where anonymous_key = any(:keys::text[]))

-- name: erase_visitors
-- Deletes what is known of a person.
delete from visitors where person_key = any(:keys::text[])

-- name: erase_links
-- Deletes the records that a person has several keys.
delete from links where person_key = any(:keys::text[]) or anonymous_key = any(:keys::text[])

-- name: erase_decisions
-- Deletes some of the decisions about a person.
delete from decision_log
where
    person_key = any(:keys::text[])
    and (decided_at, decision_id) in (
        select decided_at, decision_id from decision_log where person_key = any(:keys::text[]) limit :limit
    )

-- name: erase_impressions
-- Deletes some of what a person did with what they were shown.
delete from impressions
where
    person_key = any(:keys::text[])
    and (tableoid, ctid) in (
        select tableoid, ctid from impressions where person_key = any(:keys::text[]) limit :limit
    )

-- name: erase_release_visits
-- Deletes the record of which releases a person has run.
delete from release_visits where person_key = any(:keys::text[])

-- name: totals_of_person
-- How many rows of each sort are about a person.
select
    (select count(*) from visitors where person_key = any(:keys::text[])) as states,
    (
        select count(*) from links where person_key = any(:keys::text[]) or anonymous_key = any(:keys::text[])
    ) as links,
    (select count(*) from decision_log where person_key = any(:keys::text[])) as decisions,
    (select count(*) from impressions where person_key = any(:keys::text[])) as impressions,
    (select count(*) from release_visits where person_key = any(:keys::text[])) as release_visits

-- name: links_of_person
-- The newest records that a person has several keys, as many as there is room for.
select person_key, anonymous_key, linked_at, state_before, anonymous_state
from (
    select newest.*, sum(
        coalesce(octet_length(state_before::text), 0) + coalesce(octet_length(anonymous_state::text), 0)
    ) over (order by linked_at desc, person_key, anonymous_key) as size
    from (
        select *
        from links
        where person_key = any(:keys::text[]) or anonymous_key = any(:keys::text[])
        order by linked_at desc, person_key, anonymous_key
        limit :most
    ) as newest
) as measured
where size <= :most_bytes::bigint
order by linked_at desc, person_key, anonymous_key

-- name: decisions_of_person
-- The newest decisions about a person, as many as there is room for.
select decision_id, decided_at, person_key, identity, rule_book, request, state_before, reply, reasons
from (
    select newest.*, sum(
        coalesce(octet_length(state_before::text), 0) + octet_length(request::text) + octet_length(reply::text)
        + octet_length(reasons::text)
    ) over (order by decided_at desc, decision_id desc) as size
    from (
        select *
        from decision_log
        where person_key = any(:keys::text[])
        order by decided_at desc, decision_id desc
        limit :most
    ) as newest
) as measured
where size <= :most_bytes::bigint
order by decided_at desc, decision_id desc

-- name: impressions_of_person
-- What a person did last with what they were shown.
select happened_at, person_key, campaign_id, event, release_id, decision_id
from impressions
where person_key = any(:keys::text[])
order by happened_at desc
limit :most

-- name: release_visits_of_person
-- Which releases a person has run, the last ones first.
select release_id, person_key, first_at
from release_visits
where person_key = any(:keys::text[])
order by first_at desc, release_id
limit :most

-- name: count_impressions
-- What became of a campaign, by the place of the day among those that begin at `starts`, and on all of them together.
select
    width_bucket(happened_at, :starts::timestamptz[]) as place,
    count(*) filter (where event = 'offered') as offered,
    count(*) filter (where event = 'shown') as shown,
    count(*) filter (where event = 'dismissed') as dismissed,
    count(*) filter (where event = 'completed') as completed,
    count(distinct person_key) as people
from impressions
where campaign_id = :campaign_id and happened_at >= :start and happened_at < :until
group by rollup (place)

-- name: count_release
-- How many people have run a release, and how many of them have got to hear of it in which way.
with announcing as (
    select id, definition -> 'trigger' ->> 'releaseId' as release_id
    from campaigns
    where
        definition -> 'trigger' ->> 'releaseId' = :release_id
        or (definition ->> 'type' = 'release' and definition -> 'trigger' ->> 'releaseId' is null)
),
reached as (
    select
        person_key,
        bool_or(event = 'offered') as is_offered,
        bool_or(event <> 'offered') as is_shown,
        min(happened_at) filter (where event in ('dismissed', 'completed')) as answered_at
    from impressions
    join announcing on announcing.id = campaign_id
    where announcing.release_id is not null or impressions.release_id = :release_id
    group by person_key
)
select
    (select count(*) from release_visits where release_id = :release_id) as visitors,
    count(*) filter (where is_offered) as offered,
    count(*) filter (where is_shown) as shown,
    count(answered_at) as acknowledged,
    count(*) filter (where answered_at < first_at + :visit_gap::interval) as acknowledged_on_first_visit
from reached
left join release_visits on release_visits.person_key = reached.person_key and release_visits.release_id = :release_id
