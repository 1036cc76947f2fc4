-- Customers and all that happened with them.

CREATE TABLE customers (
    customer_id    text COLLATE "C" NOT NULL PRIMARY KEY,
    line           text COLLATE "C" NOT NULL,
    name           text COLLATE "C",
    source_channel text COLLATE "C" NOT NULL,
    campaign       text COLLATE "C",
    registered_at  bigint           NOT NULL,
    do_not_call    bigint           NOT NULL,
    erased_at      bigint,
    erasure_ground text COLLATE "C",
    position       bigint           NOT NULL
);

CREATE INDEX customers_line ON customers (line, registered_at, customer_id);
CREATE INDEX customers_position ON customers (position, customer_id);

-- Contact points; the value is null once the customer is erased.
CREATE TABLE customer_contact (
    customer_id      text COLLATE "C" NOT NULL,
    contact_point_id text COLLATE "C" NOT NULL,
    kind             text COLLATE "C" NOT NULL,
    value            text COLLATE "C",
    verified         bigint           NOT NULL,
    added_at         bigint           NOT NULL,
    PRIMARY KEY (customer_id, contact_point_id)
);

-- Keyed hashes: who calls is found by the whole number.
CREATE TABLE customer_phone (
    customer_id      text COLLATE "C" NOT NULL,
    contact_point_id text COLLATE "C" NOT NULL,
    exact            text COLLATE "C" NOT NULL,
    last8            text COLLATE "C" NOT NULL,
    last4            text COLLATE "C" NOT NULL,
    PRIMARY KEY (customer_id, contact_point_id)
);

CREATE INDEX customer_phone_exact ON customer_phone (exact, customer_id);
CREATE INDEX customer_phone_last8 ON customer_phone (last8, customer_id);
CREATE INDEX customer_phone_last4 ON customer_phone (last4, customer_id);

CREATE TABLE customer_consent (
    customer_id text COLLATE "C" NOT NULL,
    purpose     text COLLATE "C" NOT NULL,
    given_at    bigint           NOT NULL,
    PRIMARY KEY (customer_id, purpose)
);

CREATE TABLE customer_star (
    customer_id text COLLATE "C" NOT NULL,
    line        text COLLATE "C" NOT NULL,
    tier        bigint           NOT NULL,
    basis       text COLLATE "C" NOT NULL,
    granted_at  bigint           NOT NULL,
    expires_at  bigint,
    PRIMARY KEY (customer_id, line)
);

CREATE TABLE customer_link (
    customer_id text COLLATE "C" NOT NULL,
    other_id    text COLLATE "C" NOT NULL,
    linked_at   bigint           NOT NULL,
    PRIMARY KEY (customer_id, other_id)
);

-- Whose clues a customer has: what decides who may see the customer.
CREATE TABLE customer_clue (
    clue_id     text COLLATE "C" NOT NULL PRIMARY KEY,
    customer_id text COLLATE "C" NOT NULL,
    line        text COLLATE "C" NOT NULL,
    lifecycle   text COLLATE "C" NOT NULL,
    owner_id    text COLLATE "C",
    team_id     text COLLATE "C",
    captured_at bigint           NOT NULL
);

CREATE INDEX customer_clue_customer ON customer_clue (customer_id, captured_at);

-- One row an event that a person would want to see. Notes are in clear until the customer is erased.
CREATE TABLE customer_timeline (
    position          bigint           NOT NULL PRIMARY KEY,
    customer_id       text COLLATE "C" NOT NULL,
    event_id          text COLLATE "C" NOT NULL,
    kind              text COLLATE "C" NOT NULL,
    occurred_at       bigint           NOT NULL,
    recorded_at       bigint           NOT NULL,
    actor             text COLLATE "C" NOT NULL,
    on_behalf_of      text COLLATE "C",
    line              text COLLATE "C",
    clue_id           text COLLATE "C",
    subject_ref       text COLLATE "C",
    operator_id       text COLLATE "C",
    other_operator_id text COLLATE "C",
    from_word         text COLLATE "C",
    to_word           text COLLATE "C",
    at                bigint,
    next_at           bigint,
    duration_seconds  bigint,
    channel           text COLLATE "C",
    outcome           text COLLATE "C",
    amount_minor      bigint,
    currency          text COLLATE "C",
    note              text COLLATE "C",
    note_redacted     bigint           NOT NULL
);

CREATE INDEX customer_timeline_customer ON customer_timeline (customer_id, position);
CREATE INDEX customer_timeline_clue ON customer_timeline (clue_id, position);
