-- The clue list: one row a clue, an index for every order that it offers under every usual filter.

-- next_follow_up_at is the largest number where none is planned, so that those come last in both
-- dialects. Names are in clear until the customer is erased.
CREATE TABLE clue_list (
    clue_id           text    NOT NULL PRIMARY KEY,
    customer_id       text    NOT NULL,
    line              text    NOT NULL,
    lifecycle         text    NOT NULL,
    stage             text    NOT NULL,
    stage_category    text    NOT NULL,
    graph_version     integer NOT NULL,
    owner_id          text,
    team_id           text,
    source_channel    text    NOT NULL,
    source_key        text,
    campaign          text,
    captured_at       integer NOT NULL,
    updated_at        integer NOT NULL,
    pooled_at         integer,
    owned_since       integer,
    first_response_at integer,
    next_follow_up_at integer NOT NULL,
    last_follow_up_at integer,
    won_at            integer,
    lost_at           integer,
    amount_minor      integer,
    currency          text,
    loss_reason       text,
    intent            text,
    budget_min        integer,
    budget_max        integer,
    budget_currency   text,
    star              integer NOT NULL,
    customer_name     text,
    erased            integer NOT NULL,
    position          integer NOT NULL
) STRICT;

CREATE INDEX clue_list_all_updated ON clue_list (updated_at, clue_id);
CREATE INDEX clue_list_all_captured ON clue_list (captured_at, clue_id);
CREATE INDEX clue_list_all_next ON clue_list (next_follow_up_at, clue_id);
CREATE INDEX clue_list_all_star ON clue_list (star, clue_id);
CREATE INDEX clue_list_line_updated ON clue_list (line, updated_at, clue_id);
CREATE INDEX clue_list_line_captured ON clue_list (line, captured_at, clue_id);
CREATE INDEX clue_list_line_next ON clue_list (line, next_follow_up_at, clue_id);
CREATE INDEX clue_list_line_star ON clue_list (line, star, clue_id);
CREATE INDEX clue_list_owner_updated ON clue_list (owner_id, updated_at, clue_id);
CREATE INDEX clue_list_owner_captured ON clue_list (owner_id, captured_at, clue_id);
CREATE INDEX clue_list_owner_next ON clue_list (owner_id, next_follow_up_at, clue_id);
CREATE INDEX clue_list_owner_star ON clue_list (owner_id, star, clue_id);
CREATE INDEX clue_list_team_updated ON clue_list (team_id, updated_at, clue_id);
CREATE INDEX clue_list_team_captured ON clue_list (team_id, captured_at, clue_id);
CREATE INDEX clue_list_team_next ON clue_list (team_id, next_follow_up_at, clue_id);
CREATE INDEX clue_list_team_star ON clue_list (team_id, star, clue_id);
CREATE INDEX clue_list_stage_updated ON clue_list (line, stage, updated_at, clue_id);
CREATE INDEX clue_list_by_customer ON clue_list (customer_id);
CREATE INDEX clue_list_position ON clue_list (position, clue_id);

-- Values of custom fields, one typed row each. Free text has no index: it is personal, and longer
-- than an index of PostgreSQL takes.
CREATE TABLE clue_list_field (
    clue_id     text    NOT NULL,
    field       text    NOT NULL,
    customer_id text    NOT NULL,
    kind        text    NOT NULL,
    text        text,
    number      real,
    whole       integer,
    free_text   text,
    redacted    integer NOT NULL,
    PRIMARY KEY (clue_id, field)
) STRICT, WITHOUT ROWID;

CREATE INDEX clue_list_field_customer ON clue_list_field (customer_id);
CREATE INDEX clue_list_field_text ON clue_list_field (field, text, clue_id);
CREATE INDEX clue_list_field_number ON clue_list_field (field, number, clue_id);
CREATE INDEX clue_list_field_whole ON clue_list_field (field, whole, clue_id);

-- What the list must know of customers before and beyond their clues.
CREATE TABLE clue_list_customer (
    customer_id text    NOT NULL PRIMARY KEY,
    name        text,
    name_folded text,
    erased      integer NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE clue_list_star (
    customer_id text    NOT NULL,
    line        text    NOT NULL,
    tier        integer NOT NULL,
    PRIMARY KEY (customer_id, line)
) STRICT, WITHOUT ROWID;

-- Keyed hashes of phone numbers: whole, and of the last digits.
CREATE TABLE clue_list_phone (
    customer_id      text NOT NULL,
    contact_point_id text NOT NULL,
    exact            text NOT NULL,
    last8            text NOT NULL,
    last4            text NOT NULL,
    PRIMARY KEY (customer_id, contact_point_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX clue_list_phone_exact ON clue_list_phone (exact, customer_id);
CREATE INDEX clue_list_phone_last8 ON clue_list_phone (last8, customer_id);
CREATE INDEX clue_list_phone_last4 ON clue_list_phone (last4, customer_id);

-- Characters and pairs of characters of names: text search that works without word breaks.
CREATE TABLE clue_list_gram (
    customer_id text NOT NULL,
    gram        text NOT NULL,
    PRIMARY KEY (customer_id, gram)
) STRICT, WITHOUT ROWID;

CREATE INDEX clue_list_gram_gram ON clue_list_gram (gram, customer_id);

-- What standing in a stage means, by version of the line's graph.
CREATE TABLE clue_list_graph (
    line          text    NOT NULL,
    graph_version integer NOT NULL,
    stage         text    NOT NULL,
    category      text    NOT NULL,
    PRIMARY KEY (line, graph_version, stage)
) STRICT, WITHOUT ROWID;
