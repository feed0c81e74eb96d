import type { Client } from 'pg';
import type { Check, Finding } from './finding.ts';

interface PrivilegeRow extends Pick<Finding, 'severity'> {
  readonly what: string;
  readonly remedy: string;
}

/** Granted to PUBLIC, which is everybody who can connect: an entry without a grantee. */
const QUERIES: readonly string[] = [
  `SELECT 'wrong' AS severity,
          format('everybody may %s table %I.%I', string_agg(lower(a.privilege_type), ', ' ORDER BY a.privilege_type),
                 n.nspname, c.relname) AS what,
          format('REVOKE ALL ON %I.%I FROM PUBLIC;', n.nspname, c.relname) AS remedy
     FROM pg_class c
     JOIN pg_namespace n ON n.oid = c.relnamespace
    CROSS JOIN LATERAL aclexplode(c.relacl) AS a
    WHERE n.nspname = ANY ($1) AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND a.grantee = 0
      AND a.privilege_type IN ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER', 'REFERENCES', 'MAINTAIN')
    GROUP BY n.nspname, c.relname`,
  `SELECT 'wrong' AS severity, format('everybody may update column %I of table %I.%I', t.attname, n.nspname, c.relname) AS what,
          format('REVOKE ALL (%I) ON %I.%I FROM PUBLIC;', t.attname, n.nspname, c.relname) AS remedy
     FROM pg_attribute t
     JOIN pg_class c ON c.oid = t.attrelid
     JOIN pg_namespace n ON n.oid = c.relnamespace
    CROSS JOIN LATERAL aclexplode(t.attacl) AS a
    WHERE n.nspname = ANY ($1) AND NOT t.attisdropped AND a.grantee = 0 AND a.privilege_type IN ('INSERT', 'UPDATE')
    GROUP BY t.attname, n.nspname, c.relname`,
  `SELECT CASE WHEN n.nspname = 'public' THEN 'notice' ELSE 'wrong' END AS severity,
          format('everybody may make objects in schema %I', n.nspname) AS what,
          format('REVOKE CREATE ON SCHEMA %I FROM PUBLIC;', n.nspname) AS remedy
     FROM pg_namespace n
    CROSS JOIN LATERAL aclexplode(n.nspacl) AS a
    WHERE (n.nspname = ANY ($1) OR n.nspname = 'public') AND a.grantee = 0 AND a.privilege_type = 'CREATE'`,
  `SELECT 'wrong' AS severity,
          format('tables that %I makes%s can be written by everybody', pg_get_userbyid(d.defaclrole),
                 coalesce(format(' in schema %I', n.nspname), '')) AS what,
          format('ALTER DEFAULT PRIVILEGES FOR ROLE %I%s REVOKE ALL ON TABLES FROM PUBLIC;', pg_get_userbyid(d.defaclrole),
                 coalesce(format(' IN SCHEMA %I', n.nspname), '')) AS remedy
     FROM pg_default_acl d
     LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace
    CROSS JOIN LATERAL aclexplode(d.defaclacl) AS a
    WHERE d.defaclobjtype = 'r' AND (n.nspname IS NULL OR n.nspname = ANY ($1)) AND a.grantee = 0
      AND a.privilege_type IN ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER')
    GROUP BY d.defaclrole, n.nspname`,
  `SELECT 'notice' AS severity,
          format('%s of the tables and functions belong to %I, and others to %s: any owner can drop the guards of theirs',
                 f.count, f.owner, f.others) AS what,
          'ALTER ... OWNER TO one role, which no service connects as.' AS remedy
     FROM (
       SELECT o.owner, o.count, string_agg(quote_ident(o.owner), ', ') FILTER (WHERE o.place > 1) OVER () AS others, o.place
         FROM (
           SELECT pg_get_userbyid(b.owner) AS owner, count(*) AS count,
                  row_number() OVER (ORDER BY count(*) DESC, b.owner) AS place
             FROM (
               SELECT c.relowner AS owner FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                WHERE n.nspname = ANY ($1) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
               UNION ALL
               SELECT p.proowner FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = ANY ($1)
             ) b
            GROUP BY b.owner
         ) o
     ) f
    WHERE f.place = 1 AND f.others IS NOT NULL`,
];

/** Who else may write into the schemas of this project, as far as that is everybody. */
export async function checkPrivileges(client: Client, schemas: readonly string[]): Promise<Check> {
  const findings: Finding[] = [];
  for (const query of QUERIES) {
    const { rows } = await client.query<PrivilegeRow>(`${query} ORDER BY 2`, [schemas]);
    findings.push(...rows);
  }
  return { name: 'privileges', summary: 'nothing is open to everybody', findings };
}
