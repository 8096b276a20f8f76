/** A mail as the scheduler hands it to whoever can send it. */
export interface Mail {
  host: string;
  /** What was checked: the only addresses to connect to. */
  addresses: readonly string[];
  port: number;
  /** `starttls` insists on TLS; `none` never asks for it. */
  security: "starttls" | "tls" | "none";
  login: { username: string; password: string } | undefined;
  from: string;
  to: readonly string[];
  subject: string;
  text: string;
  /** The same at every try, so that a mailbox may know what it has. */
  messageId: string;
  /** Of the whole of it. */
  timeoutMs: number;
}
/** @throws MailError */
export type SendMail = (mail: Mail) => Promise<void>;

/** The server was not there, or said no: a sentence for the one who waits. */
export class MailError extends Error {
  override readonly name = "MailError";
}
