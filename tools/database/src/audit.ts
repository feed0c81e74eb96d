// db:audit: whether the rows of the ledger agree with each other.
import { readCommandLine, refuse } from '@repo/command/command-line';
import { renderAudit } from './audit/render-audit.ts';
import { print, runCommand } from './command.ts';
import { showProgress } from './terminal/progress.ts';
import { projectAt } from './project.ts';
import { openReadTarget, REPLICA_OPTION } from './target.ts';

const USAGE = `Usage: db:audit [--json] [--limit <n>] [--replica]

Checks that wallets, transactions, holds, requests, M-PESA logs, callbacks and SMS costs agree with each other. It only
reads, and sees one moment, however long it takes. db:verify checks the schema; this checks the rows.

  --limit <n>  findings of each check to show; the others are counted (default: 20)
  --json       the whole audit as one line of JSON
${REPLICA_OPTION}

Exit code: 0 nothing found, 1 something found, 2 it could not run.`;

/** The exit code of an audit that could not run: nobody may take it for a clean one, nor for a finding. */
const COULD_NOT_RUN = 2;

const { values } = readCommandLine(USAGE, {
  options: {
    json: { type: 'boolean', default: false },
    limit: { type: 'string', default: '20' },
    replica: { type: 'boolean', default: false },
  },
});

const { auditLedger, createDb } = await import('@repo/db');
if (!/^[1-9][0-9]{0,5}$/.test(values.limit)) {
  refuse('--limit is a whole number from 1 to 999999.', USAGE);
}

await runCommand(async () => {
  await using target = await openReadTarget(projectAt(), values.replica);
  using progress = showProgress();
  const db = createDb({ url: target.url, maxConnections: 2, readsOnly: true });
  try {
    const audit = await auditLedger(db, {
      limit: Number(values.limit),
      onCheck: ({ name, place, of }) => progress.step(`auditing ${name} (${String(place)} of ${String(of)})`),
    });
    progress.end();
    if (values.json) print(JSON.stringify(audit));
    else for (const line of renderAudit(audit)) print(line);
    return audit.checks.some(({ faults }) => faults > 0) ? 1 : 0;
  } finally {
    await db.close();
  }
}, COULD_NOT_RUN);
