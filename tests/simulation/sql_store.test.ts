import { createTestDatabase } from "../helpers/test_database.ts";
import { describeStore } from "./store_suite.ts";
import { createSqlWorld } from "./sql_world.ts";

const db = await createTestDatabase({ max: 1 });
describeStore("the verbs on PostgreSQL", () => createSqlWorld(db));
