-- What left whoever had it, so that a watcher who was away hears of it, in whichever process. The list is
-- built anew at the next start, which fills this for the past.
CREATE TABLE clue_list_departure (
    position integer NOT NULL PRIMARY KEY,
    clue_id  text    NOT NULL,
    line     text    NOT NULL,
    owner_id text,
    team_id  text,
    pooled   integer NOT NULL
) STRICT;
