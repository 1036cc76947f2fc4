-- An event outside the log would count in its stream and be seen by no reader. NOT VALID: what is there
-- already is not read now; `cluestream verify` names it.
ALTER TABLE events ADD CONSTRAINT events_position_from_one CHECK (position > 0) NOT VALID;
