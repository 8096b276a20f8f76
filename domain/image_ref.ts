/** Names of container images, as people write them. */
export interface ImageAddress {
  registry: string;
  repository: string;
}

/** Docker Hub by the name of the server that speaks for it. */
const HUB = "registry-1.docker.io";

/** No dash at the end of a label: `registrySecret` relies on it. */
const HOST = /^[a-z0-9]+(-+[a-z0-9]+)*(\.[a-z0-9]+(-+[a-z0-9]+)*)*(:\d+)?$/i;

/** `order`, `team/order` and `docker.io/...` are Docker Hub's; else the first part is the registry. */
export function parseImageRef(ref: string): ImageAddress | undefined {
  if (!/^[A-Za-z0-9][A-Za-z0-9._:/-]*$/.test(ref) || ref.includes("//") || ref.endsWith("/")) return undefined;
  const [first, ...rest] = ref.split("/");
  const isHost = rest.length > 0 && (/[.:]/.test(first!) || first === "localhost");
  const registry = isHost ? first! : "docker.io";
  const path = isHost ? rest.join("/") : ref;
  if (!/^[a-z0-9._/-]+$/.test(path) || !HOST.test(registry)) return undefined;
  if (registry !== "docker.io" && registry !== "index.docker.io") return { registry, repository: path };
  return { registry: HUB, repository: path.includes("/") ? path : `library/${path}` };
}

/** The registry as people and policies call it. */
export const registryName = ({ registry }: ImageAddress): string => (registry === HUB ? "docker.io" : registry);

/**
 * The secret that holds `user:password` of a registry: `reg.my-shop.com:5000` -> `REGISTRY_AUTH_REG_MY__SHOP_COM___5000`.
 * Different hosts never share a name, so nobody gets at a login by a registry that is called nearly the same.
 */
export const registrySecret = (address: ImageAddress): string =>
  `REGISTRY_AUTH_${
    registryName(address).toUpperCase().replaceAll("-", "__").replaceAll(":", "___").replaceAll(".", "_")
  }`;

/** undefined when it is not `user:password`. */
export function parseRegistryLogin(text: string): { username: string; password: string } | undefined {
  const colon = text.indexOf(":");
  if (colon < 1 || colon === text.length - 1) return undefined;
  return { username: text.slice(0, colon), password: text.slice(colon + 1).replace(/\r?\n$/, "") };
}
