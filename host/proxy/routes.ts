/** Which application's requests go where. Pure. */
export interface PublicPort {
  app: string;
  environment: string;
  listen: number;
  host: string | null;
}
export interface Backend {
  host: string;
  port: number;
}
export interface Route extends PublicPort {
  backend: Backend;
}

export const isSameRoute = (a: PublicPort, b: PublicPort): boolean =>
  a.app === b.app && a.environment === b.environment && a.listen === b.listen && a.host === b.host;

export const isSameBackend = (a: Backend, b: Backend): boolean => a.host === b.host && a.port === b.port;

export const findRoute = (routes: readonly Route[], wanted: PublicPort): Route | undefined =>
  routes.find((route) => isSameRoute(route, wanted));

export const withoutRoute = (routes: readonly Route[], gone: PublicPort): Route[] =>
  routes.filter((route) => !isSameRoute(route, gone));

export const withRoute = (routes: readonly Route[], route: Route): Route[] => [...withoutRoute(routes, route), route];

/** Another application that has this port and host already. */
export const findRival = (routes: readonly Route[], wanted: PublicPort): Route | undefined =>
  routes.find((route) => route.listen === wanted.listen && route.host === wanted.host && !isSameRoute(route, wanted));

export const portsOf = (routes: readonly Route[]): number[] => [...new Set(routes.map(({ listen }) => listen))];

/** The host of a `Host` header, as routes name it: without port, in lower case. */
export const hostOf = (header: string | undefined): string =>
  (header ?? "").replace(/:\d*$/, "").replace(/\.$/, "").toLowerCase();

export function chooseRoute(routes: readonly Route[], listen: number, header: string | undefined): Route | undefined {
  const host = hostOf(header);
  const here = routes.filter((route) => route.listen === listen);
  return here.find((route) => route.host?.toLowerCase() === host) ?? here.find((route) => route.host === null);
}
