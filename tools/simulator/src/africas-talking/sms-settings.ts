/** The settings of apps/sms with which it sends through a simulator that listens there and has its default user. */
export function smsSettings(url: string) {
  return {
    SMS_PROVIDER: 'africas-talking',
    AT_BASE_URL: url,
    AT_USERNAME: 'sandbox',
    AT_API_KEY: 'simulated-key',
  } as const;
}
