import type { Environment } from "../../protocol/http_api.ts";
import { command } from "../command.ts";
import { findEnvironment } from "../find.ts";
import { printJson, printList } from "../print.ts";

export const environments = command({
  summary: "list environments, or show one with its policy",
  usage: "environments [ENVIRONMENT] [flags]",
  details: "boreas apply -f FILE makes and changes them.",
  flags: {},
  positionals: [0, 1],
  async run(context, [wanted]) {
    const api = await context.api();
    if (wanted !== undefined) {
      const one = await findEnvironment(api, wanted);
      if (context.json) printJson(context.host, one);
      else context.host.write(sayEnvironment(one));
      return 0;
    }
    printList(
      context,
      await api.environments(),
      ["environment", "type", "region", "status", "policy"],
      (one) => [
        one.name,
        one.type,
        one.region || "-",
        one.status,
        Object.keys(one.policy).join(", ") || "-",
      ],
      "There is no environment yet; see `boreas apply --help`.",
    );
    return 0;
  },
});

const sayEnvironment = ({ name, type, region, status, config, policy }: Environment): string =>
  `${name}: ${type}${region ? `, ${region}` : ""}, ${status}\n` +
  [["config", config] as const, ["policy", policy] as const].map(([what, value]) => `\n${what}\n${sayLines(value)}`)
    .join("");

const sayLines = (value: Record<string, unknown>): string =>
  Object.entries(value).map(([key, one]) => `  ${key}: ${typeof one === "string" ? one : JSON.stringify(one)}\n`)
    .join("") || "  none\n";
