-- An index that a list as of a position is read along says by itself whether a state held there: what
-- had ended, or had not begun, is passed without a look at its row. Where an order goes with time, such
-- as that of the next follow-up, many are passed. The two that find what still lasts hold only that.

DROP INDEX clue_past_all_updated;
CREATE INDEX clue_past_all_updated ON clue_past (era, updated_at, clue_id, position, until_position);
DROP INDEX clue_past_all_captured;
CREATE INDEX clue_past_all_captured ON clue_past (era, captured_at, clue_id, position, until_position);
DROP INDEX clue_past_all_next;
CREATE INDEX clue_past_all_next ON clue_past (era, next_follow_up_at, clue_id, position, until_position);
DROP INDEX clue_past_all_star;
CREATE INDEX clue_past_all_star ON clue_past (era, star, clue_id, position, until_position);
DROP INDEX clue_past_line_updated;
CREATE INDEX clue_past_line_updated ON clue_past (era, line, updated_at, clue_id, position, until_position);
DROP INDEX clue_past_line_captured;
CREATE INDEX clue_past_line_captured ON clue_past (era, line, captured_at, clue_id, position, until_position);
DROP INDEX clue_past_line_next;
CREATE INDEX clue_past_line_next ON clue_past (era, line, next_follow_up_at, clue_id, position, until_position);
DROP INDEX clue_past_line_star;
CREATE INDEX clue_past_line_star ON clue_past (era, line, star, clue_id, position, until_position);
DROP INDEX clue_past_owner_updated;
CREATE INDEX clue_past_owner_updated ON clue_past (era, owner_id, updated_at, clue_id, position, until_position);
DROP INDEX clue_past_owner_captured;
CREATE INDEX clue_past_owner_captured ON clue_past (era, owner_id, captured_at, clue_id, position, until_position);
DROP INDEX clue_past_owner_next;
CREATE INDEX clue_past_owner_next ON clue_past (era, owner_id, next_follow_up_at, clue_id, position, until_position);
DROP INDEX clue_past_owner_star;
CREATE INDEX clue_past_owner_star ON clue_past (era, owner_id, star, clue_id, position, until_position);
DROP INDEX clue_past_team_updated;
CREATE INDEX clue_past_team_updated ON clue_past (era, team_id, updated_at, clue_id, position, until_position);
DROP INDEX clue_past_team_captured;
CREATE INDEX clue_past_team_captured ON clue_past (era, team_id, captured_at, clue_id, position, until_position);
DROP INDEX clue_past_team_next;
CREATE INDEX clue_past_team_next ON clue_past (era, team_id, next_follow_up_at, clue_id, position, until_position);
DROP INDEX clue_past_team_star;
CREATE INDEX clue_past_team_star ON clue_past (era, team_id, star, clue_id, position, until_position);
DROP INDEX clue_past_all_since;
CREATE INDEX clue_past_all_since ON clue_past (position, clue_id) WHERE era = -1;
DROP INDEX clue_past_line_since;
CREATE INDEX clue_past_line_since ON clue_past (line, position, clue_id) WHERE era = -1;
