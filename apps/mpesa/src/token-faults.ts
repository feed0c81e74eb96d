import { forbiddenWordsIn } from './daraja/url-rules.ts';

/** Shorter tokens can be found by trying; 24 letters and digits cannot. */
const MIN_LENGTH = 24;

/** What is wrong with a callback token though it can be used: sentences for the log, which never repeat the token. */
export function findTokenFaults(token: string): string[] {
  const faults: string[] = [];
  if (token.length < MIN_LENGTH) {
    faults.push(
      `MPESA_CALLBACK_TOKEN is short enough to be guessed: give it ${String(MIN_LENGTH)} or more random letters and digits`,
    );
  }
  const words = forbiddenWordsIn(token);
  if (words.length > 0) {
    faults.push(
      `M-PESA refuses callback URLs that contain ${words.join(', ')}: choose another MPESA_CALLBACK_TOKEN`,
    );
  }
  return faults;
}
