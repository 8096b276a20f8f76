import type { Git, TreeEntry } from "../../domain/git.ts";
import { pathMatcher } from "../../domain/match_glob.ts";
import { parseConfigFile } from "../../protocol/config_file.ts";
import type { ApplicationDocument, ConfigProblem, PlanDocument } from "../../protocol/config_file.ts";

/** A document and where it stands. */
export interface Placed<T> {
  document: T;
  problem(path: readonly (string | number)[], message: string): ConfigProblem;
}
export interface ReadConfig {
  applications: Placed<ApplicationDocument>[];
  plans: Placed<PlanDocument>[];
  problems: ConfigProblem[];
}
const MAX_FILES = 500;
const MAX_FILE_BYTES = 1024 * 1024;

/** Finds and parses the configuration of one commit. Every mistake of every file is collected. */
export async function readConfig(
  git: Git,
  repositoryId: string,
  files: readonly TreeEntry[],
  configPaths: readonly string[],
): Promise<ReadConfig> {
  const isConfig = pathMatcher(configPaths);
  const found = files.filter((file) => isConfig(file.path));
  const result: ReadConfig = { applications: [], plans: [], problems: [] };
  const refuse = (file: string, message: string) => result.problems.push({ file, line: 1, path: "", message });
  if (found.length === 0) refuse(configPaths[0]!, "is not in the repository at this commit");
  if (found.length > MAX_FILES) {
    refuse(configPaths[0]!, `stands for ${found.length} files; ${MAX_FILES} is the most`);
    return result;
  }
  const readable = found.filter((file) => {
    if (file.kind === "symlink") {
      refuse(file.path, "is a symbolic link, which is not followed; put the file itself there");
    } else if (file.kind === "submodule") refuse(file.path, "is a submodule, which is not fetched");
    else if (file.size > MAX_FILE_BYTES) refuse(file.path, "is larger than 1 MiB; split it into several files");
    else return true;
    return false;
  });
  const contents = await git.readObjects(repositoryId, readable.map((f) => f.object), MAX_FILES * MAX_FILE_BYTES);
  for (const [index, { path }] of readable.entries()) parse(path, contents[index]!, result);
  return result;
}

function parse(file: string, bytes: Uint8Array, result: ReadConfig): void {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error: unknown) {
    if (!(error instanceof TypeError)) throw error;
    result.problems.push({ file, line: 1, path: "", message: "is not UTF-8 text" });
    return;
  }
  const parsed = parseConfigFile(file, text);
  result.problems.push(...parsed.problems);
  for (const [index, document] of parsed.documents.entries()) {
    const lineOf = parsed.lineOf[index]!;
    const problem: Placed<unknown>["problem"] = (path, message) => ({
      file,
      line: lineOf(path),
      path: path.join("."),
      message,
    });
    if (document.kind === "Application") result.applications.push({ document, problem });
    else result.plans.push({ document, problem });
  }
}
