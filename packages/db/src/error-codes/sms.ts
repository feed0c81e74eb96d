import type { ErrorDescriptions } from './kinds.ts';

export const SMS_ERRORS = {
  unknown_sms: {
    kind: 'refused',
    status: 404,
    title: 'There is no such message.',
    advice: 'There is no SMS with this id.',
  },
  nothing_to_decide: {
    kind: 'refused',
    status: 409,
    title: 'There is nothing to decide.',
    advice: 'The outcome of this SMS is not unknown, so there is nothing to decide; look it up.',
  },
  unknown_template: {
    kind: 'refused',
    status: 404,
    title: 'There is no such text.',
    advice: 'No message has this key, or not in this language.',
  },
  invalid_template: {
    kind: 'refused',
    title: 'The text cannot be used for this message.',
    advice: 'The text cannot be used for this message; the advice says why.',
  },
} as const satisfies ErrorDescriptions;
