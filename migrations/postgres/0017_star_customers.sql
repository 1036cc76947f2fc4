-- Star customers: the score of each customer in each line, stored forward-decayed.

-- `score` orders for all time: it is an integer that encodes the sum at the landmark as sign,
-- exponent and fraction. Ages change every score's value by one factor and so never the order.
CREATE TABLE star_customers (
    customer_id text COLLATE "C" NOT NULL,
    line        text COLLATE "C" NOT NULL,
    score       bigint           NOT NULL,
    tier        bigint           NOT NULL,
    signals     bigint           NOT NULL,
    position    bigint           NOT NULL,
    PRIMARY KEY (customer_id, line)
);

CREATE INDEX star_customers_score ON star_customers (line, score, customer_id);
CREATE INDEX star_customers_tier ON star_customers (line, tier, score, customer_id);
CREATE INDEX star_customers_position ON star_customers (position, customer_id);

-- The strongest signals, by what they weigh.
CREATE TABLE star_reason (
    customer_id text COLLATE "C" NOT NULL,
    line        text COLLATE "C" NOT NULL,
    rank        bigint           NOT NULL,
    signal      text COLLATE "C" NOT NULL,
    points      bigint           NOT NULL,
    weight      bigint           NOT NULL,
    at          bigint           NOT NULL,
    clue_id     text COLLATE "C",
    event_id    text COLLATE "C" NOT NULL,
    position    bigint           NOT NULL,
    PRIMARY KEY (customer_id, line, rank)
);

-- Every signal, so that a new policy can score the past.
CREATE TABLE star_signal (
    position    bigint           NOT NULL PRIMARY KEY,
    customer_id text COLLATE "C" NOT NULL,
    line        text COLLATE "C" NOT NULL,
    signal      text COLLATE "C" NOT NULL,
    at          bigint           NOT NULL,
    clue_id     text COLLATE "C",
    event_id    text COLLATE "C" NOT NULL
);

CREATE INDEX star_signal_customer ON star_signal (customer_id);
CREATE INDEX star_signal_line ON star_signal (line, customer_id, position);

-- The score policy in force, one row a signal.
CREATE TABLE star_policy (
    line            text COLLATE "C" NOT NULL,
    signal          text COLLATE "C" NOT NULL,
    points          bigint           NOT NULL,
    half_life_hours bigint           NOT NULL,
    version         bigint           NOT NULL,
    PRIMARY KEY (line, signal)
);
