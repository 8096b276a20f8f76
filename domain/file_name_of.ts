/** What a file at an address is called: the last part of its path, unescaped where that can be done. */
export function fileNameOf(url: string): string {
  const last = new URL(url).pathname.split("/").at(-1)!;
  try {
    return decodeURIComponent(last);
  } catch (error: unknown) {
    if (!(error instanceof URIError)) throw error;
    return last; // `%zz` is what it says it is
  }
}
