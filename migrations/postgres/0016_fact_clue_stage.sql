-- BI fact: one row for every interval that a clue stood in a stage. No personal data.

CREATE TABLE fact_clue_stage (
    clue_id          text COLLATE "C" NOT NULL,
    interval_number  bigint           NOT NULL,
    customer_id      text COLLATE "C" NOT NULL,
    line             text COLLATE "C" NOT NULL,
    stage            text COLLATE "C" NOT NULL,
    category         text COLLATE "C" NOT NULL,
    graph_version    bigint           NOT NULL,
    lifecycle        text COLLATE "C" NOT NULL,
    owner_id         text COLLATE "C",
    team_id          text COLLATE "C",
    entered_at       bigint           NOT NULL,
    left_at          bigint,
    seconds          bigint,
    entered_position bigint           NOT NULL,
    left_position    bigint,
    PRIMARY KEY (clue_id, interval_number)
);

CREATE INDEX fact_clue_stage_customer ON fact_clue_stage (customer_id);
CREATE INDEX fact_clue_stage_entered ON fact_clue_stage (line, entered_at);
CREATE INDEX fact_clue_stage_position ON fact_clue_stage (line, entered_position);

-- Who owns a clue now, for the interval that it enters next.
CREATE TABLE fact_clue_stage_clue (
    clue_id     text COLLATE "C" NOT NULL PRIMARY KEY,
    customer_id text COLLATE "C" NOT NULL,
    owner_id    text COLLATE "C",
    team_id     text COLLATE "C"
);

CREATE INDEX fact_clue_stage_clue_customer ON fact_clue_stage_clue (customer_id);

CREATE TABLE fact_clue_stage_graph (
    line          text COLLATE "C" NOT NULL,
    graph_version bigint           NOT NULL,
    stage         text COLLATE "C" NOT NULL,
    category      text COLLATE "C" NOT NULL,
    PRIMARY KEY (line, graph_version, stage)
);
