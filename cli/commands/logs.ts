import type { ApiClient } from "../api_client.ts";
import { command, type CommandContext } from "../command.ts";
import { readEventStream } from "../event_stream.ts";
import { findTask } from "../find.ts";
import { CliError } from "../host.ts";
import { ApiError } from "../http.ts";

export const logs = command({
  summary: "print the log of a task, byte by byte as it was written",
  usage: "logs TASK | DEPLOYMENT/APPLICATION [flags]",
  details: "Example: boreas logs latest/order-service -f",
  flags: {
    follow: { type: "boolean", short: "f", help: "go on until the task ends" },
  },
  positionals: [1, 1],
  async run(context, [wanted], flags) {
    const api = await context.api();
    const { id } = await findTask(api, wanted!);
    if (flags.follow || context.json) await follow(context, api, id, flags.follow);
    else await printStored(context, api, id);
    return 0;
  },
});

async function printStored({ host }: CommandContext, api: ApiClient, id: string): Promise<void> {
  let offset = 0;
  while (true) {
    const { bytes, nextOffset } = await api.taskLog(id, offset);
    if (bytes.length > 0) host.write(bytes);
    if (nextOffset <= offset) return;
    offset = nextOffset;
  }
}

/** Each event's id is its resume point (`attempt:offset`): after a lost connection nothing is missing or doubled. */
async function follow({ host, json }: CommandContext, api: ApiClient, id: string, live: boolean): Promise<void> {
  const interrupted = new AbortController();
  const { signal } = interrupted;
  const unlisten = host.onInterrupt(() => interrupted.abort());
  let resumeAt: string | null = null;
  let failures = 0;
  try {
    while (!signal.aborted) {
      try {
        const response = await api.transport.send("GET", `/tasks/${id}/logs`, {
          query: live ? { follow: true } : {},
          headers: { accept: "text/event-stream", ...(resumeAt === null ? {} : { "last-event-id": resumeAt }) },
          signal,
        });
        for await (const frame of readEventStream(response.body!)) {
          if (frame.event === "logEnd" || frame.event === "end") return;
          if (json) host.write(`${frame.data}\n`);
          else printChunk(frame.data);
          if (frame.id !== null) resumeAt = frame.id;
          failures = 0;
        }
        return;
      } catch (error: unknown) {
        if (signal.aborted) return;
        if (error instanceof ApiError && error.status < 500) throw error;
        if (++failures > 20) throw error;
        if (failures === 1) host.writeError("The connection was lost; trying again.\n");
        await host.wait(Math.min(5_000, 200 * 2 ** failures), signal);
      }
    }
  } finally {
    unlisten();
  }

  function printChunk(text: string): void {
    const { encoding, data } = JSON.parse(text) as { encoding?: string; data?: unknown };
    if (typeof data !== "string") return;
    if (encoding === "base64") host.write(Uint8Array.from(atob(data), (c) => c.charCodeAt(0)));
    else if (encoding === "utf8") host.write(data);
    else throw new CliError(`The log came in an encoding this client does not know: ${encoding}.`);
  }
}
