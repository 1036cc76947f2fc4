-- One data key a person, wrapped by the master key, which is never in a database.
-- A schema of its own, so that it is backed up apart from the event log.
CREATE SCHEMA vault;

CREATE TABLE vault.data_keys (
    subject_id     text   NOT NULL CONSTRAINT data_keys_subject PRIMARY KEY,
    wrapped        bytea  NOT NULL,
    master_version bigint NOT NULL,
    created_at     bigint NOT NULL
);
