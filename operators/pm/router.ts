/**
 * Holds an application's public port on the machine and sends its requests to the release that serves now. The proxy
 * is a process of its own: agents come and go, and it neither drops a connection nor forgets where requests go.
 */
export interface PublicPort {
  app: string;
  environment: string;
  /** The port people know. Routes of several applications share it when their hosts differ. */
  listen: number;
  /** Only requests for this host; null for whatever no other route asked for. */
  host: string | null;
}
export interface Backend {
  host: string;
  port: number;
}
/** Where requests for a public port go. */
export interface Routed {
  route: PublicPort;
  backend: Backend;
}

export interface Router {
  /** New requests go to `backend` from the moment it resolves; what the one before is answering, it answers to the end. */
  switchTo(route: PublicPort, backend: Backend): Promise<void>;
  /** Where requests go now; undefined when the port is not held for this application. */
  serving(route: PublicPort): Promise<Backend | undefined>;
  /** Resolves when nothing is open to `backend` any more, or after `seconds`, with the number of requests still open then. */
  drain(route: PublicPort, backend: Backend, seconds: number): Promise<number>;
  /** Lets go of the application's port. */
  remove(route: PublicPort): Promise<void>;
  /** Once, when the agent starts: routes that stand are served, whatever happened to the proxy meanwhile. */
  start?(): Promise<void>;
  /** The agent ends; the proxy goes on. */
  close?(): void;
}
