import { type ApplyDocument, parseApplyFile } from "../../protocol/apply_file.ts";
import { sayProblem } from "../../protocol/config_file.ts";
import type { ApiClient } from "../api_client.ts";
import { command } from "../command.ts";
import { CliError, type CliHost, usageError } from "../host.ts";
import { printJson } from "../print.ts";

interface Applied {
  kind: string;
  name: string;
  did: "created" | "updated";
}

export const apply = command({
  summary: "create or update environments and repositories from a file",
  usage: "apply -f FILE [flags]",
  details: `The file holds YAML documents of kind Environment or Repository; - reads standard input.
Nothing is changed when any of them is wrong. \${env.NAME} in webhookSecret and credential is
taken from the environment of this command, so that no secret stands in the file; take a
name that begins with BOREAS_.`,
  flags: {
    file: { type: "string", short: "f", value: "FILE", help: "what to apply" },
  },
  positionals: [0, 0],
  async run(context, _positionals, { file }) {
    const { host } = context;
    if (!file) throw usageError("Say what to apply: boreas apply -f FILE.");
    const text = file === "-" ? await host.readInput() : await host.readFile(file);
    if (text === undefined) throw new CliError(`There is no file ${file}.`);
    const { documents, problems } = parseApplyFile(file, text);
    if (problems.length > 0) throw new CliError(problems.map(sayProblem).join("\n"));
    if (documents.length === 0) throw new CliError(`${file} holds no document.`);

    const filled = documents.map((document) => fillSecrets(host, document));
    const api = await context.api();
    const done: Applied[] = [];
    for (const document of filled) {
      const one = await applyOne(api, document);
      done.push(one);
      if (!context.json) host.write(`${one.kind} ${one.name} ${one.did}\n`);
    }
    if (context.json) printJson(host, done);
    return 0;
  },
});

async function applyOne(api: ApiClient, document: ApplyDocument): Promise<Applied> {
  if (document.kind === "Environment") {
    const { apiVersion: _, kind, ...body } = document;
    const there = (await api.environments()).find((e) => e.name === body.name);
    if (!there) {
      await api.createEnvironment(body);
      return { kind, name: body.name, did: "created" };
    }
    if (there.type !== body.type) {
      throw new CliError(
        `The environment ${body.name} is of type ${there.type} and stays so; give the ${body.type} one another name.`,
      );
    }
    const { name, type: _type, ...changes } = body;
    await api.updateEnvironment(there.id, changes);
    return { kind, name, did: "updated" };
  }
  const { apiVersion: _, kind, webhookSecret, credential, ...body } = document;
  const secrets = {
    ...(webhookSecret === undefined ? {} : { webhookSecret }),
    ...(credential === undefined ? {} : { credential }),
  };
  const there = (await api.repositories()).find((r) => r.url === body.url);
  if (there) {
    const { url, ...changes } = body;
    await api.updateRepository(there.id, { ...changes, ...secrets });
    return { kind, name: url, did: "updated" };
  }
  if (webhookSecret === undefined) {
    throw new CliError(`The repository ${body.url} is new and needs a webhookSecret of at least 16 characters.`);
  }
  await api.createRepository({ ...body, ...secrets, webhookSecret });
  return { kind, name: body.url, did: "created" };
}

function fillSecrets(host: CliHost, document: ApplyDocument): ApplyDocument {
  if (document.kind !== "Repository") return document;
  const fill = (text: string) =>
    text.replaceAll(/\$\{env\.([A-Za-z_][A-Za-z0-9_]*)\}/g, (_, name: string) => {
      const value = host.env[name];
      if (value === undefined) {
        throw new CliError(
          `The file asks for \${env.${name}}, which is not set (\`deno task boreas\` sees only names that begin with BOREAS_).`,
        );
      }
      return value;
    });
  return {
    ...document,
    ...(document.webhookSecret === undefined ? {} : { webhookSecret: fill(document.webhookSecret) }),
    ...(typeof document.credential === "string" ? { credential: fill(document.credential) } : {}),
  };
}
