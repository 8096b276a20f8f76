import type { ApiClient } from "./api_client.ts";
import type { FlagSpecs, FlagValues } from "./arguments.ts";
import type { CliHost } from "./host.ts";

/** What a command is given: the outside, and a client that is made on first use, so that local commands need no server. */
export interface CommandContext {
  host: CliHost;
  api(): Promise<ApiClient>;
  /** `--json` was given. */
  json: boolean;
}

export interface Command<F extends FlagSpecs = FlagSpecs> {
  /** One line for the list of commands. */
  summary: string;
  /** Without the program's name: `deploy VERSION ENVIRONMENT [flags]`. */
  usage: string;
  /** Lines below the flags of `--help`: examples, what a person should know. */
  details?: string;
  flags: F;
  /** How many positionals: least and most. */
  positionals: readonly [least: number, most: number];
  /** Resolves to the exit code. */
  run(context: CommandContext, positionals: string[], flags: FlagValues<F>): Promise<number>;
}

/** Keeps the flags' types while the commands live in one table. */
export const command = <const F extends FlagSpecs>(definition: Command<F>): Command => definition as unknown as Command;
