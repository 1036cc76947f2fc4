-- What left whoever had it, so that a watcher who was away hears of it, in whichever process. The list is
-- built anew at the next start, which fills this for the past.
CREATE TABLE clue_list_departure (
    position bigint           NOT NULL PRIMARY KEY,
    clue_id  text COLLATE "C" NOT NULL,
    line     text COLLATE "C" NOT NULL,
    owner_id text COLLATE "C",
    team_id  text COLLATE "C",
    pooled   bigint           NOT NULL
);
