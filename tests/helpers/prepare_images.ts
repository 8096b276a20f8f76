/**
 * Makes the images that the tests of machines and of packaging start from, so that nobody has to wait for them later:
 *   deno run -A tests/helpers/prepare_images.ts
 */
import { makeTestImages } from "../packaging/test_images.ts";
import { makeSystemdImage } from "./systemd_image.ts";

// One after the other, in the order in which they are wanted.
await makeSystemdImage();
await makeTestImages();
