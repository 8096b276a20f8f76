import { command } from "../command.ts";
import { findDeployment } from "../find.ts";
import { printResult, sayWhat } from "../print.ts";
import { watchToEnd } from "./watch_to_end.ts";

export const start = command({
  summary: "start a pending deployment",
  usage: "start DEPLOYMENT [flags]",
  details: "DEPLOYMENT is an id, its beginning, or latest.",
  flags: {
    note: { type: "string", value: "TEXT", help: "why, for the record" },
    override: { type: "string", value: "REASON", help: "start it in spite of a freeze, where your role may" },
    watch: { type: "boolean", short: "w", help: "follow it to its end" },
  },
  positionals: [1, 1],
  async run(context, [wanted], { note, override, watch }) {
    const api = await context.api();
    const { id } = await findDeployment(api, wanted!);
    await api.startDeployment(id, {
      ...(note && { note }),
      ...(override !== undefined && { override: { reason: override } }),
    });
    if (watch) return await watchToEnd(context, api, id);
    const now = await api.deployment(id);
    printResult(
      context,
      now,
      `${sayWhat(now)}: ${now.status.replaceAll("_", " ")}. ${now.reason.text}`,
    );
    return 0;
  },
});
