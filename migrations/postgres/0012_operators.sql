-- Operators and teams: who there is, and what for.

CREATE TABLE operators (
    operator_id text COLLATE "C" NOT NULL PRIMARY KEY,
    name        text COLLATE "C",
    suspended   bigint           NOT NULL,
    position    bigint           NOT NULL
);

CREATE TABLE operator_roles (
    operator_id text COLLATE "C" NOT NULL,
    role        text COLLATE "C" NOT NULL,
    PRIMARY KEY (operator_id, role)
);

CREATE TABLE operator_lines (
    operator_id text COLLATE "C" NOT NULL,
    line        text COLLATE "C" NOT NULL,
    PRIMARY KEY (operator_id, line)
);

CREATE TABLE operator_teams (
    operator_id text COLLATE "C" NOT NULL,
    team_id     text COLLATE "C" NOT NULL,
    PRIMARY KEY (operator_id, team_id)
);

CREATE TABLE teams (
    team_id   text COLLATE "C" NOT NULL PRIMARY KEY,
    line      text COLLATE "C" NOT NULL,
    name      text COLLATE "C" NOT NULL,
    suspended bigint           NOT NULL,
    position  bigint           NOT NULL
);
