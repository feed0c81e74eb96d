import { decodeCode, paint } from '@repo/receipts/testing/decode-code';
import type { Rectangle } from '@repo/receipts/testing/decode-code';
import { drawnModules } from '@repo/receipts/testing/read-page';
import { filledRectangles } from '@repo/receipts/testing/read-pdf';
import { expect, test } from 'vitest';
import { openCustomer, posting, startTestService } from '../testing.ts';
import type { TestService } from '../testing.ts';

async function pay(service: TestService): Promise<{ reference: string; hash: string }> {
  const from = await openCustomer(service.db, '100.00', 'Wanjiku Kamau');
  const to = await openCustomer(service.db, '0.00', 'Otieno Odhiambo');
  const { body } = await service.ask('/transfers', posting({ from, to, amount: '60.00' }));
  return { reference: String(body['reference']), hash: String(body['verificationHash']) };
}

/** What is drawn dark on a receipt as it came from the service. */
const DRAWN: Readonly<Record<string, (response: Response) => Promise<Rectangle[]>>> = {
  pdf: async (response) => filledRectangles(new Uint8Array(await response.arrayBuffer())),
  html: async (response) => drawnModules(await response.text()),
};

/** The page that a phone opens: as anybody, without a key. */
async function openPage(url: string): Promise<{ status: number; page: string }> {
  const response = await fetch(url, { headers: { accept: 'text/html', 'accept-language': 'en' } });
  return { status: response.status, page: await response.text() };
}

/** The same URL with another digit at one place of the hash. */
function forged(url: string, place: number): string {
  const at = url.lastIndexOf('/') + 1 + place;
  return `${url.slice(0, at)}${url[at] === '0' ? '1' : '0'}${url.slice(at + 1)}`;
}

test.each([
  ['pdf', 'a4'],
  ['pdf', 'roll'],
  ['html', 'a4'],
  ['html', 'roll'],
])(
  'the code on a receipt as %s for %s opens a page that says genuine, and a forged one does not',
  async (form, paper) => {
    await using service = await startTestService();
    const { reference, hash } = await pay(service);
    const response = await service.fetch(`/receipts/${reference}.${form}?paper=${paper}`);
    expect(response.status).toBe(200);
    const url = decodeCode(paint((await DRAWN[form]?.(response)) ?? []));
    expect(url).toBe(`${service.url}/verify/${reference}/${hash}?lang=en`);

    const genuine = await openPage(url ?? '');
    expect(genuine).toMatchObject({
      status: 200,
      page: expect.stringContaining('Genuine receipt') as string,
    });
    expect(genuine.page).toContain('60.00');
    for (const place of [0, 31, 63]) {
      const { page } = await openPage(forged(url ?? '', place));
      expect(page).toContain('Not genuine');
      expect(page).not.toContain('Genuine receipt');
      expect(page).not.toContain('60.00');
    }
  },
);
