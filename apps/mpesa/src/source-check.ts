import { createNetworkCheck } from './networks.ts';

export interface SourceCheckSettings {
  readonly mode: 'off' | 'log' | 'enforce';
  readonly allowlist: readonly string[];
}

export interface SourceVerdict {
  readonly allowed: boolean;
  /** The address is in the list, or nobody wants to know. */
  readonly isListed: boolean;
  /** The address is not listed and was not reported before. */
  readonly isNews: boolean;
}

/** So many unlisted addresses are remembered; more than that is an attack, and one report of it is enough. */
const MAX_REMEMBERED = 1_000;

/** Builds the check of where callbacks come from. Every unlisted address is news once, not with every request. */
export function createSourceCheck(settings: SourceCheckSettings): (address: string) => SourceVerdict {
  const isInList = createNetworkCheck(settings.allowlist);
  const reported = new Set<string>();
  return (address) => {
    const isListed = settings.mode === 'off' || isInList(address);
    const isNews = !isListed && !reported.has(address) && reported.size < MAX_REMEMBERED;
    if (isNews) reported.add(address);
    return { allowed: isListed || settings.mode === 'log', isListed, isNews };
  };
}
