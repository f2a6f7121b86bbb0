-- SPDX-License-Identifier: MIT
-- What is over goes after a while, if creched is told so: this finds the oldest of it.

-- Those that were joined or closed, then those that were not; in each half by the time since which it is over. What a
-- start writes is not in it.
CREATE INDEX process_over ON process
    ((joined_at IS NULL AND state <> 'closed'), coalesce(joined_at, stopped_at, created_at))
    WHERE state IN ('stopped', 'failed', 'lost', 'closed');

-- Beside the states, how many of those that have ended were joined and are not closed.
INSERT INTO tally
SELECT 'joined', count(*) FROM process WHERE state IN ('stopped', 'failed', 'lost') AND joined_at IS NOT NULL;
