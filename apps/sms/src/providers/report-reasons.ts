/**
 * Why a callback of the provider could not be read. The code is stored beside its bytes and counted; the sentence
 * tells the person who looks at it what to do.
 */
export const REASON_TEXTS = {
  body_empty: 'The request had no body. See whether a probe was sent to the URL.',
  body_too_large: 'The body is over 64 KiB; a report has 200 bytes. Find out who sent it.',
  body_incomplete: 'The connection ended before the body did. Look the message up at the provider.',
  body_not_utf8: 'The body is not UTF-8 text. Look at the bytes and ask the sender.',
  body_not_json: 'The body is neither a form nor JSON. Look at the bytes and ask the sender.',
  body_not_fields: 'The body has no fields. Find out who sent it.',
  too_many_fields: 'The body has over 100 fields. Find out who sent it.',
  field_conflict: 'A field occurs twice with different values. Look the message up at the provider.',
  id_missing: 'The report names no message. Ask the provider what it is about.',
  id_invalid: 'The id is not a text of at most 255 characters. Find out who sent it.',
  status_missing: 'The report has no status. Look the message up at the provider.',
  status_invalid: 'The status is not a text of at most 50 characters. Find out who sent it.',
  unknown_path: 'It came to an unknown path, with the right token: see which URLs are registered.',
  method_not_post:
    'It came with another method than POST: see what stands between the provider and the service.',
  phone_missing: 'The opt-out names no customer. Ask the provider who it was.',
} as const;

export type UnreadableReason = keyof typeof REASON_TEXTS;
