/** The settings of apps/mpesa with which it asks phones for payments through a simulator with its default consumer. */
export function darajaSettings({ url, callbackUrl }: { readonly url: string; readonly callbackUrl: string }) {
  return {
    DARAJA_BASE_URL: url,
    DARAJA_CONSUMER_KEY: 'simulated-key',
    DARAJA_CONSUMER_SECRET: 'simulated-secret',
    DARAJA_SHORT_CODE: '600100',
    DARAJA_PASSKEY: 'simulated-passkey',
    DARAJA_CALLBACK_URL: callbackUrl,
    DARAJA_INITIATOR: 'simulated-operator',
    DARAJA_SECURITY_CREDENTIAL: 'simulated-credential',
  } as const;
}
