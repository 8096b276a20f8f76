/** A `boreas.yaml` of this machine, for the commands that need no server. */
import { type ConfigDocument, parseConfigFile, sayProblem } from "../../protocol/config_file.ts";
import { CliError, type CliHost } from "../host.ts";

/** @throws CliError with a line `file:line: what was expected` per mistake */
export async function readConfig(host: CliHost, file = "boreas.yaml"): Promise<ConfigDocument[]> {
  const text = file === "-" ? await host.readInput() : await host.readFile(file);
  if (text === undefined) throw new CliError(`There is no file ${file}; name the one to read.`);
  const { documents, problems } = parseConfigFile(file, text);
  if (problems.length > 0) throw new CliError(problems.map(sayProblem).join("\n"));
  if (documents.length === 0) throw new CliError(`${file} holds no document.`);
  return documents;
}
