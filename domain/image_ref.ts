/** Names of container images, as people write them. */
export interface ImageAddress {
  registry: string;
  repository: string;
}

/** Docker Hub by the name of the server that speaks for it. */
const HUB = "registry-1.docker.io";

/** `order`, `team/order` and `docker.io/...` are Docker Hub's; else the first part is the registry. */
export function parseImageRef(ref: string): ImageAddress | undefined {
  if (!/^[A-Za-z0-9][A-Za-z0-9._:/-]*$/.test(ref) || ref.includes("//") || ref.endsWith("/")) return undefined;
  const [first, ...rest] = ref.split("/");
  const isHost = rest.length > 0 && (/[.:]/.test(first!) || first === "localhost");
  const registry = isHost ? first! : "docker.io";
  const path = isHost ? rest.join("/") : ref;
  if (!/^[a-z0-9._/-]+$/.test(path)) return undefined;
  if (registry !== "docker.io" && registry !== "index.docker.io") return { registry, repository: path };
  return { registry: HUB, repository: path.includes("/") ? path : `library/${path}` };
}

/** The registry as people and policies call it. */
export const registryName = ({ registry }: ImageAddress): string => (registry === HUB ? "docker.io" : registry);

/** The secret that holds `user:password` of a registry: `reg.example.com:5000` -> `REGISTRY_AUTH_REG_EXAMPLE_COM_5000`. */
export const registrySecret = (address: ImageAddress): string =>
  `REGISTRY_AUTH_${registryName(address).toUpperCase().replaceAll(/[^A-Z0-9]/g, "_")}`;

/** undefined when it is not `user:password`. */
export function parseRegistryLogin(text: string): { username: string; password: string } | undefined {
  const colon = text.indexOf(":");
  if (colon < 1 || colon === text.length - 1) return undefined;
  return { username: text.slice(0, colon), password: text.slice(colon + 1).replace(/\r?\n$/, "") };
}
