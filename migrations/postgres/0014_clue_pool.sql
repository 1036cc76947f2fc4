-- The pool: clues that nobody owns. Rows of other clues wait for their return.

-- star_rank is five minus the stars, so that one ascending index serves the whole order.
CREATE TABLE clue_pool (
    clue_id         text COLLATE "C" NOT NULL PRIMARY KEY,
    customer_id     text COLLATE "C" NOT NULL,
    line            text COLLATE "C" NOT NULL,
    stage           text COLLATE "C" NOT NULL,
    source_channel  text COLLATE "C" NOT NULL,
    campaign        text COLLATE "C",
    captured_at     bigint           NOT NULL,
    pooled          bigint           NOT NULL,
    pooled_at       bigint,
    star_rank       bigint           NOT NULL,
    former_owner_id text COLLATE "C",
    released_at     bigint,
    times_pooled    bigint           NOT NULL,
    first_response  bigint           NOT NULL,
    position        bigint           NOT NULL
);

CREATE INDEX clue_pool_order ON clue_pool (line, star_rank, pooled_at, clue_id) WHERE pooled = 1;
CREATE INDEX clue_pool_all ON clue_pool (star_rank, pooled_at, clue_id) WHERE pooled = 1;
CREATE INDEX clue_pool_customer ON clue_pool (customer_id);
CREATE INDEX clue_pool_position ON clue_pool (position, clue_id);

CREATE TABLE clue_pool_star (
    customer_id text COLLATE "C" NOT NULL,
    line        text COLLATE "C" NOT NULL,
    tier        bigint           NOT NULL,
    PRIMARY KEY (customer_id, line)
);
