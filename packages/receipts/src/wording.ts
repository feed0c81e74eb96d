import type { Language } from './language.ts';
import type { ShownType } from './receipt-facts.ts';

/** Every word that a page or a PDF shows, in one language. */
export interface Wording {
  readonly receipt: string;
  /** The name of this language, in it. */
  readonly ownName: string;
  readonly types: Readonly<Record<ShownType, string>>;
  readonly labels: Readonly<
    Record<
      | 'amount'
      | 'time'
      | 'paid'
      | 'recorded'
      | 'from'
      | 'to'
      | 'fee'
      | 'narrative'
      | 'reference'
      | 'type'
      | 'hash',
      string
    >
  >;
  /** Labels of system wallets, by their English label. */
  readonly systemWallets: Readonly<Record<string, string>>;
  /** January first. */
  readonly months: readonly string[];
  /** Which side paid the fee, where it was not the one that paid the sum. */
  readonly feePaidByReceiver: (amount: string) => string;
  readonly scan: string;
  /** Before the address, for those who type it. */
  readonly orOpen: string;
  /** Before the issuer's contact. */
  readonly questions: string;
  readonly openCheck: string;
  readonly qrCode: string;
  readonly signed: string;
  readonly verdict: VerdictWording;
  readonly statement: StatementWording;
}

interface StatementWording {
  readonly title: string;
  readonly wallet: string;
  readonly holder: string;
  readonly period: string;
  /** The beginning of a period without a first moment. */
  readonly beginning: string;
  readonly opening: string;
  readonly closing: string;
  readonly madeAt: string;
  readonly time: string;
  readonly details: string;
  readonly paidIn: string;
  readonly paidOut: string;
  readonly balance: string;
  readonly pageNumber: (page: number, pages: number) => string;
}

export interface VerdictWording {
  readonly genuine: string;
  readonly genuineHelp: string;
  readonly compare: string;
  readonly reversed: string;
  /** Takes the amount that was given back. */
  readonly reversedHelp: (amount: string) => string;
  readonly notGenuine: string;
  readonly notGenuineHelp: string;
  readonly notGenuineAdvice: string;
  readonly scanAgain: string;
}

const ENGLISH: Wording = {
  receipt: 'Receipt',
  ownName: 'English',
  types: {
    deposit: 'Deposit',
    transfer: 'Transfer',
    withdrawal: 'Withdrawal',
    fee: 'Fee',
    reversal: 'Reversal',
    assignment: 'Payment placed in its wallet',
  },
  labels: {
    amount: 'Amount',
    time: 'Date and time',
    paid: 'Paid',
    recorded: 'Recorded',
    from: 'From',
    to: 'To',
    fee: 'Fee',
    narrative: 'For',
    reference: 'Reference number',
    type: 'Type',
    hash: 'Verification hash',
  },
  systemWallets: {},
  months: ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'],
  feePaidByReceiver: (amount) => `${amount}, paid by the receiver`,
  scan: 'Scan this QR code to check the receipt.',
  orOpen: 'Or open this address:',
  questions: 'Questions?',
  openCheck: 'Check this receipt',
  qrCode: 'QR code that opens the page to check this receipt',
  signed: 'Digitally signed: any change to it can be found.',
  verdict: {
    genuine: 'Genuine receipt',
    genuineHelp: 'This payment is in our records.',
    compare: 'Compare all of it with what you were shown: the amount, the time, the names.',
    reversed: 'Genuine, but the money was given back',
    reversedHelp: (amount) => `${amount} of this payment was given back. Do not hand over goods for it.`,
    notGenuine: 'Not genuine',
    notGenuineHelp: 'This link does not match any receipt of ours.',
    notGenuineAdvice: 'Do not hand over goods or money because of this receipt.',
    scanAgain: 'If you think this is a mistake, scan the QR code again.',
  },
  statement: {
    title: 'Statement',
    wallet: 'Wallet',
    holder: 'Holder',
    period: 'Period',
    beginning: 'the beginning',
    opening: 'Opening balance',
    closing: 'Closing balance',
    madeAt: 'Made on',
    time: 'Date and time',
    details: 'Details',
    paidIn: 'Paid in',
    paidOut: 'Paid out',
    balance: 'Balance',
    pageNumber: (page, pages) => `Page ${page} of ${pages}`,
  },
};

const SWAHILI: Wording = {
  receipt: 'Risiti',
  ownName: 'Kiswahili',
  types: {
    deposit: 'Kuweka pesa',
    transfer: 'Kutuma pesa',
    withdrawal: 'Kutoa pesa',
    fee: 'Ada',
    reversal: 'Kurudisha pesa',
    assignment: 'Malipo kuwekwa kwenye pochi yake',
  },
  labels: {
    amount: 'Kiasi',
    time: 'Tarehe na saa',
    paid: 'Imelipwa',
    recorded: 'Imerekodiwa',
    from: 'Kutoka',
    to: 'Kwenda',
    fee: 'Ada',
    narrative: 'Maelezo',
    reference: 'Nambari ya kumbukumbu',
    type: 'Aina',
    hash: 'Alama ya uthibitisho',
  },
  systemWallets: {
    'Suspense account': 'Akaunti ya muda',
    Fees: 'Ada',
    'System account': 'Akaunti ya mfumo',
  },
  months: ['Jan', 'Feb', 'Mac', 'Apr', 'Mei', 'Jun', 'Jul', 'Ago', 'Sep', 'Okt', 'Nov', 'Des'],
  feePaidByReceiver: (amount) => `${amount}, imelipwa na mpokeaji`,
  scan: 'Skani msimbo huu wa QR ili kuhakiki risiti.',
  orOpen: 'Au fungua anwani hii:',
  questions: 'Una swali?',
  openCheck: 'Hakiki risiti hii',
  qrCode: 'Msimbo wa QR unaofungua ukurasa wa kuhakiki risiti hii',
  signed: 'Ina sahihi ya kidijitali: badiliko lolote linaweza kugunduliwa.',
  verdict: {
    genuine: 'Risiti halali',
    genuineHelp: 'Malipo haya yamo kwenye rekodi zetu.',
    compare: 'Linganisha yote na yale uliyoonyeshwa: kiasi, saa na majina.',
    reversed: 'Risiti halali, lakini pesa zimerudishwa',
    reversedHelp: (amount) => `${amount} za malipo haya zimerudishwa. Usitoe bidhaa kwa malipo haya.`,
    notGenuine: 'Risiti si halali',
    notGenuineHelp: 'Kiungo hiki hakilingani na risiti yetu yoyote.',
    notGenuineAdvice: 'Usitoe bidhaa wala pesa kwa sababu ya risiti hii.',
    scanAgain: 'Ukidhani ni kosa, skani msimbo wa QR tena.',
  },
  statement: {
    title: 'Taarifa ya pochi',
    wallet: 'Pochi',
    holder: 'Mwenye pochi',
    period: 'Kipindi',
    beginning: 'mwanzo',
    opening: 'Salio la kuanzia',
    closing: 'Salio la mwisho',
    madeAt: 'Imetolewa',
    time: 'Tarehe na saa',
    details: 'Maelezo',
    paidIn: 'Zilizoingia',
    paidOut: 'Zilizotoka',
    balance: 'Salio',
    pageNumber: (page, pages) => `Ukurasa ${page} kati ya ${pages}`,
  },
};

export const WORDINGS: Readonly<Record<Language, Wording>> = { en: ENGLISH, sw: SWAHILI };
