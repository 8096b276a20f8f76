import type { Clock, Logger, LogLevel } from "../domain/ports.ts";

const LEVELS: LogLevel[] = ["DEBUG", "INFO", "WARN", "ERROR"];

export interface LoggerOptions {
  service: string;
  /** BOREAS_LOG_LEVEL; anything unknown means INFO. */
  level?: string;
  /** BOREAS_LOG_FORMAT: `json` or `text`; text on a terminal unless said. */
  format?: string;
  isTerminal?: boolean;
  clock: Pick<Clock, "now">;
  /** One finished line, without its end. */
  write?: (line: string) => void;
}

/** The process's own log: one line per event, JSON for machines, a short form for a person at a terminal. */
export function createLogger(options: LoggerOptions): Logger {
  const { service, clock, write = writeToStderr } = options;
  const wanted = LEVELS.findIndex((level) => level === options.level?.toUpperCase());
  const from = wanted >= 0 ? wanted : LEVELS.indexOf("INFO");
  const isText = options.format ? options.format === "text" : options.isTerminal ?? false;
  return {
    log(level, message, context = {}) {
      if (LEVELS.indexOf(level) < from) return;
      const timestamp = clock.now().toISOString();
      write(
        isText
          ? `${timestamp.slice(11, 19)} ${level.padEnd(5)} ${message}${shortly(context)}`
          : JSON.stringify({ timestamp, level, service, message, context: plain(context) }),
      );
    },
  };
}

function shortly(context: Record<string, unknown>): string {
  const facts = Object.entries(plain(context)).map(([key, value]) =>
    `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`
  );
  return facts.length > 0 ? `  ${facts.join(" ")}` : "";
}

/** An error has no own fields that JSON would show, and a log line must never fail. */
function plain(context: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(context).map(([key, value]) => {
      if (value instanceof Error) return [key, `${value.name}: ${value.message}`];
      return [key, typeof value === "bigint" ? String(value) : value];
    }),
  );
}

const encoder = new TextEncoder();
function writeToStderr(line: string): void {
  const bytes = encoder.encode(line + "\n");
  for (let at = 0; at < bytes.length;) at += Deno.stderr.writeSync(bytes.subarray(at));
}
