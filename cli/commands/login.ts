import { createApiClient } from "../api_client.ts";
import { command } from "../command.ts";
import { CliError } from "../host.ts";
import { printResult } from "../print.ts";
import { cleanUrl, keepSignIn, readKeptSignIn, type SignIn } from "../sign_in.ts";

export const login = command({
  summary: "sign in and keep the sign-in for later commands",
  usage: "login [URL] [flags]",
  details: `Without a flag it asks for the password. The sign-in is kept in a file that only you can read.
In a script: boreas login https://boreas.example.com --password-stdin < password`,
  flags: {
    username: { type: "string", short: "u", value: "NAME", help: "who you are; admin unless told" },
    "password-stdin": { type: "boolean", help: "read the password from standard input" },
    "token-stdin": { type: "boolean", help: "keep a bor_ token, read from standard input, instead of signing in" },
  },
  positionals: [0, 1],
  async run(context, [wanted], flags) {
    const { host } = context;
    const url = cleanUrl(wanted ?? host.env.BOREAS_URL ?? (await readKeptSignIn(host)).url ?? "http://localhost:8080");
    if (flags["token-stdin"]) {
      const token = (await host.readInput()).trim();
      if (!token.startsWith("bor_")) throw new CliError("Standard input holds no token: it begins with bor_.", 2);
      return await keep({ url, token });
    }
    const username = flags.username ?? "admin";
    const password = flags["password-stdin"]
      ? (await host.readInput()).replace(/\r?\n$/, "")
      : await askPassword(username);
    if (password === "") throw new CliError("The password is empty.", 2);
    const session = await createApiClient(host, { url }).login({ username, password });
    return await keep({ url, token: session.accessToken, refreshToken: session.refreshToken });

    function askPassword(name: string): Promise<string> {
      if (host.isTerminal) return host.prompt(`Password of ${name} at ${url}: `, true);
      throw new CliError("There is no terminal to ask for the password at; give --password-stdin.", 2);
    }
    async function keep(signIn: SignIn): Promise<number> {
      const user = await createApiClient(host, signIn).me();
      await keepSignIn(host, signIn);
      printResult(context, { url, user }, `Signed in to ${url} as ${user.username} (${user.role}).`);
      return 0;
    }
  },
});
