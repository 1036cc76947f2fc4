-- BI fact: one row for every interval that a clue stood in a stage. No personal data.

CREATE TABLE fact_clue_stage (
    clue_id          text    NOT NULL,
    interval_number  integer NOT NULL,
    customer_id      text    NOT NULL,
    line             text    NOT NULL,
    stage            text    NOT NULL,
    category         text    NOT NULL,
    graph_version    integer NOT NULL,
    lifecycle        text    NOT NULL,
    owner_id         text,
    team_id          text,
    entered_at       integer NOT NULL,
    left_at          integer,
    seconds          integer,
    entered_position integer NOT NULL,
    left_position    integer,
    PRIMARY KEY (clue_id, interval_number)
) STRICT;

CREATE INDEX fact_clue_stage_customer ON fact_clue_stage (customer_id);
CREATE INDEX fact_clue_stage_entered ON fact_clue_stage (line, entered_at);
CREATE INDEX fact_clue_stage_position ON fact_clue_stage (line, entered_position);

-- Who owns a clue now, for the interval that it enters next.
CREATE TABLE fact_clue_stage_clue (
    clue_id     text NOT NULL PRIMARY KEY,
    customer_id text NOT NULL,
    owner_id    text,
    team_id     text
) STRICT, WITHOUT ROWID;

CREATE INDEX fact_clue_stage_clue_customer ON fact_clue_stage_clue (customer_id);

CREATE TABLE fact_clue_stage_graph (
    line          text    NOT NULL,
    graph_version integer NOT NULL,
    stage         text    NOT NULL,
    category      text    NOT NULL,
    PRIMARY KEY (line, graph_version, stage)
) STRICT, WITHOUT ROWID;
