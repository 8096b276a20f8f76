/** The line that makes a machine an agent. The token stands in the environment, never among the arguments. */
export function enrollmentLine(origin: string, token: string, caFingerprint?: string): string {
  const pin = caFingerprint ? `BOREAS_CA_FINGERPRINT=${caFingerprint} ` : "";
  return `BOREAS_URL=${origin} ${pin}BOREAS_TOKEN=${token} npx -y deno@2.9.6 task agent`;
}
