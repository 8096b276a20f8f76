/** A page that few visits need is loaded when it is opened, so that the first page comes soon. */
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";

type View<P> = (props: P) => ComponentChildren;

export function lazyPage<P extends object>(load: () => Promise<View<P>>): View<P> {
  return function LazyPage(props: P) {
    const [loaded, setLoaded] = useState<{ Page?: View<P>; error?: unknown }>({});
    useEffect(() => void load().then((Page) => setLoaded({ Page }), (error: unknown) => setLoaded({ error })), []);
    // The page's boundary says so, and tries again when asked.
    if (loaded.error !== undefined) throw loaded.error;
    return loaded.Page ? <loaded.Page {...props} /> : null;
  };
}
