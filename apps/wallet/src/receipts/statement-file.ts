import { lookupWallet, walletStatement } from '@repo/db';
import type { Db, Handle, Reads, StatementLine, WalletStatement } from '@repo/db';
import { HttpProblem, callerOf, csvAnswer, httpProblem, lowerCase } from '@repo/http';
import { maskName, statementPdf } from '@repo/receipts';
import type { Issuer, Language, StatementEntry } from '@repo/receipts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { unknownWallet } from '../problems.ts';
import { ofPath } from '../wallets/wallet-change-routes.ts';

/** The most movements that a file holds: some 300 pages of paper. */
const LONGEST = 10_000;

const PAGE = 500;

interface Exchange {
  readonly db: Db;
  readonly reads: Reads;
  readonly issuer: Issuer | null;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

interface FileRequest {
  readonly wallet: string;
  readonly type: 'text/csv' | 'application/pdf';
  readonly from?: Date | undefined;
  readonly to?: Date | undefined;
  readonly cursor?: string | undefined;
  readonly limit?: number | undefined;
  readonly lang?: Language | undefined;
}

/** Answers with the statement of a whole period as a file. Throws 404 `unknown_wallet`, 422 `statement_too_long`. */
export async function sendStatementFile(
  { db, reads, issuer, request, reply }: Exchange,
  asked: FileRequest,
): Promise<FastifyReply> {
  if (asked.cursor !== undefined || asked.limit !== undefined) {
    throw httpProblem('invalid_request', {
      detail: 'A CSV or PDF holds the whole period. Leave `cursor` and `limit` out, or ask for JSON.',
    });
  }
  const madeAt = new Date();
  const statement = await reads.current((handle) => readWhole(handle, asked));
  const name = `statement-${asked.wallet.replaceAll(/[^A-Za-z0-9-]/g, '_')}`;
  const entries = statement.lines.map(entryOf);
  if (asked.type === 'text/csv') return reply.send(csvOf(reply, name, { ...statement, entries }));

  const wallet = await lookupWallet(db, asked.wallet);
  if (wallet === null) throw unknownWallet();
  const scopes = callerOf(request)?.scopes ?? [];
  const isAdmin = scopes.includes('*') || scopes.includes('admin');
  const { currency, openingBalance, closingBalance } = statement;
  const file = await statementPdf(
    {
      issuer,
      wallet: wallet.number,
      holder: isAdmin ? wallet.holderName : (maskName(wallet.holderName) ?? '***'),
      currency,
      from: asked.from?.toISOString() ?? null,
      to: asked.to?.toISOString() ?? null,
      madeAt: madeAt.toISOString(),
      openingBalance,
      closingBalance,
      entries,
    },
    asked.lang ?? wallet.language,
  );
  return reply
    .type(asked.type)
    .header('content-disposition', `inline; filename="${name}.pdf"`)
    .send(Buffer.from(file));
}

/**
 * Page after page, so that no query takes long. What arrives meanwhile is on the last page, and the closing balance is
 * that page's: the lines always lead from the one balance to the other.
 */
async function readWhole(db: Handle, { wallet, from, to }: FileRequest): Promise<WalletStatement> {
  const period = { wallet, limit: PAGE, ...given({ from, to }) };
  const first = await ofPath(walletStatement(db, period));
  const lines = [...first.lines];
  let last = first;
  while (last.nextCursor !== null) {
    if (lines.length >= LONGEST) throw tooLong();
    last = await ofPath(walletStatement(db, { ...period, cursor: last.nextCursor }));
    lines.push(...last.lines);
  }
  if (lines.length > LONGEST) throw tooLong();
  return { ...last, openingBalance: first.openingBalance, lines };
}

function tooLong(): HttpProblem {
  return new HttpProblem({
    code: 'statement_too_long',
    status: 422,
    title: 'The statement is too long for one file.',
    detail: `A CSV or PDF holds ${LONGEST.toLocaleString('en')} movements. Ask for a shorter period, or for JSON page by page.`,
  });
}

/** A movement as it is answered. */
export function entryOf(line: StatementLine): StatementEntry {
  return { ...line, type: lowerCase(line.type), createdAt: line.createdAt.toISOString() };
}

/** The members that are not undefined. */
export function given<Members extends object>(
  members: Members,
): { [Name in keyof Members]?: Exclude<Members[Name], undefined> } {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as {
    [Name in keyof Members]?: Exclude<Members[Name], undefined>;
  };
}

interface CsvRow extends Partial<StatementEntry> {
  readonly kind: string;
  readonly balance: string;
}

/** Movements between a row for each balance, so that a clerk can add them up. */
function csvOf(
  reply: FastifyReply,
  name: string,
  statement: Omit<WalletStatement, 'lines'> & { readonly entries: readonly StatementEntry[] },
): string {
  const { entries, openingBalance, closingBalance, currency } = statement;
  const rows: CsvRow[] = [
    { kind: 'opening_balance', balance: openingBalance },
    ...entries.map((entry) => ({ ...entry, kind: entry.type, balance: entry.balanceAfter })),
    { kind: 'closing_balance', balance: closingBalance },
  ];
  return csvAnswer<CsvRow>(reply, {
    name,
    rows,
    columns: {
      createdAt: (row) => row.createdAt ?? null,
      type: (row) => row.kind,
      reference: (row) => row.reference ?? null,
      direction: (row) => row.direction ?? null,
      counterparty: (row) => row.counterparty ?? null,
      amount: (row) => row.amount ?? null,
      balanceAfter: (row) => row.balance,
      currency: () => currency,
      narrative: (row) => row.narrative ?? null,
    },
  });
}
