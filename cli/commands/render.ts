import { documentLayers, mergeLayers } from "../../protocol/config/merge_overlay.ts";
import type { ApplicationDocument } from "../../protocol/config_file.ts";
import { command } from "../command.ts";
import { CliError, usageError } from "../host.ts";
import { printJson, sayTable } from "../print.ts";
import { readConfig } from "./read_config.ts";

export const render = command({
  summary: "show what an environment sees of a boreas.yaml, and where each value comes from",
  usage: "render -e ENVIRONMENT [FILE] [flags]",
  flags: {
    environment: { type: "string", short: "e", value: "NAME", help: "whose overlay to merge in" },
    app: { type: "list", value: "A,B", help: "only these applications" },
  },
  positionals: [0, 1],
  async run(context, [file], flags) {
    const { host } = context;
    const environment = flags.environment;
    if (!environment) throw usageError("Say for which environment: boreas render -e ENVIRONMENT.");
    const documents = await readConfig(host, file);
    const applications = documents.filter((d): d is ApplicationDocument => d.kind === "Application")
      .filter((a) => !flags.app || flags.app.includes(a.name));
    if (applications.length === 0) {
      throw new CliError(
        flags.app ? `The file has no application ${flags.app.join(" or ")}.` : "The file has no Application.",
      );
    }
    const rendered = applications.map((document) => ({
      application: document.name,
      ...mergeLayers(documentLayers(document, environment)),
    }));
    if (context.json) printJson(host, rendered);
    else {
      for (const { application, config, origins } of rendered) {
        const rows = Object.entries(origins).map(([path, origin]) => [path, origin, sayValue(valueAt(config, path))]);
        host.write(`${application} in ${environment}\n${sayTable(["key", "from", "value"], rows)}\n`);
      }
    }
    return 0;
  },
});

/** A key may itself hold dots (a label's name): the longest key that fits is taken. */
function valueAt(value: unknown, path: string): unknown {
  if (path === "") return value;
  if (value === null || typeof value !== "object") return undefined;
  const entry = Object.entries(value).filter(([key]) => path === key || path.startsWith(`${key}.`))
    .sort((a, b) => b[0].length - a[0].length)[0];
  return entry ? valueAt(entry[1], path.slice(entry[0].length + 1)) : undefined;
}
const sayValue = (value: unknown): string => typeof value === "string" ? value : JSON.stringify(value) ?? "";
