-- Whether the data keys of people are there under which something is sealed, by the time the head is taken:
-- an erasure that was waited for is seen. See log_is_as_decided.
CREATE FUNCTION log_has_keys(subjects text[]) RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM FROM log_head WHERE id = 1 FOR NO KEY UPDATE;
    RETURN cardinality(subjects) = (
        SELECT count(*) FROM unnest(subjects) AS k(s)
        CROSS JOIN LATERAL (SELECT FROM vault.data_keys WHERE subject_id = k.s LIMIT 1) e);
END $$;
