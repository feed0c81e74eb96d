import createClient from 'openapi-fetch';
import type { Client } from 'openapi-fetch';
import type { paths as MpesaPaths } from './generated/mpesa.ts';
import type { paths as SmsPaths } from './generated/sms.ts';
import type { paths as WalletPaths } from './generated/wallet.ts';

/** Lists come as CSV too; a program wants them as JSON. */
type Media = 'application/json' | 'application/problem+json';

/** A client for each of the services. */
export interface Clients {
  readonly wallet: Client<WalletPaths, Media>;
  readonly mpesa: Client<MpesaPaths, Media>;
  readonly sms: Client<SmsPaths, Media>;
}

export interface Access {
  readonly walletUrl: string;
  readonly mpesaUrl: string;
  readonly smsUrl: string;
  readonly apiKey: string;
}

export function createClients({ walletUrl, mpesaUrl, smsUrl, apiKey }: Access): Clients {
  const headers = { authorization: `Bearer ${apiKey}` };
  return {
    wallet: createClient<WalletPaths, Media>({ baseUrl: walletUrl, headers }),
    mpesa: createClient<MpesaPaths, Media>({ baseUrl: mpesaUrl, headers }),
    sms: createClient<SmsPaths, Media>({ baseUrl: smsUrl, headers }),
  };
}

/** What a client's call resolves to. */
export type Answer<Data, Problem> =
  { readonly data: Data; readonly error?: never } | { readonly data?: never; readonly error: Problem };

/** The data of an answer that must be no problem. */
export function granted<Data>({ data, error }: Answer<Data, { readonly code: string }>): Data {
  if (error !== undefined) throw new Error(`refused: ${error.code}`);
  return data;
}

interface Page<Item> {
  readonly items: readonly Item[];
  readonly nextCursor: string | null;
}

/** The pages of a list, to the last one. `read` gets the parameter `cursor`, or nothing for the first page. */
export async function readPages<Item>(
  read: (place: { readonly cursor?: string }) => Promise<Answer<Page<Item>, { readonly code: string }>>,
): Promise<(readonly Item[])[]> {
  const pages: (readonly Item[])[] = [];
  let place: { readonly cursor?: string } | null = {};
  while (place !== null) {
    const { items, nextCursor }: Page<Item> = granted(await read(place));
    pages.push(items);
    place = nextCursor === null ? null : { cursor: nextCursor };
  }
  return pages;
}
