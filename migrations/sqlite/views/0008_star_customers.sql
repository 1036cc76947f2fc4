-- Star customers: the score of each customer in each line, stored forward-decayed.

-- `score` orders for all time: it is an integer that encodes the sum at the landmark as sign,
-- exponent and fraction. Ages change every score's value by one factor and so never the order.
CREATE TABLE star_customers (
    customer_id text    NOT NULL,
    line        text    NOT NULL,
    score       integer NOT NULL,
    tier        integer NOT NULL,
    signals     integer NOT NULL,
    position    integer NOT NULL,
    PRIMARY KEY (customer_id, line)
) STRICT;

CREATE INDEX star_customers_score ON star_customers (line, score, customer_id);
CREATE INDEX star_customers_tier ON star_customers (line, tier, score, customer_id);
CREATE INDEX star_customers_position ON star_customers (position, customer_id);

-- The strongest signals, by what they weigh.
CREATE TABLE star_reason (
    customer_id text    NOT NULL,
    line        text    NOT NULL,
    rank        integer NOT NULL,
    signal      text    NOT NULL,
    points      integer NOT NULL,
    weight      integer NOT NULL,
    at          integer NOT NULL,
    clue_id     text,
    event_id    text    NOT NULL,
    position    integer NOT NULL,
    PRIMARY KEY (customer_id, line, rank)
) STRICT, WITHOUT ROWID;

-- Every signal, so that a new policy can score the past.
CREATE TABLE star_signal (
    position    integer NOT NULL PRIMARY KEY,
    customer_id text    NOT NULL,
    line        text    NOT NULL,
    signal      text    NOT NULL,
    at          integer NOT NULL,
    clue_id     text,
    event_id    text    NOT NULL
) STRICT;

CREATE INDEX star_signal_customer ON star_signal (customer_id);
CREATE INDEX star_signal_line ON star_signal (line, customer_id, position);

-- The score policy in force, one row a signal.
CREATE TABLE star_policy (
    line            text    NOT NULL,
    signal          text    NOT NULL,
    points          integer NOT NULL,
    half_life_hours integer NOT NULL,
    version         integer NOT NULL,
    PRIMARY KEY (line, signal)
) STRICT, WITHOUT ROWID;
