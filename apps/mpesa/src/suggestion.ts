import { z } from 'zod';

export const suggestionsSchema = z
  .array(
    z.object({
      wallet: z.string().describe('a wallet number'),
      reason: z
        .enum(['near_number', 'account_phone', 'payer_phone', 'payer_phone_hash', 'payer_mask_and_name'])
        .describe(
          'near_number: a digit of what was typed differs, or two are swapped; account_phone: what was typed is its phone number, and that of others; payer_phone, payer_phone_hash: the number that paid is of this wallet alone; payer_mask_and_name: that number came masked and what it shows fits, and a word of the name fits the holder: ask before you assign',
        ),
    }),
  )
  .describe('wallets that the payer may have meant, as of now');
