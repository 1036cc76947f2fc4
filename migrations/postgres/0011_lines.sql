-- Business lines: definitions as the log has them.

-- `state` is the folded definition as this version of the program reads it; a newer one rebuilds it.
CREATE TABLE lines (
    line          text COLLATE "C" NOT NULL PRIMARY KEY,
    name          text COLLATE "C",
    country       text COLLATE "C",
    time_zone     text COLLATE "C",
    currency      text COLLATE "C",
    graph_version bigint           NOT NULL,
    suspended     bigint           NOT NULL,
    state         text COLLATE "C" NOT NULL,
    position      bigint           NOT NULL
);
