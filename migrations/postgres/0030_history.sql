-- The past: every state that a clue and a customer were in, each with the positions between which it
-- held, and the envelope of every event.

-- A clue between two events: the columns of clue_list, and until_position, the position of the event
-- that ended the state, or the largest number while it lasts. `era` says how long the state lasted and
-- when, roughly: all states that held at one position are in few eras, whatever the age of the log, so
-- that a list as of then is read along an index that begins with an era.
CREATE TABLE clue_past (
    clue_id           text COLLATE "C" NOT NULL,
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
    position          bigint           NOT NULL,
    name_folded       text COLLATE "C",
    until_position    bigint           NOT NULL,
    era               bigint           NOT NULL,
    PRIMARY KEY (clue_id, position)
);

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
    subject_id     text COLLATE "C" NOT NULL,
    field          text COLLATE "C" NOT NULL,
    position       bigint           NOT NULL,
    until_position bigint           NOT NULL,
    customer_id    text COLLATE "C" NOT NULL,
    kind           text COLLATE "C" NOT NULL,
    custom         bigint           NOT NULL,
    text           text COLLATE "C",
    number         double precision,
    whole          bigint,
    personal       text COLLATE "C",
    redacted       bigint           NOT NULL,
    PRIMARY KEY (subject_id, field, position)
);

CREATE INDEX past_value_customer ON past_value (customer_id, until_position);
CREATE INDEX past_value_since ON past_value (customer_id, position);
CREATE INDEX past_value_text ON past_value (field, text, subject_id) WHERE custom = 1;
CREATE INDEX past_value_number ON past_value (field, number, subject_id) WHERE custom = 1;
CREATE INDEX past_value_whole ON past_value (field, whole, subject_id) WHERE custom = 1;

-- By which customers are found by the names and numbers that they had then.
CREATE TABLE past_gram (
    customer_id    text COLLATE "C" NOT NULL,
    gram           text COLLATE "C" NOT NULL,
    position       bigint           NOT NULL,
    until_position bigint           NOT NULL,
    PRIMARY KEY (customer_id, gram, position)
);

CREATE INDEX past_gram_gram ON past_gram (gram, customer_id);

CREATE TABLE past_phone (
    customer_id      text COLLATE "C" NOT NULL,
    contact_point_id text COLLATE "C" NOT NULL,
    position         bigint           NOT NULL,
    until_position   bigint           NOT NULL,
    exact            text COLLATE "C" NOT NULL,
    last8            text COLLATE "C" NOT NULL,
    last4            text COLLATE "C" NOT NULL,
    PRIMARY KEY (customer_id, contact_point_id, position)
);

CREATE INDEX past_phone_exact ON past_phone (exact, customer_id);
CREATE INDEX past_phone_last8 ON past_phone (last8, customer_id);
CREATE INDEX past_phone_last4 ON past_phone (last4, customer_id);

-- What standing in a stage means, by version of the line's graph.
CREATE TABLE past_graph (
    line          text COLLATE "C" NOT NULL,
    graph_version bigint           NOT NULL,
    stage         text COLLATE "C" NOT NULL,
    category      text COLLATE "C" NOT NULL,
    PRIMARY KEY (line, graph_version, stage)
);

-- The envelope of every event: who, when, why, and because of what. Nothing in it is personal.
CREATE TABLE past_event (
    position       bigint           NOT NULL PRIMARY KEY,
    event_id       text COLLATE "C" NOT NULL,
    subject_id     text COLLATE "C" NOT NULL,
    kind           text COLLATE "C" NOT NULL,
    recorded_at    bigint           NOT NULL,
    occurred_at    bigint           NOT NULL,
    actor          text COLLATE "C" NOT NULL,
    on_behalf_of   text COLLATE "C",
    line           text COLLATE "C",
    command_id     text COLLATE "C" NOT NULL,
    correlation_id text COLLATE "C" NOT NULL,
    causation_id   text COLLATE "C",
    reason         text COLLATE "C",
    policy_version bigint
);

CREATE INDEX past_event_subject ON past_event (subject_id, position);
CREATE INDEX past_event_event ON past_event (event_id);

-- No samples of personal texts for the planner; see 0018.
ALTER TABLE clue_past
    ALTER COLUMN customer_name SET STATISTICS 0, ALTER COLUMN name_folded SET STATISTICS 0;
ALTER TABLE past_value ALTER COLUMN personal SET STATISTICS 0;
