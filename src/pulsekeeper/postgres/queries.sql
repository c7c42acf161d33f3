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
