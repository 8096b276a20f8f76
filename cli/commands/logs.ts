import { Buffer } from "node:buffer";
import { encodeLogBytes } from "../../protocol/chunk_encoding.ts";
import type { ApiClient } from "../api_client.ts";
import { command, type CommandContext } from "../command.ts";
import { readEventStream } from "../event_stream.ts";
import { findTask } from "../find.ts";
import { CliError, usageError } from "../host.ts";
import { ApiError, sayNetworkError } from "../http.ts";
import { toPlainJson } from "../plain_text.ts";
import { printJson } from "../print.ts";
import { printLog } from "../print_log.ts";
import { printOutput } from "./running.ts";

export const logs = command({
  summary: "print the log of a task byte by byte, or what a running application prints",
  usage: "logs TASK | DEPLOYMENT/APPLICATION | --app APPLICATION [flags]",
  details: `Examples:
  boreas logs latest/order-service -f
  boreas logs -f --app order --env prod --target m1`,
  flags: {
    follow: { type: "boolean", short: "f", help: "go on until the task or the application ends" },
    app: { type: "string", value: "NAME", help: "what this application prints now" },
    env: { type: "string", value: "NAME", help: "with --app: in this environment" },
    target: { type: "string", value: "NAME", help: "with --app: on this machine" },
    tail: { type: "string", value: "COUNT", help: "with --app: so many lines to begin with, 200 unless told" },
  },
  positionals: [0, 1],
  async run(context, [wanted], flags) {
    const api = await context.api();
    if (flags.app !== undefined) {
      const { app, env, target, tail, follow = false } = flags;
      return await printOutput(context, api, { app, env, target, tail, follow });
    }
    if (wanted === undefined) throw usageError("Name a task (DEPLOYMENT/APPLICATION), or an application with --app.");
    const { id } = await findTask(api, wanted);
    if (!flags.follow) await printStored(context, api, id);
    else {
      const interrupted = new AbortController();
      const unlisten = context.host.onInterrupt(() => interrupted.abort());
      try {
        await follow(context, api, id, interrupted.signal);
      } finally {
        unlisten();
      }
    }
    return 0;
  },
});

const PAGE_BYTES = 4 * 1024 * 1024;
const MOST_FAILURES = 20;

async function printStored({ host, json }: CommandContext, api: ApiClient, id: string): Promise<void> {
  const pages: Uint8Array[] = [];
  for (let offset = 0, atEnd = false; !atEnd;) {
    const { bytes, nextOffset } = await api.taskLog(id, offset, PAGE_BYTES);
    if (json) pages.push(bytes);
    else if (bytes.length > 0) host.write(bytes);
    atEnd = nextOffset - offset < PAGE_BYTES;
    offset = nextOffset;
  }
  if (json) printJson(host, encodeLogBytes(Buffer.concat(pages)));
}

/**
 * Each event's id is its resume point (`attempt:offset`), so that after a lost connection nothing is missing or doubled.
 * A stream that ends without `end` was cut short: it is dialled again.
 */
async function follow(context: CommandContext, api: ApiClient, id: string, signal: AbortSignal): Promise<void> {
  const { host, json } = context;
  let resumeAt: string | null = null;
  for (let failures = 0; !signal.aborted;) {
    try {
      const response = await api.transport.send("GET", `/tasks/${id}/logs`, {
        query: { follow: true },
        headers: { accept: "text/event-stream", ...(resumeAt === null ? {} : { "last-event-id": resumeAt }) },
        signal,
      });
      for await (const frame of readEventStream(response.body!)) {
        if (frame.event === "end") return;
        if (json) host.write(`${toPlainJson(frame.data)}\n`);
        else host.write(decode(frame.data));
        if (frame.id !== null) resumeAt = frame.id;
        failures = 0;
      }
    } catch (error: unknown) {
      if (signal.aborted) return;
      if (error instanceof ApiError && error.code === "log.parts") return await followParts(context, api, id, signal);
      if (error instanceof ApiError && error.status < 500) throw error;
      if (++failures > MOST_FAILURES) throw error;
      if (failures === 1) host.writeError("The connection was lost; trying again.\n");
    }
    await host.wait(Math.min(5_000, 100 * 2 ** failures), signal);
  }
}

/** The logs of an application's parts, labelled, as they come. Several logs have no resume point in common. */
async function followParts(context: CommandContext, api: ApiClient, id: string, signal: AbortSignal): Promise<void> {
  try {
    const response = await api.transport.send("GET", `/tasks/${id}/logs`, {
      query: { follow: true },
      headers: { accept: "text/plain" },
      signal,
    });
    await printLog(context, response.body!);
  } catch (error: unknown) {
    if (signal.aborted) return;
    if (error instanceof CliError) throw error;
    throw new CliError(`The connection was lost (${sayNetworkError(error)}); run it again to read on.`);
  }
}

function decode(text: string): Uint8Array {
  const { encoding, data } = JSON.parse(text) as { encoding?: string; data?: string };
  if (data === undefined) return new Uint8Array();
  if (encoding === "utf8") return new TextEncoder().encode(data);
  if (encoding === "base64") return Buffer.from(data, "base64");
  throw new CliError(`The log came in an encoding this client does not know: ${encoding}.`);
}
