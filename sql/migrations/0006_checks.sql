-- SPDX-License-Identifier: MIT
-- The same conditions in other words. SQLite builds a table of its own for each list of more than two values, each time
-- that a row is written: sixteen for a process that starts and ends, which was two thirds of what its statements cost.
-- What is stored stays as it is, so the text of the schema is all that changes (https://www.sqlite.org/lang_altertable.html,
-- section 7).

PRAGMA writable_schema = ON;

UPDATE sqlite_schema
   SET sql = replace(replace(replace(replace(replace(sql,
       'CHECK (state IN
                        (''initial'', ''starting'', ''started'', ''stopped'', ''failed'', ''lost'', ''closed''))',
       'CHECK (state = ''initial'' OR state = ''starting'' OR state = ''started'' OR
                           state = ''stopped'' OR state = ''failed'' OR state = ''lost'' OR state = ''closed'')'),
       'CHECK (start_method IN (''spawn'', ''fork'', ''forkserver''))',
       'CHECK (start_method = ''spawn'' OR start_method = ''fork'' OR start_method = ''forkserver'')'),
       'CHECK (stderr IN (''log'', ''null'', ''stdout''))',
       'CHECK (stderr = ''log'' OR stderr = ''null'' OR stderr = ''stdout'')'),
       'CHECK (exit_reason IN (''exited'', ''signaled'', ''exec_failed'', ''start_failed'', ''lost''))',
       'CHECK (exit_reason = ''exited'' OR exit_reason = ''signaled'' OR exit_reason = ''exec_failed'' OR
                           exit_reason = ''start_failed'' OR exit_reason = ''lost'')'),
       '<= (state IN (''stopped'', ''failed'', ''lost'', ''closed''))',
       '<= (state = ''stopped'' OR state = ''failed'' OR state = ''lost'' OR state = ''closed'')')
 WHERE type = 'table' AND name = 'process';

UPDATE sqlite_schema
   SET sql = replace(sql, 'WHERE state IN (''stopped'', ''failed'', ''lost'', ''closed'')',
       'WHERE state = ''stopped'' OR state = ''failed'' OR state = ''lost'' OR state = ''closed''')
 WHERE type = 'index' AND name = 'process_over';

UPDATE sqlite_schema
   SET sql = replace(sql, 'CHECK (outcome IN (''done'', ''asked'', ''undone''))',
       'CHECK (outcome = ''done'' OR outcome = ''asked'' OR outcome = ''undone'')')
 WHERE type = 'table' AND name = 'audit_entry';

PRAGMA writable_schema = RESET;
