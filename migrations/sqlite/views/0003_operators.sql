-- Operators and teams: who there is, and what for.

CREATE TABLE operators (
    operator_id text    NOT NULL PRIMARY KEY,
    name        text,
    suspended   integer NOT NULL,
    position    integer NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE operator_roles (
    operator_id text NOT NULL,
    role        text NOT NULL,
    PRIMARY KEY (operator_id, role)
) STRICT, WITHOUT ROWID;

CREATE TABLE operator_lines (
    operator_id text NOT NULL,
    line        text NOT NULL,
    PRIMARY KEY (operator_id, line)
) STRICT, WITHOUT ROWID;

CREATE TABLE operator_teams (
    operator_id text NOT NULL,
    team_id     text NOT NULL,
    PRIMARY KEY (operator_id, team_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE teams (
    team_id   text    NOT NULL PRIMARY KEY,
    line      text    NOT NULL,
    name      text    NOT NULL,
    suspended integer NOT NULL,
    position  integer NOT NULL
) STRICT, WITHOUT ROWID;
