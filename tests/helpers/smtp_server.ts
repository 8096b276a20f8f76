/** A mail server of one's own: plain SMTP with STARTTLS or TLS where it is given a certificate, and a login. */
import { createServer, type Socket } from "node:net";
import type { AddressInfo } from "node:net";
import { TLSSocket } from "node:tls";
import { Buffer } from "node:buffer";
import { onTestFinished } from "vitest";

export interface ReceivedMail {
  from: string;
  to: string[];
  /** As it came over the wire. */
  raw: string;
  /** With its encoding taken off. */
  subject: string;
  text: string;
  messageId: string;
  /** What it signed in with; undefined when nobody did. */
  login: string | undefined;
  isEncrypted: boolean;
}
export interface SmtpServer {
  port: number;
  mails: ReceivedMail[];
  /** Lines to answer RCPT TO with; 250 unless told. */
  onRecipient: (address: string) => string;
}

export async function startSmtpServer(
  options: { tls?: { cert: string; key: string }; password?: string } = {},
): Promise<SmtpServer> {
  const smtp: SmtpServer = { port: 0, mails: [], onRecipient: () => "250 ok" };
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on("close", () => open.delete(socket)).on("error", () => socket.destroy());
    converse(socket, options, smtp);
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  smtp.port = (server.address() as AddressInfo).port;
  onTestFinished(async () => {
    for (const socket of open) socket.destroy();
    await new Promise((closed) => server.close(closed));
  });
  return smtp;
}

function converse(
  first: Socket,
  { tls, password }: { tls?: { cert: string; key: string }; password?: string },
  smtp: SmtpServer,
): void {
  let socket = first;
  let buffer = "";
  let isEncrypted = false;
  let login: string | undefined;
  let mail: { from: string; to: string[] } | undefined;
  let data: string[] | undefined;
  const say = (line: string) => socket.write(`${line}\r\n`);
  const listen = () => {
    socket.setEncoding("utf8");
    socket.on("data", (part: string) => {
      buffer += part;
      for (let end = buffer.indexOf("\r\n"); end >= 0; end = buffer.indexOf("\r\n")) {
        const line = buffer.slice(0, end);
        buffer = buffer.slice(end + 2);
        take(line);
      }
    });
  };
  const take = (line: string) => {
    if (data) {
      if (line !== ".") return void data.push(line.replace(/^\.\./, "."));
      smtp.mails.push({ ...mail!, ...readMail(data.join("\r\n")), login, isEncrypted });
      data = undefined;
      return say("250 taken");
    }
    const verb = line.slice(0, 4).toUpperCase();
    const address = /<([^>]*)>/.exec(line)?.[1] ?? "";
    if (verb === "EHLO") {
      const offers = [tls && !isEncrypted && "STARTTLS", password && "AUTH PLAIN LOGIN", "8BITMIME"].filter(Boolean);
      return say(["250-here", ...offers.slice(0, -1).map((o) => `250-${o}`), `250 ${offers.at(-1)}`].join("\r\n"));
    }
    if (verb === "STAR" && tls) {
      say("220 go ahead");
      socket.removeAllListeners("data");
      socket = new TLSSocket(socket, { isServer: true, ...tls });
      isEncrypted = true;
      return listen();
    }
    if (verb === "AUTH") {
      const [, user, given] = atob(line.split(" ")[2] ?? "").split("\0");
      if (given !== password) return say("535 no such login");
      login = user;
      return say("235 welcome");
    }
    if (verb === "MAIL") mail = { from: address, to: [] };
    if (verb === "RCPT") {
      const answer = smtp.onRecipient(address);
      if (answer.startsWith("250")) mail!.to.push(address);
      return say(answer);
    }
    if (verb === "DATA") {
      data = [];
      return say("354 go on");
    }
    say(verb === "QUIT" ? "221 bye" : "250 ok");
    if (verb === "QUIT") socket.end();
  };
  listen();
  say("220 test ready");
}

function readMail(raw: string): Pick<ReceivedMail, "raw" | "subject" | "text" | "messageId"> {
  const [head = "", ...rest] = raw.split("\r\n\r\n");
  const unfolded = head.replace(/\r\n[ \t]+/g, " ");
  const header = (name: string) => new RegExp(`^${name}: (.*)$`, "mi").exec(unfolded)?.[1] ?? "";
  const body = rest.join("\r\n\r\n");
  const encoding = header("content-transfer-encoding").toLowerCase();
  return {
    raw,
    subject: decodeWords(header("subject")),
    text: encoding === "base64"
      ? Buffer.from(body, "base64").toString("utf8")
      : encoding === "quoted-printable"
      ? decodeQuoted(body.replace(/=\r\n/g, ""))
      : body,
    messageId: header("message-id"),
  };
}

/** `=?UTF-8?Q?..?=` and `=?UTF-8?B?..?=`. */
const decodeWords = (text: string): string =>
  text.replace(/\?=\s+=\?/g, "?==?").replace(
    /=\?utf-8\?([QB])\?([^?]*)\?=/gi,
    (_, kind: string, coded: string) =>
      kind.toUpperCase() === "B"
        ? Buffer.from(coded, "base64").toString("latin1")
        : decodeBytes(coded.replace(/_/g, " ")),
  ).replace(/[\u0080-\u00ff]+/g, (bytes) => Buffer.from(bytes, "latin1").toString("utf8"));
const decodeBytes = (text: string): string =>
  text.replace(/=([0-9A-F]{2})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
const decodeQuoted = (text: string): string => Buffer.from(decodeBytes(text), "latin1").toString("utf8");
