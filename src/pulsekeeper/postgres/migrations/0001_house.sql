-- What the house needs to open its door, and to make its first decision.

-- Keys of operators. A key is shown once; what is kept is the hash of its secret part.
create table api_keys (
    id           text primary key,
    scope        text not null check (scope in ('admin', 'worker', 'metrics')),
    hash         bytea not null check (octet_length(hash) = 32),
    name         text not null,
    created_at   timestamptz not null,
    last_used_at timestamptz,
    revoked_at   timestamptz
);

-- The secrets under which anonymous people are hashed. The one with the highest id is in force.
create table salts (
    id         bigint primary key,
    secret     bytea not null,
    created_at timestamptz not null
);

create table campaigns (
    id         text primary key,
    definition json not null,
    updated_at timestamptz not null
);

create table releases (
    id          text primary key,
    released_at timestamptz not null,
    notes_url   text
);

-- One row: goes up with every change of a campaign or a release. A decision commits only under the revision that it was
-- made with, so a node that has missed a change finds out before it answers.
create table rule_book_revision (
    revision bigint not null,
    only_row boolean primary key default true check (only_row)
);
insert into rule_book_revision (revision) values (0);

-- Every version of the rules that any decision was made by, under the SHA-256 of its content.
create table rule_books (
    hash        text primary key,
    content     text not null,
    recorded_at timestamptz not null
);

-- One row a person. `version` goes up by one with every change: it is what a writer must have seen.
-- Rows are rewritten at every call, so pages keep room for the new version beside the old one.
create table visitors (
    person_key   text primary key,
    version      bigint not null,
    last_seen_at timestamptz not null,
    state        jsonb not null
) with (fillfactor = 70);

-- Every decision that was answered: who was asking, what was asked, what was known before, by which rules, and what came
-- out. `json`, not `jsonb`: an answer can be worked out again byte for byte. A decision's id tells its day, and so its
-- partition. What has no partition yet goes to the default one, and is moved when its day is made.
create table decision_log (
    decision_id  uuid not null,
    decided_at   timestamptz not null,
    person_key   text not null,
    identity     json not null,
    rule_book    text not null,
    request      json not null,
    state_before json,
    reply        json not null,
    reasons      json not null,
    primary key (decided_at, decision_id)
) partition by range (decided_at);
create index decision_log_person on decision_log (person_key);
create table decision_log_default partition of decision_log default;

-- What became of campaigns: an offer when it was decided, and what people reported of it.
create table impressions (
    happened_at timestamptz not null,
    person_key  text not null,
    campaign_id text not null,
    event       text not null check (event in ('offered', 'shown', 'dismissed', 'completed')),
    release_id  text,
    decision_id uuid
) partition by range (happened_at);
create index impressions_campaign on impressions (campaign_id, happened_at);
create index impressions_person on impressions (person_key);
create table impressions_default partition of impressions default;

-- Who has run which release, and since when.
create table release_visits (
    release_id text not null,
    person_key text not null,
    first_at   timestamptz not null,
    primary key (release_id, person_key)
);
create index release_visits_person on release_visits (person_key);

-- Rows that turned out to be one person, with what was known of each at that moment, so that it can be undone.
create table links (
    person_key      text not null,
    anonymous_key   text not null,
    linked_at       timestamptz not null,
    state_before    json,
    anonymous_state json,
    primary key (person_key, anonymous_key)
);
create index links_anonymous on links (anonymous_key);
