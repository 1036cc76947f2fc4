-- How far each read model has come, and who may write it.
CREATE TABLE checkpoints (
    name     text    NOT NULL PRIMARY KEY,
    version  integer NOT NULL,
    position integer NOT NULL,
    epoch    integer NOT NULL,
    updated_at integer NOT NULL
) STRICT, WITHOUT ROWID;
