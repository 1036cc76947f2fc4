-- The clue list: one row a clue, an index for every order that it offers under every usual filter.

-- next_follow_up_at is the largest number where none is planned, so that those come last in both
-- dialects. Names are in clear until the customer is erased.
CREATE TABLE clue_list (
    clue_id           text COLLATE "C" NOT NULL PRIMARY KEY,
    customer_id       text COLLATE "C" NOT NULL,
    line              text COLLATE "C" NOT NULL,
    lifecycle         text COLLATE "C" NOT NULL,
    stage             text COLLATE "C" NOT NULL,
    stage_category    text COLLATE "C" NOT NULL,
    graph_version     bigint           NOT NULL,
    owner_id          text COLLATE "C",
    team_id           text COLLATE "C",
    source_channel    text COLLATE "C" NOT NULL,
    source_key        text COLLATE "C",
    campaign          text COLLATE "C",
    captured_at       bigint           NOT NULL,
    updated_at        bigint           NOT NULL,
    pooled_at         bigint,
    owned_since       bigint,
    first_response_at bigint,
    next_follow_up_at bigint           NOT NULL,
    last_follow_up_at bigint,
    won_at            bigint,
    lost_at           bigint,
    amount_minor      bigint,
    currency          text COLLATE "C",
    loss_reason       text COLLATE "C",
    intent            text COLLATE "C",
    budget_min        bigint,
    budget_max        bigint,
    budget_currency   text COLLATE "C",
    star              bigint           NOT NULL,
    customer_name     text COLLATE "C",
    erased            bigint           NOT NULL,
    position          bigint           NOT NULL
);

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
    clue_id     text COLLATE "C" NOT NULL,
    field       text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    kind        text COLLATE "C" NOT NULL,
    text        text COLLATE "C",
    number      double precision,
    whole       bigint,
    free_text   text COLLATE "C",
    redacted    bigint           NOT NULL,
    PRIMARY KEY (clue_id, field)
);

CREATE INDEX clue_list_field_customer ON clue_list_field (customer_id);
CREATE INDEX clue_list_field_text ON clue_list_field (field, text, clue_id);
CREATE INDEX clue_list_field_number ON clue_list_field (field, number, clue_id);
CREATE INDEX clue_list_field_whole ON clue_list_field (field, whole, clue_id);

-- What the list must know of customers before and beyond their clues.
CREATE TABLE clue_list_customer (
    customer_id text COLLATE "C" NOT NULL PRIMARY KEY,
    name        text COLLATE "C",
    name_folded text COLLATE "C",
    erased      bigint           NOT NULL
);

CREATE TABLE clue_list_star (
    customer_id text COLLATE "C" NOT NULL,
    line        text COLLATE "C" NOT NULL,
    tier        bigint           NOT NULL,
    PRIMARY KEY (customer_id, line)
);

-- Keyed hashes of phone numbers: whole, and of the last digits.
CREATE TABLE clue_list_phone (
    customer_id      text COLLATE "C" NOT NULL,
    contact_point_id text COLLATE "C" NOT NULL,
    exact            text COLLATE "C" NOT NULL,
    last8            text COLLATE "C" NOT NULL,
    last4            text COLLATE "C" NOT NULL,
    PRIMARY KEY (customer_id, contact_point_id)
);

CREATE INDEX clue_list_phone_exact ON clue_list_phone (exact, customer_id);
CREATE INDEX clue_list_phone_last8 ON clue_list_phone (last8, customer_id);
CREATE INDEX clue_list_phone_last4 ON clue_list_phone (last4, customer_id);

-- Characters and pairs of characters of names: text search that works without word breaks.
CREATE TABLE clue_list_gram (
    customer_id text COLLATE "C" NOT NULL,
    gram        text COLLATE "C" NOT NULL,
    PRIMARY KEY (customer_id, gram)
);

CREATE INDEX clue_list_gram_gram ON clue_list_gram (gram, customer_id);

-- What standing in a stage means, by version of the line's graph.
CREATE TABLE clue_list_graph (
    line          text COLLATE "C" NOT NULL,
    graph_version bigint           NOT NULL,
    stage         text COLLATE "C" NOT NULL,
    category      text COLLATE "C" NOT NULL,
    PRIMARY KEY (line, graph_version, stage)
);
