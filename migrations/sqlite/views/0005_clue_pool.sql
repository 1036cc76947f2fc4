-- The pool: clues that nobody owns. Rows of other clues wait for their return.

-- star_rank is five minus the stars, so that one ascending index serves the whole order.
CREATE TABLE clue_pool (
    clue_id         text    NOT NULL PRIMARY KEY,
    customer_id     text    NOT NULL,
    line            text    NOT NULL,
    stage           text    NOT NULL,
    source_channel  text    NOT NULL,
    campaign        text,
    captured_at     integer NOT NULL,
    pooled          integer NOT NULL,
    pooled_at       integer,
    star_rank       integer NOT NULL,
    former_owner_id text,
    released_at     integer,
    times_pooled    integer NOT NULL,
    first_response  integer NOT NULL,
    position        integer NOT NULL
) STRICT;

CREATE INDEX clue_pool_order ON clue_pool (line, star_rank, pooled_at, clue_id) WHERE pooled = 1;
CREATE INDEX clue_pool_all ON clue_pool (star_rank, pooled_at, clue_id) WHERE pooled = 1;
CREATE INDEX clue_pool_customer ON clue_pool (customer_id);
CREATE INDEX clue_pool_position ON clue_pool (position, clue_id);

CREATE TABLE clue_pool_star (
    customer_id text    NOT NULL,
    line        text    NOT NULL,
    tier        integer NOT NULL,
    PRIMARY KEY (customer_id, line)
) STRICT, WITHOUT ROWID;
