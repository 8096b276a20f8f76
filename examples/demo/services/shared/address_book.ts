/**
 * How the services find each other on one machine: each writes its port as a file below its name. Two releases of one
 * service may be there at once while Boreas switches over; the newest that answers is taken.
 */
const FOLDER = Deno.env.get("ADDRESS_BOOK") ?? "/tmp/boreas-demo";

export async function enter(service: string, port: number): Promise<() => Promise<void>> {
  const page = `${FOLDER}/${service}/${port}`;
  await Deno.mkdir(`${FOLDER}/${service}`, { recursive: true });
  await Deno.writeTextFile(page, String(Date.now()));
  return () => Deno.remove(page);
}

export interface Answer {
  users?: { name: string }[];
  orders?: { id: number }[];
}

/** What a service answers on `/`; undefined when none of that name does. */
export async function ask(service: string): Promise<Answer | undefined> {
  for (const port of await newestFirst(service)) {
    try {
      const response = await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(500) });
      if (response.ok) return await response.json();
      await response.body?.cancel();
    } catch (error: unknown) {
      console.log(`${service} on port ${port} does not answer: ${error instanceof Error ? error.message : error}`);
    }
  }
  return undefined;
}

async function newestFirst(service: string): Promise<string[]> {
  try {
    const pages = [];
    for await (const { name } of Deno.readDir(`${FOLDER}/${service}`)) {
      pages.push({ port: name, since: Number(await Deno.readTextFile(`${FOLDER}/${service}/${name}`)) });
    }
    return pages.sort((a, b) => b.since - a.since).map((page) => page.port);
  } catch (error: unknown) {
    // Nobody of that name yet, or one that left while we were reading: the next check looks again.
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}
