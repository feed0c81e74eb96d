import { expect, test } from 'vitest';
import { findUrlFaults, isRealMoney } from './url-rules.ts';

const GOOD = 'https://pay.example.co.ke/c2b/V1StGXR8Z5jdHi6BmyT0kL9w/confirmation';

test.each([true, false])('a public host with HTTPS is taken (production: %s)', (isProduction) => {
  expect(findUrlFaults(GOOD, { isProduction })).toEqual([]);
});

test.each([
  { url: 'https://MPesa.example.co.ke/c2b', word: 'mpesa' },
  { url: 'https://pay.example.co.ke/m-pesa', word: 'm-pesa' },
  { url: 'https://pay.example.co.ke/Safaricom', word: 'safaricom' },
  { url: 'https://pay.example.co.ke/c2b/executor', word: 'exe' },
  { url: 'https://pay.example.co.ke/cmd', word: 'cmd' },
  { url: 'https://sql.example.co.ke', word: 'sql' },
  { url: 'https://pay.example.co.ke/query', word: 'query' },
])('$word is refused wherever it stands, in the sandbox as well', ({ url, word }) => {
  const [fault, ...more] = findUrlFaults(url, { isProduction: false });
  expect(fault).toContain(`no URL with ${word} in it`);
  expect(more).toEqual([]);
});

test.each([
  { url: 'http://pay.example.co.ke', says: 'HTTPS only' },
  { url: 'https://abc.ngrok.app', says: 'ngrok' },
  ...[
    'https://localhost',
    'https://pay',
    'https://10.0.0.5',
    'https://172.20.1.1',
    'https://192.168.1.9',
    'https://127.0.0.1',
    'https://[::1]',
    'https://[fd00::1]',
  ].map((url) => ({ url, says: 'public host' })),
])('production refuses $url, and the sandbox takes it', ({ url, says }) => {
  expect(findUrlFaults(url, { isProduction: true })).toEqual([expect.stringContaining(says)]);
  expect(findUrlFaults(url, { isProduction: false })).toEqual([]);
});

test.each(['https://8.8.8.8', 'https://[2001:4860:4860::8888]', 'https://172.32.0.1'])(
  'production takes the public address %s',
  (url) => {
    expect(findUrlFaults(url, { isProduction: true })).toEqual([]);
  },
);

test('what is wrong with a URL is said without the URL, which holds the token', () => {
  const url = 'http://mpesa/c2b/V1StGXR8Z5jdHi6BmyT0kL9w';
  expect(findUrlFaults(url, { isProduction: true }).join()).not.toContain('V1St');
});

test('only the production of Safaricom moves real money', () => {
  expect(isRealMoney('https://api.safaricom.co.ke')).toBe(true);
  expect(isRealMoney('https://sandbox.safaricom.co.ke')).toBe(false);
  expect(isRealMoney('http://127.0.0.1:4010')).toBe(false);
});
