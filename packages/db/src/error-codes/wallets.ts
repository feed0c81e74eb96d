import type { ErrorDescriptions } from './kinds.ts';

export const WALLET_ERRORS = {
  invalid_wallet: {
    kind: 'refused',
    title: 'The wallet cannot be opened or changed as it is described.',
    advice: 'The wallet cannot be opened or changed as it is; the field named in `field` must be corrected.',
  },
  wallet_exists: {
    kind: 'refused',
    status: 409,
    title: 'There is a wallet with this number already.',
    advice: 'There is a wallet with this number already; look it up or choose another number.',
  },
  // 422, for a wallet that the body names. One in the path is not found: the wallet service answers that itself.
  unknown_wallet: {
    kind: 'refused',
    title: 'There is no such wallet.',
    advice: 'There is no such wallet. Nothing moved.',
  },
  wallet_frozen: {
    kind: 'refused',
    title: 'A wallet is frozen.',
    advice: 'A wallet of this request is frozen. Nothing moved.',
  },
  wallet_closed: {
    kind: 'refused',
    title: 'A wallet is closed.',
    advice: 'A wallet of this request is closed. Nothing moved.',
  },
  wallet_not_empty: {
    kind: 'refused',
    status: 409,
    title: 'The wallet is not empty.',
    advice: 'A wallet closes only when its balance is zero and nothing is held.',
  },
  floor_too_high: {
    kind: 'refused',
    title: 'The floor is above what is available.',
    advice: 'The floor cannot be above what is available in the wallet; take a lower floor.',
  },
} as const satisfies ErrorDescriptions;
