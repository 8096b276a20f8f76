import { ask } from "../shared/address_book.ts";
import { serve } from "../shared/serve.ts";

/** What a push changes. */
const EDITION = "v1";
const HEALTHY = true;

serve({
  edition: EDITION,
  // An order without a customer is worth nothing: ready only when the users can be asked.
  isHealthy: async () => HEALTHY && await ask("user-service") !== undefined,
  answer: async () => {
    const users = await ask("user-service");
    return { orders: [{ id: 100, by: users?.users?.[0]?.name ?? null, item: "Lamp" }] };
  },
});
