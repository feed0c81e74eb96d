import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { startTestService, TEST_TOKEN } from './testing.ts';
import type { TestService } from './testing.ts';

const REPORT = 'id=ATXid_1&status=Success';

/** Writes a request to the service's socket and gives all that it answers. */
async function write(
  service: TestService,
  { line, body = REPORT }: { line: string; body?: string },
): Promise<string> {
  const socket = connect(Number(new URL(service.url).port), '127.0.0.1');
  socket.write(
    `${line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${String(body.length)}\r\n\r\n`,
  );
  socket.write(body);
  return text(socket);
}

function readReports(service: TestService) {
  return service.query(
    `SELECT outcome, reason, convert_from(body, 'UTF8') AS body FROM services.sms_delivery_reports`,
  );
}

test.each([
  `/delivery-reports/${TEST_TOKEN}/`,
  `//delivery-reports//${TEST_TOKEN}`,
  `/Delivery-Reports/${TEST_TOKEN}?x=1`,
])('a report that comes to %s is taken', async (path) => {
  await using service = await startTestService();
  expect(await write(service, { line: `POST ${path}` })).toMatch(/^HTTP\/1\.1 200 /);
  expect(await readReports(service)).toMatchObject([{ outcome: 'PARKED', body: REPORT }]);
});

test.each([
  [`POST /delivery-reports/${TEST_TOKEN}/more`, 404, 'unknown_path'],
  [`PUT /delivery-reports/${TEST_TOKEN}`, 405, 'method_not_post'],
  [`GET /opt-outs/${TEST_TOKEN}`, 405, 'method_not_post'],
])('what comes by %s is refused and kept', async (line, status, reason) => {
  await using service = await startTestService();
  expect(await write(service, { line })).toMatch(new RegExp(`^HTTP/1\\.1 ${String(status)} `));
  expect(await readReports(service)).toEqual([{ outcome: 'QUARANTINED', reason, body: REPORT }]);
});

test('a body of any size is refused with 413, and its beginning is kept with its size', async () => {
  await using service = await startTestService();
  const body = REPORT.padEnd(3_000_000);
  const answer = await write(service, { line: `POST /delivery-reports/${TEST_TOKEN}`, body });
  expect(answer).toMatch(/^HTTP\/1\.1 413 /);
  expect(await readReports(service)).toEqual([
    {
      outcome: 'QUARANTINED',
      reason: 'body_too_large: 65536 of 3000000 bytes kept',
      body: body.slice(0, 65_536),
    },
  ]);
});
