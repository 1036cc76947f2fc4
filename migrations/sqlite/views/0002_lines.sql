-- Business lines: definitions as the log has them.

-- `state` is the folded definition as this version of the program reads it; a newer one rebuilds it.
CREATE TABLE lines (
    line          text    NOT NULL PRIMARY KEY,
    name          text,
    country       text,
    time_zone     text,
    currency      text,
    graph_version integer NOT NULL,
    suspended     integer NOT NULL,
    state         text    NOT NULL,
    position      integer NOT NULL
) STRICT, WITHOUT ROWID;
