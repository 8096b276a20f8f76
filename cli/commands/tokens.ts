import { parseDuration } from "../../protocol/http_api.ts";
import { command, type CommandContext } from "../command.ts";
import { findToken } from "../find.ts";
import { usageError } from "../host.ts";
import { printJson, printList, printResult, sayAge } from "../print.ts";

const WORDS = ["list", "create", "revoke"] as const;

export const tokens = command({
  summary: "list API tokens, make one for a script, revoke one",
  usage: "tokens [list | create NAME | revoke NAME] [flags]",
  details: `create prints the secret alone to standard output, once; nobody can read it again. Making one takes a
sign-in with a password. Example:
  boreas tokens create ci --role deployer --expires 90d > token`,
  flags: {
    role: { type: "string", value: "ROLE", help: "create: yours unless told, or one that may do less" },
    expires: { type: "string", value: "TIME", help: "create: for so long, as 12h or 90d; never unless told" },
  },
  positionals: [0, 2],
  async run(context, [word = "list", name], { role, expires }) {
    if (!(WORDS as readonly string[]).includes(word)) {
      throw usageError(`Unknown word "${word}" after tokens; there is ${WORDS.join(", ")}.`);
    }
    if (word !== "create" && (role ?? expires) !== undefined) throw usageError("--role and --expires go with create.");
    if (word === "list" && name !== undefined) throw usageError("list takes no name: boreas tokens list.");
    if (word === "list") return await listTokens(context);
    if (name === undefined) throw usageError(`Say which token: boreas tokens ${word} NAME.`);
    const expiresInSeconds = expires === undefined ? undefined : parseDuration(expires);
    if (expires !== undefined && expiresInSeconds === undefined) {
      throw usageError(`"${expires}" is no time such as 12h or 90d.`);
    }
    const api = await context.api();
    if (word === "revoke") {
      const found = await findToken(api, name);
      await api.deleteToken(found.id);
      printResult(context, { revoked: found.id }, `The token ${found.name} of ${found.username} works no longer.`);
      return 0;
    }
    const made = await api.createToken({ name, role, expiresInSeconds });
    if (context.json) printJson(context.host, made);
    else {
      context.host.writeError(`Token ${made.name} (${made.role}); it is shown this once:\n`);
      context.host.write(`${made.token}\n`);
    }
    return 0;
  },
});

async function listTokens(context: CommandContext): Promise<number> {
  const now = context.host.now();
  printList(
    context,
    await (await context.api()).tokens(),
    ["token", "role", "of", "made", "used", "until"],
    (one) => [
      one.name,
      one.role,
      one.username,
      sayAge(one.createdAt, now),
      sayAge(one.lastUsedAt, now),
      one.expiresAt?.slice(0, 10) ?? "for ever",
    ],
    "No token was made yet; see `boreas tokens --help`.",
  );
  return 0;
}
