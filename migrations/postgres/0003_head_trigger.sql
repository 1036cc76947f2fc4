-- The condition belongs to the trigger, not to its function: an append that moves the head forward
-- then calls no PL/pgSQL.
CREATE OR REPLACE FUNCTION refuse_backward_head() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the head of the log never moves back' USING ERRCODE = 'restrict_violation';
END $$;

CREATE OR REPLACE TRIGGER log_head_forward BEFORE UPDATE ON log_head
FOR EACH ROW
WHEN (new.position < old.position OR new.recorded_at < old.recorded_at OR new.epoch < old.epoch)
EXECUTE FUNCTION refuse_backward_head();
