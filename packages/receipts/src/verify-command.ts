import { readFile, stat } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { ReceiptError } from './errors.ts';
import { formatAmount, formatParty, formatTime, visible } from './presentation.ts';
import { verifyReceiptFile } from './receipt-file.ts';
import type { FileVerification } from './receipt-file.ts';
import { FORGERY_REASONS } from './signed-receipt.ts';
import type { Receipt } from './signed-receipt.ts';
import { readPublicJwks } from './signing-keys.ts';
import { WORDINGS } from './wording.ts';

/** Receipts are some ten kilobytes. A far larger file is no receipt, and is not read into memory. */
const LARGEST_FILE_BYTES = 4_194_304;

const USAGE = `usage: verify-command.ts <receipt.pdf|receipt.html|receipt.json|receipt.jws> --keys <jwks.json>
Checks a receipt without network or database. The keys are what the wallet service publishes at
/.well-known/jwks.json; get them from the service itself, never from the person who gave you the receipt.
Exit code: 0 genuine, 1 not genuine, 2 it could not be checked.`;

/** Answers the exit code. */
async function main(args: readonly string[]): Promise<number> {
  const { file, keys } = parseCommandLine(args);
  const jwks = await readPublicJwks(new TextDecoder().decode(await read(keys)));
  const verification = await verifyReceiptFile(jwks, await read(file));
  process.stdout.write(`${report(verification)}\n`);
  return verification.genuine ? 0 : 1;
}

function parseCommandLine(args: readonly string[]): { file: string; keys: string } {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: { keys: { type: 'string' } },
      allowPositionals: true,
    });
    const [file, ...others] = positionals;
    if (file !== undefined && values.keys !== undefined && others.length === 0)
      return { file, keys: values.keys };
  } catch (cause) {
    throw new ReceiptError('USAGE', `\n${USAGE}`, { cause });
  }
  throw new ReceiptError('USAGE', `\n${USAGE}`);
}

async function read(path: string): Promise<Uint8Array> {
  try {
    const { size } = await stat(path);
    if (size <= LARGEST_FILE_BYTES) return await readFile(path);
  } catch (cause) {
    throw new ReceiptError('FILE_UNREADABLE', `${path}: check the name and the permissions`, { cause });
  }
  throw new ReceiptError(
    'FILE_UNREADABLE',
    `${path} is larger than ${LARGEST_FILE_BYTES} bytes, so no receipt`,
  );
}

function report(verification: FileVerification): string {
  if (verification.genuine) {
    return ['GENUINE', ...describe(verification.receipt)].join('\n');
  }
  const lines = [`FORGED: ${FORGERY_REASONS[verification.reason]} (${verification.reason})`];
  if (verification.signed !== undefined) {
    lines.push(
      'The signature in it is genuine, but was made for these facts:',
      ...describe(verification.signed),
      'A copy that a browser or another program saved again, or that another version of Daftari drew, also differs.',
      'If these facts are what you read in the file, get the receipt again from the service and check that.',
    );
  }
  return lines.join('\n');
}

function describe({ facts, verifyUrl }: Receipt): string[] {
  const words = WORDINGS.en;
  const { paidAt = null, fee = null, narrative = null, issuer = null } = facts;
  return [
    `  reference  ${visible(facts.reference)}`,
    `  type       ${words.types[facts.type]}`,
    `  amount     ${formatAmount(facts.currency, facts.amount)}`,
    `  time       ${formatTime(facts.createdAt, words)}`,
    ...line('paid', paidAt === null ? null : formatTime(paidAt, words)),
    `  from       ${formatParty(facts.from, words)}`,
    `  to         ${formatParty(facts.to, words)}`,
    ...line('fee', fee === null ? null : formatAmount(facts.currency, fee.amount)),
    ...line('for', narrative),
    ...line('issuer', issuer?.name ?? null),
    `  hash       ${facts.verificationHash}`,
    `  check at   ${verifyUrl}`,
  ];
}

function line(label: string, value: string | null): string[] {
  return value === null ? [] : [`  ${label.padEnd(10)} ${visible(value)}`];
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof ReceiptError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
}
