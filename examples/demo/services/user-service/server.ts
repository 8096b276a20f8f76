import { serve } from "../shared/serve.ts";

/** What a push changes. */
const EDITION = "v1";
const HEALTHY = true;

serve({
  edition: EDITION,
  isHealthy: () => Promise.resolve(HEALTHY),
  answer: () => Promise.resolve({ users: [{ id: 1, name: "Ada" }, { id: 2, name: "Linus" }] }),
});
