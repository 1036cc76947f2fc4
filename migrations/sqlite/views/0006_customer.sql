-- Customers and all that happened with them.

CREATE TABLE customers (
    customer_id    text    NOT NULL PRIMARY KEY,
    line           text    NOT NULL,
    name           text,
    source_channel text    NOT NULL,
    campaign       text,
    registered_at  integer NOT NULL,
    do_not_call    integer NOT NULL,
    erased_at      integer,
    erasure_ground text,
    position       integer NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX customers_line ON customers (line, registered_at, customer_id);
CREATE INDEX customers_position ON customers (position, customer_id);

-- Contact points; the value is null once the customer is erased.
CREATE TABLE customer_contact (
    customer_id      text    NOT NULL,
    contact_point_id text    NOT NULL,
    kind             text    NOT NULL,
    value            text,
    verified         integer NOT NULL,
    added_at         integer NOT NULL,
    PRIMARY KEY (customer_id, contact_point_id)
) STRICT, WITHOUT ROWID;

-- Keyed hashes: who calls is found by the whole number.
CREATE TABLE customer_phone (
    customer_id      text NOT NULL,
    contact_point_id text NOT NULL,
    exact            text NOT NULL,
    last8            text NOT NULL,
    last4            text NOT NULL,
    PRIMARY KEY (customer_id, contact_point_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX customer_phone_exact ON customer_phone (exact, customer_id);
CREATE INDEX customer_phone_last8 ON customer_phone (last8, customer_id);
CREATE INDEX customer_phone_last4 ON customer_phone (last4, customer_id);

CREATE TABLE customer_consent (
    customer_id text    NOT NULL,
    purpose     text    NOT NULL,
    given_at    integer NOT NULL,
    PRIMARY KEY (customer_id, purpose)
) STRICT, WITHOUT ROWID;

CREATE TABLE customer_star (
    customer_id text    NOT NULL,
    line        text    NOT NULL,
    tier        integer NOT NULL,
    basis       text    NOT NULL,
    granted_at  integer NOT NULL,
    expires_at  integer,
    PRIMARY KEY (customer_id, line)
) STRICT, WITHOUT ROWID;

CREATE TABLE customer_link (
    customer_id text    NOT NULL,
    other_id    text    NOT NULL,
    linked_at   integer NOT NULL,
    PRIMARY KEY (customer_id, other_id)
) STRICT, WITHOUT ROWID;

-- Whose clues a customer has: what decides who may see the customer.
CREATE TABLE customer_clue (
    clue_id     text    NOT NULL PRIMARY KEY,
    customer_id text    NOT NULL,
    line        text    NOT NULL,
    lifecycle   text    NOT NULL,
    owner_id    text,
    team_id     text,
    captured_at integer NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX customer_clue_customer ON customer_clue (customer_id, captured_at);

-- One row an event that a person would want to see. Notes are in clear until the customer is erased.
CREATE TABLE customer_timeline (
    position          integer NOT NULL PRIMARY KEY,
    customer_id       text    NOT NULL,
    event_id          text    NOT NULL,
    kind              text    NOT NULL,
    occurred_at       integer NOT NULL,
    recorded_at       integer NOT NULL,
    actor             text    NOT NULL,
    on_behalf_of      text,
    line              text,
    clue_id           text,
    subject_ref       text,
    operator_id       text,
    other_operator_id text,
    from_word         text,
    to_word           text,
    at                integer,
    next_at           integer,
    duration_seconds  integer,
    channel           text,
    outcome           text,
    amount_minor      integer,
    currency          text,
    note              text,
    note_redacted     integer NOT NULL
) STRICT;

CREATE INDEX customer_timeline_customer ON customer_timeline (customer_id, position);
CREATE INDEX customer_timeline_clue ON customer_timeline (clue_id, position);
