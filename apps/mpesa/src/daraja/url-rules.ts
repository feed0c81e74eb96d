import { BlockList, isIP } from 'node:net';

/** M-PESA refuses a URL in which one of these stands anywhere, also in the name of the host. */
const FORBIDDEN_WORDS = ['mpesa', 'm-pesa', 'safaricom', 'exe', 'cmd', 'sql', 'query'];

/** Tunnels and bins that production does not take. */
const FORBIDDEN_HOSTS = ['ngrok', 'mockbin', 'requestbin'];

const OF_PRODUCTION = 'api.safaricom.co.ke';

/** Whether an account at Daraja moves real money: then its rules for URLs are stricter. */
export function isRealMoney(baseUrl: string): boolean {
  return new URL(baseUrl).hostname === OF_PRODUCTION;
}

/** The words in a text that M-PESA takes in no URL. */
export function forbiddenWordsIn(text: string): string[] {
  const lower = text.toLowerCase();
  return FORBIDDEN_WORDS.filter((word) => lower.includes(word));
}

/**
 * Why M-PESA would not take a URL: sentences that say what to do and never repeat the URL, which holds the token. The rules are
 * Safaricom's; it answers a URL that breaks one with nothing helpful, or takes it and never calls it.
 */
export function findUrlFaults(url: string, { isProduction }: { readonly isProduction: boolean }): string[] {
  const words = forbiddenWordsIn(url);
  const faults =
    words.length === 0
      ? []
      : [`M-PESA takes no URL with ${words.join(', ')} in it: choose another host, path or callback token.`];
  if (!isProduction) return faults;
  const { protocol, hostname } = new URL(url);
  if (protocol !== 'https:')
    faults.push('Production takes HTTPS only: give DARAJA_CALLBACK_URL as https://…');
  const tunnels = FORBIDDEN_HOSTS.filter((name) => hostname.includes(name));
  if (tunnels.length > 0) {
    faults.push(`Production takes no tunnel (${tunnels.join(', ')}): use a host of your own.`);
  }
  if (isPrivateHost(hostname)) {
    faults.push('M-PESA calls from the internet: DARAJA_CALLBACK_URL must name a public host.');
  }
  return faults;
}

/** Whether a host is no public one: a private address, or a name without a dot. */
export function isPrivateHost(hostname: string): boolean {
  const address = hostname.replace(/^\[(.*)\]$/, '$1');
  const family = isIP(address);
  if (family === 0) return address === 'localhost' || !address.includes('.');
  return privateNetworks().check(address, family === 6 ? 'ipv6' : 'ipv4');
}

function privateNetworks(): BlockList {
  const list = new BlockList();
  for (const [network, prefix] of [
    ['0.0.0.0', 8],
    ['10.0.0.0', 8],
    ['100.64.0.0', 10],
    ['127.0.0.0', 8],
    ['169.254.0.0', 16],
    ['172.16.0.0', 12],
    ['192.168.0.0', 16],
  ] as const) {
    list.addSubnet(network, prefix, 'ipv4');
  }
  for (const [network, prefix] of [
    ['::', 127],
    ['fc00::', 7],
    ['fe80::', 10],
  ] as const) {
    list.addSubnet(network, prefix, 'ipv6');
  }
  return list;
}
