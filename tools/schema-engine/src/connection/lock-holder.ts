/**
 * Who has the advisory lock $1 of this database, in one row and column of text; no row when nobody has it. Of sessions of
 * other users the server shows the process id alone, unless the role may read all statistics.
 */
export const LOCK_HOLDER = `
  SELECT concat_ws(', ', 'process ' || l.pid, 'application "' || nullif(a.application_name, '') || '"',
           'user "' || a.usename || '"', 'from ' || host(a.client_addr), nullif(a.state, ''),
           'connected since ' || to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC',
           'last at work ' || to_char(a.state_change AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC',
           'to end it: SELECT pg_terminate_backend(' || l.pid || ')') AS holder
    FROM pg_locks l
    LEFT JOIN pg_stat_activity a ON a.pid = l.pid
   WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
     AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
     AND l.classid::bigint << 32 | l.objid::bigint = $1::bigint
   LIMIT 1`;
