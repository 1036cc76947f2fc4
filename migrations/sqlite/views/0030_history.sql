-- The past: every state that a clue and a customer were in, each with the positions between which it
-- held, and the envelope of every event.

-- A clue between two events: the columns of clue_list, and until_position, the position of the event
-- that ended the state, or the largest number while it lasts. `era` says how long the state lasted and
-- when, roughly: all states that held at one position are in few eras, whatever the age of the log, so
-- that a list as of then is read along an index that begins with an era.
CREATE TABLE clue_past (
    clue_id           text    NOT NULL,
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
    position          integer NOT NULL,
    name_folded       text,
    until_position    integer NOT NULL,
    era               integer NOT NULL,
    PRIMARY KEY (clue_id, position)
) STRICT;

CREATE INDEX clue_past_all_updated ON clue_past (era, updated_at, clue_id);
CREATE INDEX clue_past_all_captured ON clue_past (era, captured_at, clue_id);
CREATE INDEX clue_past_all_next ON clue_past (era, next_follow_up_at, clue_id);
CREATE INDEX clue_past_all_star ON clue_past (era, star, clue_id);
CREATE INDEX clue_past_line_updated ON clue_past (era, line, updated_at, clue_id);
CREATE INDEX clue_past_line_captured ON clue_past (era, line, captured_at, clue_id);
CREATE INDEX clue_past_line_next ON clue_past (era, line, next_follow_up_at, clue_id);
CREATE INDEX clue_past_line_star ON clue_past (era, line, star, clue_id);
CREATE INDEX clue_past_owner_updated ON clue_past (era, owner_id, updated_at, clue_id);
CREATE INDEX clue_past_owner_captured ON clue_past (era, owner_id, captured_at, clue_id);
CREATE INDEX clue_past_owner_next ON clue_past (era, owner_id, next_follow_up_at, clue_id);
CREATE INDEX clue_past_owner_star ON clue_past (era, owner_id, star, clue_id);
CREATE INDEX clue_past_team_updated ON clue_past (era, team_id, updated_at, clue_id);
CREATE INDEX clue_past_team_captured ON clue_past (era, team_id, captured_at, clue_id);
CREATE INDEX clue_past_team_next ON clue_past (era, team_id, next_follow_up_at, clue_id);
CREATE INDEX clue_past_team_star ON clue_past (era, team_id, star, clue_id);
CREATE INDEX clue_past_all_since ON clue_past (era, position, clue_id);
CREATE INDEX clue_past_line_since ON clue_past (era, line, position, clue_id);
CREATE INDEX clue_past_customer ON clue_past (customer_id, until_position);

-- What the columns of a clue have no place for, and all that is known of a customer: one row a value and
-- the time that it held. Personal texts are in clear until the customer is erased.
CREATE TABLE past_value (
    subject_id     text    NOT NULL,
    field          text    NOT NULL,
    position       integer NOT NULL,
    until_position integer NOT NULL,
    customer_id    text    NOT NULL,
    kind           text    NOT NULL,
    custom         integer NOT NULL,
    text           text,
    number         real,
    whole          integer,
    personal       text,
    redacted       integer NOT NULL,
    PRIMARY KEY (subject_id, field, position)
) STRICT;

CREATE INDEX past_value_customer ON past_value (customer_id, until_position);
CREATE INDEX past_value_since ON past_value (customer_id, position);
CREATE INDEX past_value_text ON past_value (field, text, subject_id) WHERE custom = 1;
CREATE INDEX past_value_number ON past_value (field, number, subject_id) WHERE custom = 1;
CREATE INDEX past_value_whole ON past_value (field, whole, subject_id) WHERE custom = 1;

-- By which customers are found by the names and numbers that they had then.
CREATE TABLE past_gram (
    customer_id    text    NOT NULL,
    gram           text    NOT NULL,
    position       integer NOT NULL,
    until_position integer NOT NULL,
    PRIMARY KEY (customer_id, gram, position)
) STRICT;

CREATE INDEX past_gram_gram ON past_gram (gram, customer_id);

CREATE TABLE past_phone (
    customer_id      text    NOT NULL,
    contact_point_id text    NOT NULL,
    position         integer NOT NULL,
    until_position   integer NOT NULL,
    exact            text    NOT NULL,
    last8            text    NOT NULL,
    last4            text    NOT NULL,
    PRIMARY KEY (customer_id, contact_point_id, position)
) STRICT;

CREATE INDEX past_phone_exact ON past_phone (exact, customer_id);
CREATE INDEX past_phone_last8 ON past_phone (last8, customer_id);
CREATE INDEX past_phone_last4 ON past_phone (last4, customer_id);

-- What standing in a stage means, by version of the line's graph.
CREATE TABLE past_graph (
    line          text    NOT NULL,
    graph_version integer NOT NULL,
    stage         text    NOT NULL,
    category      text    NOT NULL,
    PRIMARY KEY (line, graph_version, stage)
) STRICT;

-- The envelope of every event: who, when, why, and because of what. Nothing in it is personal.
CREATE TABLE past_event (
    position       integer NOT NULL PRIMARY KEY,
    event_id       text    NOT NULL,
    subject_id     text    NOT NULL,
    kind           text    NOT NULL,
    recorded_at    integer NOT NULL,
    occurred_at    integer NOT NULL,
    actor          text    NOT NULL,
    on_behalf_of   text,
    line           text,
    command_id     text    NOT NULL,
    correlation_id text    NOT NULL,
    causation_id   text,
    reason         text,
    policy_version integer
) STRICT;

CREATE INDEX past_event_subject ON past_event (subject_id, position);
CREATE INDEX past_event_event ON past_event (event_id);
