/** One mail over SMTP, to the very address that was checked. */
// @ts-types="@types/nodemailer"
import { createTransport } from "nodemailer";
import { MailError, type SendMail } from "../domain/mail.ts";

export function createMailer(): SendMail {
  return async function sendMail(
    { host, addresses, port, security, login, from, to, subject, text, messageId, timeoutMs },
  ) {
    const transport = createTransport({
      // Not looked up again: the name may lead elsewhere by now. TLS still verifies the name.
      host: addresses[0] ?? host,
      port,
      secure: security === "tls",
      requireTLS: security === "starttls",
      ignoreTLS: security === "none",
      tls: { servername: host.includes(":") || /^[\d.]+$/.test(host) ? undefined : host },
      ...(login && { auth: { user: login.username, pass: login.password } }),
      connectionTimeout: timeoutMs,
      greetingTimeout: timeoutMs,
      socketTimeout: timeoutMs,
      // A text may not make us read files or call addresses.
      disableFileAccess: true,
      disableUrlAccess: true,
    });
    // Each of its steps may take that long; all of them together may too.
    const { promise: tooLate, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(new MailError(`${host}:${port} did not answer in time`)), timeoutMs);
    try {
      const headers = { "auto-submitted": "auto-generated" };
      await Promise.race([transport.sendMail({ from, to: [...to], subject, text, messageId, headers }), tooLate]);
    } catch (error: unknown) {
      if (error instanceof MailError) throw error;
      throw new MailError(`${host}:${port} ${sayTrouble(error)}`, { cause: error });
    } finally {
      clearTimeout(timer);
      transport.close();
    }
  };
}

function sayTrouble(error: unknown): string {
  const { code, response, message } = error as { code?: string; response?: string; message?: string };
  if (code === "EAUTH") return `does not take the login: ${response ?? message ?? ""}`;
  if (response) return `answers ${response}`;
  if (code === "ETIMEDOUT") return "did not answer in time";
  return `could not be used: ${message ?? String(error)}`;
}
