-- name: lock_migrations
-- Waits until no other node is migrating. The lock is the session's, so that a node that dies lets go of it.
select pg_advisory_lock(7308324466019233134)

-- name: unlock_migrations
-- Lets the next node look for itself.
select pg_advisory_unlock(7308324466019233134)

-- name: migrations_recorded
-- Whether this database was ever migrated.
select to_regclass('schema_migrations') is not null

-- name: list_migrations
-- What was applied, in order.
select number, name, checksum, applied_at from schema_migrations order by number

-- name: record_migration
-- Remembers a migration, in its own transaction.
insert into schema_migrations (number, name, checksum, applied_at)
values (:number, :name, :checksum, :applied_at)

-- name: take_turn_at_upkeep
-- Whether nobody else is at a room's upkeep. The lock is the session's, so that a node that dies lets go of it.
select pg_try_advisory_lock(hashtextextended(:room, 7308324466019233135))

-- name: end_turn_at_upkeep
-- Lets the next node have its turn.
select pg_advisory_unlock(hashtextextended(:room, 7308324466019233135))

-- name: partitions
-- The partitions of a table.
select child.relname::text as name
from pg_inherits
join pg_class as child on child.oid = inhrelid
where inhparent = to_regclass(:table)
order by name
