/** The client's commands: chooses one, reads its flags, turns every ending into a sentence and an exit code. */
import { createApiClient } from "./api_client.ts";
import { nearest, parseArguments } from "./arguments.ts";
import type { Command } from "./command.ts";
import { cancel, pause, promote, resume, retry, rollback, skip } from "./commands/act.ts";
import { agents } from "./commands/agents.ts";
import { apply } from "./commands/apply.ts";
import { approvals, approve, reject } from "./commands/approvals.ts";
import { apps } from "./commands/apps.ts";
import { audit } from "./commands/audit.ts";
import { batch } from "./commands/batch.ts";
import { canI } from "./commands/can_i.ts";
import { changes } from "./commands/changes.ts";
import { completionOf } from "./commands/completion.ts";
import { decide } from "./commands/decide.ts";
import { deploy } from "./commands/deploy.ts";
import { environments } from "./commands/environments.ts";
import { freeze } from "./commands/freeze.ts";
import { login } from "./commands/login.ts";
import { logs } from "./commands/logs.ts";
import { notifications } from "./commands/notifications.ts";
import { plan } from "./commands/plan.ts";
import { render } from "./commands/render.ts";
import { repositories } from "./commands/repositories.ts";
import { runtime } from "./commands/runtime.ts";
import { secret } from "./commands/secret.ts";
import { logout, whoami } from "./commands/session.ts";
import { start } from "./commands/start.ts";
import { status } from "./commands/status.ts";
import { tokens } from "./commands/tokens.ts";
import { triggers } from "./commands/triggers.ts";
import { version } from "./commands/version.ts";
import { CliError, type CliHost, usageError } from "./host.ts";
import { toPlainText } from "./plain_text.ts";
import { sayPairs, wrapText } from "./table.ts";
import { coloured } from "./print.ts";
import { findSignIn, keepSignIn } from "./sign_in.ts";

export const COMMANDS: Readonly<Record<string, Command>> = {
  login,
  whoami,
  logout,
  apply,
  environments,
  apps,
  plan,
  render,
  deploy,
  status,
  logs,
  start,
  approvals,
  approve,
  reject,
  pause,
  resume,
  skip,
  promote,
  batch,
  cancel,
  decide,
  retry,
  rollback,
  freeze,
  agents,
  runtime,
  repositories,
  triggers,
  secret,
  notifications,
  version,
  changes,
  audit,
  tokens,
  "can-i": canI,
  completion: completionOf(() => ({ commands: COMMANDS, common: COMMON })),
};
/** Every command takes these. */
const COMMON = {
  json: { type: "boolean", help: "print JSON" },
  help: { type: "boolean", short: "h", help: "print this" },
} as const;

/** @returns the exit code: 0 done, 1 it could not be done, 2 the command line was wrong */
export async function runCli(argv: readonly string[], terminal: CliHost): Promise<number> {
  const host: CliHost = {
    ...terminal,
    write: (data) => terminal.write(typeof data === "string" ? toPlainText(data, coloured(terminal)) : data),
    writeError: (text) => terminal.writeError(toPlainText(text, coloured(terminal))),
  };
  try {
    return await run(argv, host);
  } catch (error: unknown) {
    if (!(error instanceof CliError)) throw error;
    host.writeError(`${error.message}\n`);
    return error.exitCode;
  }
}

async function run([name, ...rest]: readonly string[], host: CliHost): Promise<number> {
  if (name === undefined || name === "help" || name === "--help" || name === "-h") {
    if (name === "help" && rest[0] !== undefined) return printHelp(host, rest[0]);
    host.write(sayCommands(host));
    return name === undefined ? 2 : 0;
  }
  const command = find(name);
  // Before the flags are judged: a person who asks for help may not know them yet.
  if (rest.includes("--help") || rest.includes("-h")) return printHelp(host, name);
  const { positionals, flags } = parseArguments(rest, { ...command.flags, ...COMMON });
  const [least, most] = command.positionals;
  if (positionals.length < least) throw usageError(`Something is missing: boreas ${command.usage}`);
  if (positionals.length > most) {
    throw usageError(`"${positionals[most]}" is one word too many: boreas ${command.usage}`);
  }
  const { json, help: _, ...own } = flags as Record<string, unknown>;
  const context = {
    host,
    json: json === true,
    async api() {
      const signIn = await findSignIn(host);
      // A session that was renewed is kept, or the next command would have to sign in again.
      return createApiClient(host, signIn, (renewed) => keepSignIn(host, renewed));
    },
  };
  return await command.run(context, positionals, own as never);
}

/** What people type of one of them. */
const SPELLINGS: Readonly<Record<string, string>> = { app: "apps" };

function find(typed: string): Command {
  const name = Object.hasOwn(SPELLINGS, typed) ? SPELLINGS[typed]! : typed;
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command) return command;
  const near = nearest(name, Object.keys(COMMANDS));
  throw usageError(`Unknown command "${name}"; ${near ? `did you mean ${near}?` : "see boreas --help."}`);
}

/** For the one place that lists all of the program's commands. */
export function sayCommands(host: Pick<CliHost, "columns">): string {
  return `Usage: boreas COMMAND [--json] [--help]

${sayPairs(host, Object.entries(COMMANDS).map(([name, { summary }]) => [`  ${name}`, summary]))}
BOREAS_URL and BOREAS_TOKEN stand above the kept sign-in.
The product itself: boreas start (without a deployment), agent, migrate;
its data: deno task backup FILE, deno task restore FILE.
`;
}

function printHelp(host: CliHost, name: string): number {
  const command = find(name);
  const flags = Object.entries({ ...command.flags, ...COMMON }).map(([flag, spec]) => {
    const value = "value" in spec && spec.value ? ` ${spec.value}` : "";
    return [`  ${"short" in spec && spec.short ? `-${spec.short}, ` : "    "}--${flag}${value}`, spec.help] as const;
  });
  const summary = `${command.summary[0]!.toUpperCase()}${command.summary.slice(1)}.`;
  host.write(
    `${wrapText(host, `boreas ${command.usage}`)}\n\n${wrapText(host, summary)}\n\n${sayPairs(host, flags)}` +
      (command.details ? `\n${wrapText(host, command.details)}\n` : ""),
  );
  return 0;
}
