-- Whether streams are still where they were when something was decided on them. A statement sees what was
-- there before it began to wait for the head; what a volatile function asks is seen as it is by then. So
-- this takes the head first, which the statement that calls it takes anyway, and looks at streams then.
CREATE FUNCTION log_is_as_decided(types text[], ids text[], revisions bigint[]) RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM FROM log_head WHERE id = 1 FOR NO KEY UPDATE;
    -- LATERAL with LIMIT keeps the look-ups on the index whatever the planner knows of the table.
    RETURN NOT EXISTS (
        SELECT FROM unnest(types, ids, revisions) AS d(t, i, s)
        LEFT JOIN LATERAL (
            SELECT sequence FROM events WHERE aggregate_type = d.t AND aggregate_id = d.i
            ORDER BY sequence DESC LIMIT 1
        ) e ON true WHERE coalesce(e.sequence, 0) <> d.s);
END $$;
