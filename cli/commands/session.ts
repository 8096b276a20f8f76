/** Who the kept sign-in is, and its end. */
import { createApiClient } from "../api_client.ts";
import { command } from "../command.ts";
import { CliError } from "../host.ts";
import { printResult } from "../print.ts";
import { forgetSignIn, readKeptSignIn } from "../sign_in.ts";

export const whoami = command({
  summary: "who you are to which server, and in which role",
  usage: "whoami",
  flags: {},
  positionals: [0, 0],
  async run(context) {
    const api = await context.api();
    const user = await api.me();
    printResult(context, { url: api.url, user }, `${user.username} (${user.role}) at ${api.url}`);
    return 0;
  },
});

export const logout = command({
  summary: "end the kept sign-in, there and here",
  usage: "logout",
  details: "The file is emptied also when the server cannot be reached; what it held ends by itself then.",
  flags: {},
  positionals: [0, 0],
  async run(context) {
    const { host } = context;
    const { url, token, refreshToken } = await readKeptSignIn(host);
    if (!url || !token) {
      printResult(context, { url: null }, "No sign-in is kept.");
      return 0;
    }
    try {
      // A bor_ token is somebody's own to revoke; only a session ends here.
      if (refreshToken) await createApiClient(host, { url, token }).logout(refreshToken);
    } catch (error: unknown) {
      if (!(error instanceof CliError)) throw error;
      host.writeError(`${error.message}\n`);
    }
    await forgetSignIn(host, url);
    printResult(context, { url }, `Signed out of ${url}.`);
    return 0;
  },
});
