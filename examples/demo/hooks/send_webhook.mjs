/**
 * Sends one signed webhook per pushed ref, as standardwebhooks.com says: HMAC-SHA256 over `id.timestamp.body`.
 * The address and the secret's file come from the environment, the refs from standard input.
 */
import { createHmac, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { Buffer } from "node:buffer";
import process from "node:process";

const { BOREAS_WEBHOOK: address, BOREAS_SECRET_FILE: secretFile } = process.env;
if (!address || !secretFile) {
  console.error("boreas: set boreas.webhook and boreas.secretFile with git config in this repository");
  process.exit(1);
}
const secret = readFileSync(secretFile, "utf8").trim();
const key = secret.startsWith("whsec_") ? Buffer.from(secret.slice("whsec_".length), "base64") : secret;

let failed = false;
for (const line of readFileSync(0, "utf8").split("\n").filter((l) => l !== "")) {
  const [, commit, ref] = line.split(" ");
  const id = `msg_${randomUUID()}`;
  const timestamp = String(Math.floor(Date.now() / 1000));
  const body = JSON.stringify({ ref, commit });
  const signature = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64");
  try {
    const response = await fetch(address, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "webhook-id": id,
        "webhook-timestamp": timestamp,
        "webhook-signature": `v1,${signature}`,
      },
      body,
    });
    console.log(`boreas: told ${address} of ${ref} (${response.status})`);
    if (!response.ok) {
      failed = true;
      console.error(`boreas: ${await response.text()}`);
    }
  } catch (error) {
    failed = true;
    console.error(`boreas: could not reach ${address}: ${error.message}`);
  }
}
process.exit(failed ? 1 : 0);
