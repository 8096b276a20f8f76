/** A `boreas.yaml` of this machine, for the commands that need no server. */
import {
  type ConfigDocument,
  parseConfigFile,
  parseDocuments,
  sayProblem,
  Strategy,
} from "../../protocol/config_file.ts";
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

/** One strategy, as it stands in a `boreas.yaml` below `strategy:`. @throws CliError as above */
export async function readStrategy(host: CliHost, file: string): Promise<Strategy> {
  const text = file === "-" ? await host.readInput() : await host.readFile(file);
  if (text === undefined) throw new CliError(`There is no file ${file}; name the one that holds the strategy.`);
  const { documents, problems } = parseDocuments(Strategy, file, text);
  if (problems.length > 0) throw new CliError(problems.map(sayProblem).join("\n"));
  if (documents.length !== 1) {
    throw new CliError(`${file} holds ${documents.length} documents; one strategy is wanted.`);
  }
  return documents[0]!;
}
