-- name: has_history
-- Whether anybody has ever been there.
select
    exists (select from installations) or exists (select from sessions) or exists (select from events)
    or exists (select from event_ids) as has_history

-- name: is_loaded
-- Whether the installations of this very history are there.
select exists (select from installations where id = any(:ids::uuid[])) as is_loaded

-- name: mark_withdrawn
-- Has the sessions of those who withdrew their consent say so as well.
update sessions
set is_withdrawn = true
where installation_id = any(:ids::uuid[])
