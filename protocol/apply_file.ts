/** The file of `boreas apply -f`: what an administrator keeps in a repository of their own. Strict, as `boreas.yaml` is. */
import { z } from "zod";
import { CreateEnvironment, CreateRepository } from "./api/catalog.ts";
import { type ParsedDocuments, parseDocuments } from "./config_file.ts";

const apiVersion = z.literal("boreas/v1");

export const EnvironmentDocument = z.strictObject({
  apiVersion,
  kind: z.literal("Environment"),
  ...CreateEnvironment.shape,
});
export const RepositoryDocument = z.strictObject({
  apiVersion,
  kind: z.literal("Repository"),
  ...CreateRepository.shape,
  /** Needed when the repository is registered, not when it is changed. May be `${env.NAME}`, so that no secret stands in the file. */
  webhookSecret: z.string().optional(),
  credential: z.string().nullable().optional(),
});
export const ApplyDocument = z.discriminatedUnion("kind", [EnvironmentDocument, RepositoryDocument], {
  error: "expected kind: Environment or Repository (Application and Plan belong into a repository's boreas.yaml)",
});
export type ApplyDocument = z.infer<typeof ApplyDocument>;

export const parseApplyFile = (file: string, text: string): ParsedDocuments<ApplyDocument> =>
  parseDocuments(ApplyDocument, file, text);
