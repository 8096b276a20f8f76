import { documentLayers, type Layer, mergeLayers } from "../../protocol/config/merge_overlay.ts";
import type { ApplicationDocument } from "../../protocol/config_file.ts";
import type { ApiClient } from "../api_client.ts";
import { command } from "../command.ts";
import { findEnvironment } from "../find.ts";
import { CliError, usageError } from "../host.ts";
import { printJson } from "../print.ts";
import { sayTable } from "../table.ts";
import { readConfig } from "./read_config.ts";

export const render = command({
  summary: "show what an environment sees of a boreas.yaml, and where each value comes from",
  usage: "render -e ENVIRONMENT [FILE] [flags]",
  flags: {
    environment: { type: "string", short: "e", value: "NAME", help: "whose overlay to merge in" },
    app: { type: "list", value: "A,B", help: "only these applications" },
    server: {
      type: "boolean",
      help: "with the layers that the server holds: the environment's own, and the binding's",
    },
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
    const kept = flags.server ? await readKept(await context.api(), environment) : undefined;
    const rendered = [];
    for (const document of applications) {
      const layers = documentLayers(document, environment);
      const all = kept ? [kept.environment, ...layers, await kept.bindingOf(document.name)] : layers;
      rendered.push({ application: document.name, ...mergeLayers(all) });
    }
    if (context.json) printJson(host, rendered);
    else {
      for (const { application, config, origins } of rendered) {
        const rows = Object.entries(origins).map(([path, origin]) => [path, origin, sayValue(valueAt(config, path))]);
        host.write(`${application} in ${environment}\n${sayTable(host, ["key", "from", "value"], rows)}\n`);
      }
    }
    return 0;
  },
});

/** The layers around a file's: below it what the environment gives everybody, above it what a person bound there. */
async function readKept(api: ApiClient, name: string): Promise<{
  environment: Layer;
  bindingOf(application: string): Promise<Layer>;
}> {
  const { id, config: { env } } = await findEnvironment(api, name);
  const known = await api.applications();
  return {
    environment: { name: "environment", config: env ? { config: { env } } : {} },
    async bindingOf(application) {
      const app = known.find((one) => one.name === application);
      const bound = app ? (await api.bindings(app.id)).find((one) => one.environmentId === id) : undefined;
      return { name: "binding", config: bound?.config ?? {} };
    },
  };
}

/** A key may itself hold dots (a label's name): the longest key that fits is taken. */
function valueAt(value: unknown, path: string): unknown {
  if (path === "") return value;
  if (value === null || typeof value !== "object") return undefined;
  const entry = Object.entries(value).filter(([key]) => path === key || path.startsWith(`${key}.`))
    .sort((a, b) => b[0].length - a[0].length)[0];
  return entry ? valueAt(entry[1], path.slice(entry[0].length + 1)) : undefined;
}
const sayValue = (value: unknown): string => typeof value === "string" ? value : JSON.stringify(value) ?? "";
