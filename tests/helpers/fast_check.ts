/** fast-check with the seed of this run; `configureGlobal` holds for the process, and each test file has one of its own. */
import fc from "fast-check";
import { firstSeed } from "./seed.ts";

fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: firstSeed() });

export default fc;
