-- An event outside the log would count in its stream and be seen by no reader.
CREATE TRIGGER events_position_from_one BEFORE INSERT ON events WHEN new.position < 1
BEGIN SELECT raise(ABORT, 'positions are from 1'); END;
