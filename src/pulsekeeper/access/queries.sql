-- name: insert_key
-- Store a new key.
insert into api_keys (id, scope, hash, name, created_at)
values (:id, :scope, :hash, :name, :created_at)

-- name: find_key
-- The key with this id, unless it was revoked.
select id, scope, hash, name, created_at, last_used_at, revoked_at
from api_keys
where id = :id and revoked_at is null

-- name: list_keys
-- All keys, revoked ones included, in the order in which they were made.
select id, scope, hash, name, created_at, last_used_at, revoked_at
from api_keys
order by created_at, id

-- name: revoke_key
-- End a key; gives its id, or nothing when there is no such key or it has ended before.
update api_keys
set revoked_at = :now
where id = :id and revoked_at is null
returning id

-- name: touch_key
-- Note that a key was used, unless any node has noted so since `before`.
update api_keys
set last_used_at = :now
where id = :id and (last_used_at is null or last_used_at <= :before)
