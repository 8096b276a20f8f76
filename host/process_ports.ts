/** Free ports, and who holds the others. */
export async function choosePort(): Promise<number> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  return await portHolder(port) === undefined ? port : choosePort();
}

/** undefined when a program could listen on it, on every address, now. */
export async function portHolder(port: number): Promise<string | undefined> {
  for (const hostname of ["0.0.0.0", "127.0.0.1", "::"]) {
    try {
      Deno.listen({ hostname, port }).close();
    } catch (error: unknown) {
      if (error instanceof Deno.errors.AddrInUse) return await nameHolder(port) ?? "another program";
      if (error instanceof Deno.errors.PermissionDenied) return "the system, which gives ports below 1024 to root only";
      // Any other answer means that this machine does not have such an address.
      if (!(error instanceof Error)) throw error;
    }
  }
  return undefined;
}

async function nameHolder(port: number): Promise<string | undefined> {
  try {
    const ss = await new Deno.Command("ss", {
      args: ["-Hltnp", `sport = :${port}`],
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).output();
    const user = /users:\(\("([^"]*)",pid=(\d+)/.exec(new TextDecoder().decode(ss.stdout));
    return user ? `${user[1]} (pid ${user[2]})` : undefined;
  } catch (error: unknown) {
    if (error instanceof Deno.errors.NotFound) return undefined; // no `ss` here: nobody can say
    throw error;
  }
}
